//! The rules of RFC 6455, each with the bytes that keep or break it.

use crate::websocket::Violation::{self, *};
use crate::websocket::{Decoder, Found};
use proptest::prelude::*;

const LIMIT: usize = 70_000;
const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// What a decoder found, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>),
    Broken(Violation),
}

/// One masked frame, its length in the shortest form.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = match payload.len() {
        len @ 0..=125 => vec![u8::try_from(len).unwrap()],
        len @ 126..=65_535 => [&[126], &u16::try_from(len).unwrap().to_be_bytes()[..]].concat(),
        len => [&[127], &(len as u64).to_be_bytes()[..]].concat(),
    };
    framed(first, &length, payload)
}

/// One masked frame with these bytes of length.
fn framed(first: u8, length: &[u8], payload: &[u8]) -> Vec<u8> {
    let mask = [0x11, 0xa2, 0x33, 0xc4];
    let mut bytes = vec![first, length[0] | 0x80];
    bytes.extend_from_slice(&length[1..]);
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]));
    bytes
}

/// Feeds the pieces one after the other; stops at the first broken rule.
fn decode<'b>(pieces: impl IntoIterator<Item = &'b [u8]>) -> Vec<Seen> {
    let mut decoder = Decoder::default();
    let mut seen = Vec::new();
    for piece in pieces {
        let mut input = piece.to_vec();
        let mut at = 0;
        loop {
            seen.push(match decoder.next(&mut input, &mut at, LIMIT) {
                Ok(None) => break,
                Ok(Some(Found::Text(text))) => Seen::Text(text.to_owned()),
                Ok(Some(Found::Binary(bytes))) => Seen::Binary(bytes.to_vec()),
                Ok(Some(Found::Ping(payload))) => Seen::Ping(payload.to_vec()),
                Ok(Some(Found::Pong)) => Seen::Pong,
                Ok(Some(Found::Close(code))) => Seen::Close(code.map(u16::from)),
                Err(violation) => {
                    seen.push(Seen::Broken(violation));
                    return seen;
                }
            });
        }
        assert_eq!(at, input.len(), "all input is used up");
    }
    seen
}

fn text(text: &str) -> Seen {
    Seen::Text(text.to_owned())
}

/// What is seen must not depend on how the bytes are cut.
#[track_caller]
fn assert_seen(name: &str, bytes: &[u8], expected: &[Seen]) {
    assert_eq!(decode([bytes]), expected, "{name}, in one piece");
    assert_eq!(decode(bytes.chunks(1)), expected, "{name}, byte by byte");
    assert_eq!(decode(bytes.chunks(7)), expected, "{name}, seven bytes at a time");
}

/// A name, frames, and what they are understood as.
type Case<'a> = (&'a str, &'a [&'a [u8]], &'a [Seen]);

