//! The PROXY protocol, versions 1 and 2: what a proxy says before the first byte of its client (the setting
//! `PROXY_PROTOCOL`; specification: "The PROXY protocol, versions 1 & 2" of HAProxy).
//!
//! Where it is spoken it must be spoken (section 1): what does not begin with a header is no connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What the bytes so far say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The header is not whole; at least so many bytes more belong to it.
    Needs(usize),
    /// The header is whole, and the next byte is the client's.
    Whole(ConnectionSource),
}

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectionSource {
    /// This client's.
    Client(SocketAddr),
    /// The proxy's own, such as a check of health, or one of which nothing is known.
    Proxy,
}

/// There is no such header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Reads a header from its first byte on.
pub(super) fn parse(bytes: &[u8]) -> Result<Progress, Malformed> {
    let known = bytes.len().min(V2_SIGNATURE.len());
    if bytes[..known] == V2_SIGNATURE[..known] && known > 0 {
        return version_2(bytes);
    }
    let known = bytes.len().min(V1_BEGINNING.len());
    if bytes[..known] == V1_BEGINNING[..known] { version_1(bytes) } else { Err(Malformed) }
}

/// Section 2.1: one line of text.
fn version_1(bytes: &[u8]) -> Result<Progress, Malformed> {
    if bytes.len() < V1_LEAST_BYTES {
        return Ok(Progress::Needs(V1_LEAST_BYTES - bytes.len()));
    }
    let Some(line) = bytes.strip_suffix(b"\r\n") else {
        // Never more than belongs to the line, since what comes behind it is the client's.
        let missing = if bytes.ends_with(b"\r") { 1 } else { 2 };
        let fits = bytes.len() + missing <= V1_MOST_BYTES && !bytes[..bytes.len() - 1].contains(&b'\r');
        return if fits { Ok(Progress::Needs(missing)) } else { Err(Malformed) };
    };
    let line = std::str::from_utf8(line).map_err(|_| Malformed)?;
    let mut words = line.split(' ').skip(1);
    let family = words.next().ok_or(Malformed)?;
    if family == "UNKNOWN" {
        // What follows is to be ignored.
        return Ok(Progress::Whole(ConnectionSource::Proxy));
    }
    let mut word = || words.next().ok_or(Malformed);
    let (source, destination) = (word()?, word()?);
    let (source_port, destination_port) = (port(word()?)?, port(word()?)?);
    if words.next().is_some() {
        return Err(Malformed);
    }
    let _ = destination_port;
    let read = |text: &str| -> Result<IpAddr, Malformed> {
        match family {
            "TCP4" => text.parse::<Ipv4Addr>().map(IpAddr::V4).map_err(|_| Malformed),
            "TCP6" => text.parse::<Ipv6Addr>().map(IpAddr::V6).map_err(|_| Malformed),
            _ => Err(Malformed),
        }
    };
    read(destination)?;
    Ok(Progress::Whole(ConnectionSource::Client(SocketAddr::new(read(source)?, source_port))))
}

/// Digits alone, without a zero before others.
fn port(text: &str) -> Result<u16, Malformed> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain).ok_or(Malformed)
}

/// Section 2.2: a head of 16 bytes, the addresses, and what else the proxy has to say.
fn version_2(bytes: &[u8]) -> Result<Progress, Malformed> {
    let Some((head, rest)) = bytes.split_first_chunk::<V2_HEAD_BYTES>() else {
        return Ok(Progress::Needs(V2_HEAD_BYTES - bytes.len()));
    };
    let [.., version_and_command, family, high, low] = *head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > V2_MOST_BYTES {
        return Err(Malformed);
    }
    let is_local = match version_and_command {
        0x20 => true,
        0x21 => false,
        _ => return Err(Malformed),
    };
    let address_bytes = match family {
        UNSPECIFIED => 0,
        TCP4 => 12,
        TCP6 => 36,
        UNIX => 216,
        // Of a local connection nothing of this counts.
        _ if is_local => 0,
        _ => return Err(Malformed),
    };
    if length < address_bytes && !is_local {
        return Err(Malformed);
    }
    if rest.len() < length {
        return Ok(Progress::Needs(length - rest.len()));
    }
    if rest.len() > length {
        return Err(Malformed);
    }
    Ok(Progress::Whole(match (is_local, family) {
        (false, TCP4) => client::<4>(rest, 8).unwrap_or(ConnectionSource::Proxy),
        (false, TCP6) => client::<16>(rest, 32).unwrap_or(ConnectionSource::Proxy),
        _ => ConnectionSource::Proxy,
    }))
}

/// The source: its address comes first, its port behind both addresses.
fn client<const N: usize>(addresses: &[u8], port_at: usize) -> Option<ConnectionSource>
where
    IpAddr: From<[u8; N]>,
{
    let address: [u8; N] = *addresses.first_chunk()?;
    let port: [u8; 2] = *addresses.get(port_at..)?.first_chunk()?;
    Some(ConnectionSource::Client(SocketAddr::new(address.into(), u16::from_be_bytes(port))))
}

const V1_BEGINNING: &[u8] = b"PROXY ";

/// `PROXY UNKNOWN` and the end of the line.
const V1_LEAST_BYTES: usize = 15;

