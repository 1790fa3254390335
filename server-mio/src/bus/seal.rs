//! `CLUSTER_KEY`: what shows that a frame is from somebody who has it.

use ring::hmac;

/// What is put before each frame, in bytes.
const TAG_BYTES: usize = 16;

/// The first half of an HMAC (RFC 2104) by SHA-256 before each frame; without a key, nothing.
#[derive(Clone, Debug)]
pub(super) struct Seal(Option<hmac::Key>);

impl Seal {
    pub(super) fn new(key: Option<&[u8]>) -> Seal {
        Seal(key.map(|key| hmac::Key::new(hmac::HMAC_SHA256, key)))
    }

    /// How much longer a frame becomes.
    pub(super) fn len(&self) -> usize {
        if self.0.is_some() { TAG_BYTES } else { 0 }
    }

    /// Appends the seal of a frame, and the frame.
    pub(super) fn put(&self, frame: &[u8], out: &mut Vec<u8>) {
        if let Some(key) = &self.0 {
            let tag = hmac::sign(key, frame);
            out.extend(tag.as_ref().iter().take(TAG_BYTES));
        }
        out.extend_from_slice(frame);
    }

    /// The frame behind its seal; `None` where that is not right.
    pub(super) fn open<'a>(&self, sealed: &'a [u8]) -> Option<&'a [u8]> {
        let Some(key) = &self.0 else { return Some(sealed) };
        let (tag, frame) = sealed.split_at_checked(TAG_BYTES)?;
        let right = hmac::sign(key, frame);
        let is_right = subtle::ConstantTimeEq::ct_eq(tag, &right.as_ref()[..TAG_BYTES]);
        bool::from(is_right).then_some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(seal: &Seal, frame: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        seal.put(frame, &mut out);
        out
    }

    #[test]
    fn a_frame_is_opened_by_whoever_has_the_key_and_only_as_it_was() {
        let (ours, theirs) = (Seal::new(Some(b"ours")), Seal::new(Some(b"theirs")));
        let whole = sealed(&ours, b"frame");
        assert_eq!(whole.len(), ours.len() + 5);
        assert_eq!(ours.open(&whole), Some(&b"frame"[..]));
        assert_eq!(theirs.open(&whole), None);
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            assert_eq!(ours.open(&changed), None, "{place}");
            assert_eq!(ours.open(&whole[..place]), None, "{place}");
        }
    }

    #[test]
    fn without_a_key_a_frame_is_what_it_is() {
        let none = Seal::new(None);
        assert_eq!((sealed(&none, b"frame"), none.len()), (b"frame".to_vec(), 0));
        assert_eq!(none.open(b"x"), Some(&b"x"[..]));
    }
}