#[test]
fn what_is_allowed_is_understood() {
    let long = "ä".repeat(35_000);
    let cases: &[Case<'_>] = &[
        ("an empty text", &[&frame(FIN | TEXT, b"")], &[text("")]),
        ("a short text", &[&frame(FIN | TEXT, b"{}")], &[text("{}")]),
        ("125 bytes", &[&frame(FIN | TEXT, &[b'x'; 125])], &[text(&"x".repeat(125))]),
        ("126 bytes", &[&frame(FIN | TEXT, &[b'x'; 126])], &[text(&"x".repeat(126))]),
        ("65,535 bytes", &[&frame(FIN | TEXT, &[b'x'; 65_535])], &[text(&"x".repeat(65_535))]),
        ("65,536 bytes", &[&frame(FIN | TEXT, &[b'x'; 65_536])], &[text(&"x".repeat(65_536))]),
        ("the longest allowed", &[&frame(FIN | TEXT, long.as_bytes())], &[text(&long)]),
        ("binary that is text", &[&frame(FIN | BINARY, "ä€😀".as_bytes())], &[text("ä€😀")]),
        (
            "binary that is no text",
            &[&frame(FIN | BINARY, b"a\xc0\x80"), &frame(FIN | TEXT, b"b")],
            &[Seen::Binary(b"a\xc0\x80".to_vec()), text("b")],
        ),
        (
            "binary that is no text in fragments",
            &[&frame(BINARY, b"\xff"), &frame(FIN | PING, b""), &frame(FIN | CONTINUATION, b"a")],
            &[Seen::Ping(Vec::new()), Seen::Binary(b"\xffa".to_vec())],
        ),
        (
            "binary that ends within a character",
            &[&frame(BINARY, b"a"), &frame(FIN | CONTINUATION, b"\xe2\x82"), &frame(FIN | TEXT, b"b")],
            &[Seen::Binary(b"a\xe2\x82".to_vec()), text("b")],
        ),
        ("two frames", &[&frame(FIN | TEXT, b"1"), &frame(FIN | TEXT, b"2")], &[text("1"), text("2")]),
        ("a ping", &[&frame(FIN | PING, b"hi")], &[Seen::Ping(b"hi".to_vec())]),
        ("a ping of 125 bytes", &[&frame(FIN | PING, &[0xff; 125])], &[Seen::Ping(vec![0xff; 125])]),
        ("a pong nobody asked for", &[&frame(FIN | PONG, b"x")], &[Seen::Pong]),
        (
            "fragments",
            &[&frame(TEXT, b"a"), &frame(CONTINUATION, b"b"), &frame(FIN | CONTINUATION, b"c")],
            &[text("abc")],
        ),
        (
            "fragments without content",
            &[&frame(TEXT, b""), &frame(CONTINUATION, b""), &frame(FIN | CONTINUATION, b"")],
            &[text("")],
        ),
        (
            "control frames between fragments",
            &[
                &frame(BINARY, b"a"),
                &frame(FIN | PING, b"1"),
                &frame(FIN | PONG, b""),
                &frame(FIN | CONTINUATION, b"b"),
                &frame(FIN | TEXT, b"c"),
            ],
            &[Seen::Ping(b"1".to_vec()), Seen::Pong, text("ab"), text("c")],
        ),
        (
            "a character cut by a fragment",
            &[&frame(TEXT, &[0xe2, 0x82]), &frame(FIN | CONTINUATION, &[0xac])],
            &[text("€")],
        ),
        ("a close without a code", &[&frame(FIN | CLOSE, b"")], &[Seen::Close(None)]),
        ("a close", &[&frame(FIN | CLOSE, b"\x03\xe8bye")], &[Seen::Close(Some(1000))]),
    ];
    for (name, frames, expected) in cases {
        assert_seen(name, &frames.concat(), expected);
    }
}

