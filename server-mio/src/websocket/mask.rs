//! Unmasking of what clients send (RFC 6455 section 5.3).

/// XORs `payload` with `mask` in place; `offset` is where in its frame the payload begins.
pub(super) fn unmask(payload: &mut [u8], mut mask: [u8; 4], offset: u64) {
    mask.rotate_left((offset % 4) as usize);
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, tail) = payload.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (i, byte) in tail.iter_mut().enumerate() {
        *byte ^= mask[i % 4];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unmasking_in_pieces_equals_the_plain_definition() {
        let masked: Vec<u8> = (0..=255).cycle().take(300).collect();
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        let plain: Vec<u8> = masked.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]).collect();
        for cut in 0..masked.len() {
            let mut bytes = masked.clone();
            let (head, tail) = bytes.split_at_mut(cut);
            unmask(head, mask, 0);
            unmask(tail, mask, cut as u64);
            assert_eq!(bytes, plain, "cut at {cut}");
        }
    }
}