/// Section 2.1: "a 108-byte buffer is always enough", one of them for a zero.
const V1_MOST_BYTES: usize = 107;

const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_HEAD_BYTES: usize = 16;

/// Bytes behind the head: addresses and what proxies of today add are a few hundred.
const V2_MOST_BYTES: usize = 2_048;

const UNSPECIFIED: u8 = 0x00;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
const UNIX: u8 = 0x31;

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> Result<Progress, Malformed> {
        Ok(Progress::Whole(ConnectionSource::Client(text.parse().unwrap())))
    }

    const PROXY: Result<Progress, Malformed> = Ok(Progress::Whole(ConnectionSource::Proxy));

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&V2_SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    /// Reads as many bytes as are asked for, and no more.
    fn fed(bytes: &[u8]) -> (Result<Progress, Malformed>, usize) {
        let mut at = 0;
        loop {
            match parse(&bytes[..at]) {
                Ok(Progress::Needs(more)) if at + more <= bytes.len() => at += more,
                result => return (result, at),
            }
        }
    }

    #[test]
    fn a_line_tells_the_client() {
        for (line, expected) in [
            ("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443", client("192.0.2.1:56324")),
            ("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535", client("255.255.255.255:65535")),
            ("PROXY TCP6 2001:db8::1 ::1 0 1", client("[2001:db8::1]:0")),
            ("PROXY UNKNOWN", PROXY),
            ("PROXY UNKNOWN ffff::1 whatever 1 2", PROXY),
        ] {
            let text = format!("{line}\r\nGET / HTTP/1.1\r\n");
            assert_eq!(fed(text.as_bytes()), (expected, line.len() + 2), "{line}");
        }
    }

    #[test]
    fn a_binary_header_tells_the_client() {
        let four = [192, 0, 2, 1, 198, 51, 100, 7, 0xdc, 4, 1, 187];
        let mut six = [0; 36];
        six[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
        six[15] = 1;
        six[32..].copy_from_slice(&[0xdc, 4, 1, 187]);
        let with_more = [&four[..], &[0x20, 0, 3, 1, 2, 3]].concat();
        for (header, expected) in [
            (v2(0x21, 0x11, &four), client("192.0.2.1:56324")),
            (v2(0x21, 0x11, &with_more), client("192.0.2.1:56324")),
            (v2(0x21, 0x21, &six), client("[2001:db8::1]:56324")),
            (v2(0x21, 0x31, &[0; 216]), PROXY),
            (v2(0x21, 0x00, b"anything"), PROXY),
            (v2(0x20, 0x00, b""), PROXY),
            (v2(0x20, 0x11, &four), PROXY),
            (v2(0x20, 0x77, b"x"), PROXY),
        ] {
            let bytes = [&header[..], b"\x16\x03"].concat();
            assert_eq!(fed(&bytes), (expected, header.len()));
        }
    }

    #[test]
    fn what_is_no_header_is_refused_as_soon_as_it_shows() {
        for text in [
            "GET / HTTP/1.1\r\n",
            "PROXX TCP4 1.1.1.1 1.1.1.1 1 1\r\n",
            "proxy TCP4 1.1.1.1 1.1.1.1 1 1\r\n",
            "PROXY  TCP4 1.1.1.1 1.1.1.1 1 1\r\n",
            "PROXY TCP4 1.1.1.1  1.1.1.1 1 1\r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 1 1 \r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 1 65536\r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 01 1\r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 +1 1\r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1  1\r\n",
            "PROXY TCP4 01.1.1.1 1.1.1.1 1 1\r\n",
            "PROXY TCP4 ::1 ::1 1 1\r\n",
            "PROXY TCP6 1.1.1.1 1.1.1.1 1 1\r\n",
            "PROXY TCP4 1.1.1.1 x 1 1\r\n",
            "PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n",
            "PROXY UNKNOWNX\r\n",
            "PROXY TCP4 1.1.1.1\r1.1.1.1 1 1\r\n",
        ] {
            assert_eq!(fed(text.as_bytes()).0, Err(Malformed), "{text:?}");
        }
        assert_eq!(parse(b"G"), Err(Malformed));
        assert_eq!(parse(b"\r\n\r\nG"), Err(Malformed));
        let endless = format!("PROXY UNKNOWN {}", "x".repeat(200));
        assert_eq!(fed(endless.as_bytes()).0, Err(Malformed));
        for header in [
            v2(0x11, 0x11, &[0; 12]),
            v2(0x22, 0x11, &[0; 12]),
            v2(0x21, 0x12, &[0; 12]),
            v2(0x21, 0x11, &[0; 11]),
            v2(0x21, 0x21, &[0; 35]),
            v2(0x21, 0x31, &[0; 215]),
            v2(0x21, 0x11, &[0; 2_049]),
        ] {
            assert_eq!(fed(&header).0, Err(Malformed));
        }
    }

    #[test]
    fn every_beginning_of_a_header_asks_for_more() {
        let line = b"PROXY TCP6 2001:db8::1 ::1 1000 443\r\n";
        for header in [&line[..], &v2(0x21, 0x11, &[1; 20])] {
            for len in 0..header.len() {
                let progress = parse(&header[..len]);
                assert!(matches!(progress, Ok(Progress::Needs(more)) if more <= header.len() - len), "{len}");
            }
        }
    }
}