#[test]
fn every_broken_rule_is_named() {
    let cases: &[(&str, &[u8], Violation)] = &[
        ("RSV1", &frame(FIN | 0x40 | TEXT, b"x"), ReservedBits),
        ("RSV2", &frame(FIN | 0x20 | TEXT, b"x"), ReservedBits),
        ("RSV3 of a ping", &frame(FIN | 0x10 | PING, b"x"), ReservedBits),
        ("no mask", &[FIN | TEXT, 1, b'x'], Unmasked),
        ("no mask and no payload", &[FIN | PING, 0], Unmasked),
        ("a ping in fragments", &frame(PING, b"x"), FragmentedControl),
        ("a close in fragments", &frame(CLOSE, b""), FragmentedControl),
        ("a ping of 126 bytes", &frame(FIN | PING, &[0; 126]), LongControl),
        ("a close of 65,536 bytes", &frame(FIN | CLOSE, &[0; 65_536]), LongControl),
        ("125 bytes in 16 bits", &framed(FIN | TEXT, &[126, 0, 125], &[b'x'; 125]), NonMinimalLength),
        ("0 bytes in 16 bits", &framed(FIN | TEXT, &[126, 0, 0], b""), NonMinimalLength),
        (
            "65,535 bytes in 64 bits",
            &framed(FIN | TEXT, &[127, 0, 0, 0, 0, 0, 0, 0xff, 0xff], &[]),
            NonMinimalLength,
        ),
        ("the top bit", &framed(FIN | TEXT, &[127, 0x80, 0, 0, 0, 0, 1, 0, 0], &[]), LengthTopBit),
        ("a continuation at the start", &frame(FIN | CONTINUATION, b"x"), NothingToContinue),
        (
            "a continuation after a whole message",
            &[frame(TEXT, b"a"), frame(FIN | CONTINUATION, b"b"), frame(FIN | CONTINUATION, b"c")].concat(),
            NothingToContinue,
        ),
        ("a message in a message", &[frame(TEXT, b"a"), frame(FIN | TEXT, b"b")].concat(), MessageInMessage),
        ("a close of one byte", &frame(FIN | CLOSE, &[3]), ShortClose),
        ("a close reason that is not UTF-8", &frame(FIN | CLOSE, b"\x03\xe8\xff"), CloseReason),
        ("text that is not UTF-8", &frame(FIN | TEXT, b"a\xffb"), NotUtf8),
        (
            "text that is not UTF-8 behind binary that is not",
            &[frame(FIN | BINARY, b"\xff"), frame(TEXT, b"a"), frame(FIN | CONTINUATION, b"\xff")].concat(),
            NotUtf8,
        ),
        ("a surrogate", &frame(FIN | TEXT, b"\xed\xa0\x80"), NotUtf8),
        ("text that ends in a character", &frame(FIN | TEXT, b"\xe2\x82"), NotUtf8),
        ("a message one byte too long", &frame(FIN | TEXT, &[b'x'; LIMIT + 1]), TooBig),
        (
            "fragments that are too long together",
            &[frame(TEXT, &[b'x'; LIMIT]), frame(FIN | CONTINUATION, b"x")].concat(),
            TooBig,
        ),
        ("a length beyond everything", &framed(FIN | TEXT, &[127, 0x7f, 0, 0, 0, 0, 0, 0, 0], &[]), TooBig),
    ];
    for (name, bytes, violation) in cases {
        let broken = Seen::Broken(*violation);
        for seen in [decode([*bytes]), decode(bytes.chunks(1)), decode(bytes.chunks(7))] {
            assert_eq!(seen.last(), Some(&broken), "{name}");
        }
    }
}

#[test]
fn every_opcode_without_a_meaning_is_refused() {
    for opcode in (3..8).chain(11..16) {
        assert_seen("opcode", &frame(FIN | opcode, b""), &[Seen::Broken(UnknownOpcode)]);
    }
}

#[test]
fn close_codes_are_accepted_as_section_7_4_says() {
    for code in
        [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999_u16]
    {
        assert_seen("close", &frame(FIN | CLOSE, &code.to_be_bytes()), &[Seen::Close(Some(code))]);
    }
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535_u16] {
        let broken = [Seen::Broken(Violation::CloseCode)];
        assert_seen("close", &frame(FIN | CLOSE, &code.to_be_bytes()), &broken);
    }
}

#[test]
fn a_broken_rule_shows_at_its_first_byte() {
    let text_of_9 = frame(FIN | TEXT, b"abcd\xf4\x90xyz");
    let cases: &[(&str, &[u8], usize, Violation)] = &[
        ("reserved bit", &frame(FIN | 0x40 | TEXT, b"x"), 1, ReservedBits),
        ("unknown opcode", &frame(FIN | 3, b"x"), 1, UnknownOpcode),
        ("fragmented ping", &frame(PING, b"x"), 1, FragmentedControl),
        ("no mask", &[FIN | TEXT, 1, b'x'], 2, Unmasked),
        ("long ping", &frame(FIN | PING, &[0; 126]), 2, LongControl),
        ("non-minimal 16 bits", &framed(FIN | TEXT, &[126, 0, 125], &[0; 125]), 4, NonMinimalLength),
        ("top bit", &framed(FIN | TEXT, &[127, 0x80, 0, 0, 0, 0, 0, 0, 0], &[]), 3, LengthTopBit),
        (
            "non-minimal 64 bits",
            &framed(FIN | TEXT, &[127, 0, 0, 0, 0, 0, 0, 1, 1], &[]),
            8,
            NonMinimalLength,
        ),
        // Section 8.1, and cases 6.4 of the Autobahn suite: U+110000 shows at its second byte.
        ("bad character in an incomplete frame", &text_of_9, 2 + 4 + 6, NotUtf8),
        ("over the limit", &frame(FIN | TEXT, &[0; LIMIT + 1]), 14, TooBig),
    ];
    for (name, bytes, shows_at, violation) in cases {
        assert_eq!(decode(bytes[..shows_at - 1].chunks(1)), [], "{name}: not before");
        assert_eq!(decode([&bytes[..*shows_at]]), [Seen::Broken(*violation)], "{name}: at once");
    }
}

#[test]
fn a_whole_message_is_handed_out_where_it_lies() {
    let mut input = frame(FIN | TEXT, b"in place");
    let range = input.as_ptr_range();
    let mut decoder = Decoder::default();
    let Ok(Some(Found::Text(text))) = decoder.next(&mut input, &mut 0, LIMIT) else { panic!("a text") };
    assert!(range.contains(&text.as_ptr()));
    assert_eq!(decoder.owned_bytes(), 0);
}

#[test]
fn memory_grows_with_what_has_come_and_not_with_what_is_promised() {
    let mut bytes = frame(FIN | TEXT, &[b'x'; 60_000]);
    bytes.truncate(100);
    let mut decoder = Decoder::default();
    assert_eq!(decoder.next(&mut bytes, &mut 0, LIMIT), Ok(None));
    assert!(decoder.owned_bytes() < 1000, "{}", decoder.owned_bytes());
    assert!(!decoder.is_idle());
}

#[test]
fn after_a_large_message_in_pieces_little_memory_is_left() {
    let bytes = frame(FIN | TEXT, &[b'x'; 60_000]);
    let mut decoder = Decoder::default();
    for piece in bytes.chunks(1000) {
        let mut at = 0;
        while let Ok(Some(_)) = decoder.next(&mut piece.to_vec(), &mut at, LIMIT) {}
    }
    assert!(decoder.is_idle());
    assert!(decoder.owned_bytes() < 8 * 1024, "{}", decoder.owned_bytes());
}

#[test]
fn a_decoder_that_saw_a_broken_rule_is_not_idle() {
    let bytes = frame(FIN | TEXT, b"left behind\xff");
    let mut decoder = Decoder::default();
    assert_eq!(decoder.next(&mut bytes[..10].to_vec(), &mut 0, LIMIT), Ok(None));
    assert_eq!(decoder.next(&mut bytes[10..].to_vec(), &mut 0, LIMIT), Err(NotUtf8));
    assert!(!decoder.is_idle());
}

/// Frames as a client might send them, most of them valid.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        8 => "[a-zé€😀]{0,40}".prop_map(String::into_bytes),
        2 => "[a-zé€😀]{100,300}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..10),
    ];
    let first = prop_oneof![
        6 => Just(FIN | TEXT),
        2 => Just(TEXT),
        2 => Just(BINARY),
        2 => Just(FIN | BINARY),
        2 => Just(CONTINUATION),
        3 => Just(FIN | CONTINUATION),
        2 => Just(FIN | PING),
        1 => Just(FIN | PONG),
        1 => Just(FIN | CLOSE),
        1 => any::<u8>(),
    ];
    (first, payload).prop_map(|(first, payload)| frame(first, &payload))
}

proptest! {
    #[test]
    fn how_the_bytes_are_cut_changes_nothing(
        frames in proptest::collection::vec(any_frame(), 0..12),
        cuts in proptest::collection::vec(1..200_usize, 1..40),
    ) {
        let bytes = frames.concat();
        let whole = decode([&bytes[..]]);
        prop_assert_eq!(&decode(bytes.chunks(1)), &whole);
        let mut rest = &bytes[..];
        let mut pieces = Vec::new();
        for cut in cuts.into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        prop_assert_eq!(&decode(pieces), &whole);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        decode([&bytes[..]]);
        decode(bytes.chunks(3));
    }
}
