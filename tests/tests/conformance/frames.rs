//! Frames, beyond what the Autobahn suite sends: above all *when* a rule that is broken is noticed.

use crate::report::Level::{May, Must, Should};
use crate::script::Script;
use peerpigeon_tests::websocket::{close_payload, frame, opcode};

pub(crate) fn all() -> Vec<Script> {
    [
        masks(),
        first_bytes(),
        lengths(),
        controls(),
        fragments(),
        utf8_cut_everywhere(),
        utf8_fails_fast(),
        sizes(),
        close_frames(),
        closed_by_the_server(),
        segments(),
    ]
    .concat()
}

const FINAL_TEXT: u8 = 0x80 | opcode::TEXT;

fn masks() -> Vec<Script> {
    let case = |level, what: &str| Script::new("RFC 6455 5.1", level, what);
    let masked = |key: [u8; 4], payload: &[u8]| {
        let masked = payload.iter().zip(key.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        let length = 0x80 | u8::try_from(payload.len()).expect("a short payload");
        [vec![0x80 | opcode::PING, length], key.to_vec(), masked.collect()].concat()
    };
    let mut cases = vec![
        case(Must, "an unmasked text").raw([FINAL_TEXT, 2, b'h', b'i']).fails(1002),
        case(Must, "an unmasked text of nothing").raw([FINAL_TEXT, 0]).fails(1002),
        case(Must, "an unmasked text, of which only two bytes came").raw([FINAL_TEXT, 100]).fails(1002),
        case(Must, "an unmasked ping").raw([0x80 | opcode::PING, 0]).fails(1002),
        case(Must, "an unmasked close frame").raw([0x80 | opcode::CLOSE, 2, 3, 0xe8]).fails(1002),
        case(Must, "an unmasked text after a masked one").text("hello").raw([FINAL_TEXT, 0]).fails(1002),
        case(Must, "an unmasked fragment after a masked one").first("hello").raw([0x80, 0]).fails(1002),
    ];
    for (what, key) in [
        ("a mask of zeros", [0, 0, 0, 0]),
        ("a mask of ones", [0xff; 4]),
        ("a mask of different bytes", [1, 2, 3, 4]),
    ] {
        let section = "RFC 6455 5.3";
        for payload in ["", "a", "abc", "abcde", "abcdefghijk"] {
            let what = format!("{what}, {} bytes", payload.len());
            let script = Script::new(section, Must, what).raw(masked(key, payload.as_bytes()));
            cases.push(script.pong(payload));
        }
    }
    cases
}

/// What the first byte of a frame shows is refused when the first byte has come.
fn first_bytes() -> Vec<Script> {
    let case = |what: String, byte: u8| Script::new("RFC 6455 5.2", Must, what).raw([byte]).fails(1002);
    let bits = (1..8_u8)
        .map(|bits| case(format!("reserved bits {bits}, one byte"), 0x80 | bits << 4 | opcode::TEXT));
    let codes = (3..8_u8).chain(11..16).flat_map(|code| {
        [0, 0x80].map(|fin| case(format!("opcode {code}, FIN {}, one byte", fin >> 7), fin | code))
    });
    let split = [opcode::CLOSE, opcode::PING, opcode::PONG].map(|code| {
        Script::new("RFC 6455 5.5", Must, format!("opcode {code} without FIN, one byte"))
            .raw([code])
            .fails(1002)
    });
    let nothing = Script::new("RFC 6455 5.4", Must, "a continuation of nothing, its header")
        .raw([0x80, 0x85, 1, 2, 3, 4])
        .fails(1002);
    let within = Script::new("RFC 6455 5.4", Must, "a text within a text, its header")
        .first("hello")
        .raw([FINAL_TEXT, 0x85, 1, 2, 3, 4])
        .fails(1002);
    bits.chain(codes).chain(split).chain([nothing, within]).collect()
}

/// Lengths that are not minimal, as soon as their bytes show it.
fn lengths() -> Vec<Script> {
    let case = |what: &str| Script::new("RFC 6455 5.2", Must, what);
    vec![
        case("a length of 0 in 16 bits, no byte more").raw([FINAL_TEXT, 0xfe, 0, 0]).fails(1002),
        case("a length of 1 in 16 bits, no byte more").raw([FINAL_TEXT, 0xfe, 0, 1]).fails(1002),
        case("a length of 125 in 16 bits, no byte more").raw([FINAL_TEXT, 0xfe, 0, 125]).fails(1002),
        case("a length of 5 in 16 bits, the whole frame")
            .raw([FINAL_TEXT, 0xfe, 0, 5, 0, 0, 0, 0, b'h', b'e', b'l', b'l', b'o'])
            .fails(1002),
        case("a length of 126 in 16 bits").text([b'x'; 126]),
        case("a length below 65536 in 64 bits, its first six bytes")
            .raw([FINAL_TEXT, 0xff, 0, 0, 0, 0, 0, 0])
            .fails(1002),
        case("a length of 65535 in 64 bits")
            .raw([FINAL_TEXT, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff])
            .fails(1002),
        case("a length of 125 in 64 bits").raw([FINAL_TEXT, 0xff, 0, 0, 0, 0, 0, 0, 0, 125]).fails(1002),
        case("a length of 65536 in 64 bits").text(vec![b'x'; 0x1_0000]),
        case("the top bit of a length, its first byte").raw([FINAL_TEXT, 0xff, 0x80]).fails(1002),
        case("all bits of a length").raw([FINAL_TEXT, 0xff, 0xff, 0xff]).fails(1002),
        case("a continuation whose length is not minimal").first("hello").raw([0x80, 0xfe, 0, 1]).fails(1002),
    ]
}

fn controls() -> Vec<Script> {
    let case = |what: &str| Script::new("RFC 6455 5.5", Must, what);
    let between = |what: &str| Script::new("RFC 6455 5.4", Must, what);
    let mut cases = vec![
        case("a ping of 126 bytes, its second byte").raw([0x80 | opcode::PING, 0xfe]).fails(1002),
        case("a pong of 65536 bytes, its second byte").raw([0x80 | opcode::PONG, 0xff]).fails(1002),
        case("a close frame of 126 bytes, its second byte").raw([0x80 | opcode::CLOSE, 0xfe]).fails(1002),
        case("a pong of 125 bytes").frame(0x80 | opcode::PONG, [0xff; 125]),
        between("pings between all fragments")
            .first("a")
            .ping("1")
            .middle("b")
            .ping("2")
            .last("c")
            .echo(b"abc"),
        between("pings in a row between fragments")
            .first("a")
            .ping("1")
            .ping("2")
            .ping("3")
            .last("b")
            .echo(b"ab"),
        between("a pong between fragments").first("a").frame(0x80 | opcode::PONG, "x").last("b").echo(b"ab"),
        between("a ping before the first fragment and behind the last")
            .ping("1")
            .fragments(&["a", "b"])
            .ping("2"),
        between("a long ping within a character")
            .first(&"\u{20ac}a".as_bytes()[..2])
            .ping([0xff; 125])
            .last(&"\u{20ac}a".as_bytes()[2..])
            .echo("\u{20ac}a".as_bytes()),
    ];
    for code in [opcode::PING, opcode::PONG, opcode::CLOSE] {
        let what = format!("a text in one frame within a frame of opcode {code} that is split");
        cases.push(case(&what).frame(code, "").silent_text("hello").fails(1002));
    }
    cases
}

fn fragments() -> Vec<Script> {
    let case = |what: &str| Script::new("RFC 6455 5.4", Must, what);
    let hundred = ["x"; 100];
    vec![
        case("a hundred fragments").fragments(&hundred),
        case("a hundred fragments of nothing").fragments(&[""; 100]),
        case("a binary message in two fragments")
            .frame_first(opcode::BINARY, "hel")
            .last("lo")
            .echo(b"hello"),
        case("two messages in fragments, one after the other").fragments(&["a", "b"]).fragments(&["c", "d"]),
        case("a fragment, then a binary message").first("a").frame(0x80 | opcode::BINARY, "b").fails(1002),
        case("a fragment, then the first fragment of another")
            .first("a")
            .frame(opcode::TEXT, "b")
            .fails(1002),
        case("a last fragment twice").fragments(&["a", "b"]).frame(0x80, "c").fails(1002),
        case("fragments of 1 to 300 bytes")
            .fragments(&[1, 2, 124, 125, 126, 127, 128, 300].map(|size| "x".repeat(size))),
    ]
}

/// One character of each length, and where two of them meet.
const CHARACTERS: [&str; 5] =
    ["a\u{e9}b", "\u{20ac}", "\u{10348}", "\u{e9}\u{20ac}\u{10348}", "\u{10ffff}\u{7f}\u{ffff}"];

fn utf8_cut_everywhere() -> Vec<Script> {
    let cut = |text: &'static str, at: usize| {
        let what = format!("{} cut behind byte {at}", text.escape_unicode());
        let (head, tail) = text.as_bytes().split_at(at);
        Script::new("RFC 6455 5.6", Must, what).fragments(&[head, tail])
    };
    CHARACTERS.into_iter().flat_map(|text| (1..text.len()).map(move |at| cut(text, at))).collect()
}

/// What can be UTF-8 is waited for; the byte that cannot is refused at once, in a frame that never ends.
fn utf8_fails_fast() -> Vec<Script> {
    let broken: [(&str, &[u8], &[u8]); 14] = [
        ("a continuation byte at the start", b"", b"\x80"),
        ("an overlong start", b"", b"\xc0"),
        ("the other overlong start", b"", b"\xc1"),
        ("a start beyond the last", b"", b"\xf5"),
        ("no byte of UTF-8", b"", b"\xff"),
        ("two bytes, broken at the second", b"\xc3", b"("),
        ("three bytes, overlong at the second", b"\xe0", b"\x9f"),
        ("a surrogate at the second", b"\xed", b"\xa0"),
        ("three bytes, broken at the third", b"\xe2\x82", b"("),
        ("four bytes, overlong at the second", b"\xf0", b"\x8f"),
        ("four bytes, beyond the last at the second", b"\xf4", b"\x90"),
        ("four bytes, broken at the third", b"\xf0\x90", b"("),
        ("four bytes, broken at the fourth", b"\xf0\x90\x8d", b"("),
        ("a character after half of another", b"\xe2\x82", b"\xc3"),
    ];
    let case = |what: String| Script::new("RFC 6455 8.1", Must, what);
    let mut cases = Vec::new();
    for (what, good, bad) in broken {
        let both = [good, bad].concat();
        cases.push(case(format!("{what}, in half a frame")).beginning(&both, 100).fails(1007));
        // The pong shows that the first fragment was accepted.
        let script = case(format!("{what}, in the second fragment")).first(good).ping("still there?");
        cases.push(script.beginning_of_last(bad, 100).fails(1007));
    }
    for (what, bytes) in [
        ("a text that ends within two bytes", &b"\xc3"[..]),
        ("a text that ends within three bytes", b"\xe2\x82"),
        ("a text that ends within four bytes", b"\xf0\x90\x8d"),
    ] {
        cases.push(case(what.to_owned()).silent_text(bytes).fails(1007));
        cases.push(
            case(format!("{what}, in two fragments")).silent_fragments(&[&b"a"[..], bytes]).fails(1007),
        );
    }
    let section = "RFC 6455 5.6";
    cases.push(Script::new(section, May, "a binary message that is UTF-8").binary("\u{20ac}"));
    cases.push(
        Script::new(section, May, "a binary message that is not UTF-8")
            .binary_without_text([0xff])
            .text("hello"),
    );
    cases.push(Script::new(section, Must, "a ping that is not UTF-8").ping([0xff, 0xfe]));
    cases
}

/// The limit of both subjects.
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

fn sizes() -> Vec<Script> {
    let case = |level, what: &str| Script::new("RFC 6455 10.4", level, what);
    let half = vec![b'x'; MAX_MESSAGE_BYTES / 2];
    let over = u64::try_from(MAX_MESSAGE_BYTES + 1).expect("it fits").to_be_bytes();
    let header = [&[FINAL_TEXT, 0xff][..], &over, &[1, 2, 3, 4]].concat();
    vec![
        // What surrounds the payload counts, too.
        case(May, "a message of nearly the longest size").text(vec![b'x'; MAX_MESSAGE_BYTES - 100]),
        case(May, "a header that promises a byte too much").raw(header).fails(1009),
        case(May, "a header that promises 2^62 bytes")
            .raw([FINAL_TEXT, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])
            .fails(1009),
        case(May, "a header that promises 2^63 - 1 bytes")
            .raw([FINAL_TEXT, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4])
            .fails(1009),
        case(May, "a fragment that makes a message too long, its header")
            .first(&half)
            .middle(&half[..half.len() - 100])
            .raw([0x80, 0xfe, 0, 200, 1, 2, 3, 4])
            .fails(1009),
        case(May, "a binary message that is too long")
            .raw([0x80 | opcode::BINARY, 0xff, 0, 0, 0, 0, 0x10, 0, 0, 0, 1, 2, 3, 4])
            .fails(1009),
    ]
}

fn close_frames() -> Vec<Script> {
    let case = |what: String| Script::new("RFC 6455 5.5.1", Must, what);
    let code = |code: u16| Script::new("RFC 6455 7.4.1", Must, format!("close code {code}")).close(code, "");
    let registered = |code: u16| {
        let what = format!("close code {code} of the registry");
        Script::new("RFC 6455 7.4.2", May, what).close(code, "").closed(Some(code))
    };
    let mut cases = vec![
        code(1).fails(1002),
        code(1015).fails(1002),
        registered(1012),
        registered(1013),
        registered(1014),
        code(3500).closed(Some(3500)),
        case("a close frame in the middle of a message".to_owned())
            .first("hello")
            .close(1001, "")
            .closed(Some(1001)),
        case("a close frame after a ping".to_owned()).ping("x").close(1000, "").closed(Some(1000)),
        case("a reason with characters of all lengths".to_owned())
            .close(1000, "a\u{e9}\u{20ac}\u{10348}")
            .closed(Some(1000)),
        case("a reason that ends within a character".to_owned())
            .frame(0x80 | opcode::CLOSE, [&1000_u16.to_be_bytes()[..], b"\xe2\x82"].concat())
            .fails(1007),
        case("a reason with a surrogate".to_owned())
            .frame(0x80 | opcode::CLOSE, [&1000_u16.to_be_bytes()[..], b"\xed\xa0\x80"].concat())
            .fails(1007),
        case("a close code of one byte after a text".to_owned())
            .text("hello")
            .frame(0x80 | opcode::CLOSE, [3])
            .fails(1002),
    ];
    cases.push(
        Script::new("RFC 6455 1.4", Should, "garbage behind the close frame")
            .close(1000, "")
            .raw([0xff; 200])
            .perhaps_by_reset()
            .closed(Some(1000)),
    );
    cases
}

/// The other direction: the server begins, the client answers.
fn closed_by_the_server() -> Vec<Script> {
    let case = |what: &str| {
        let script = Script::new("RFC 6455 7.1.2", Must, what).with_target("/?peerId=nobody");
        script.closed_by_server(1008)
    };
    let flood = frame(opcode::TEXT, &[b'x'; 1000]).repeat(50);
    vec![
        case("the client echoes the code").close(1008, "").ends(),
        case("the client answers with another code").close(1000, "bye").ends(),
        case("the client answers without a code").frame(0x80 | opcode::CLOSE, "").ends(),
        case("the client sends on before it answers").raw(flood).close(1008, "").ends(),
        case("the client pings before it answers").frame(0x80 | opcode::PING, "x").close(1008, "").ends(),
        case("the client answers in the middle of a message").frame(opcode::TEXT, "x").close(1008, "").ends(),
        case("the client answers with a broken frame").raw([0xff, 0xff, 0xff]).ends(),
        case("the client answers with a code that must not be sent").close(1005, "").ends(),
        case("the client answers byte by byte and sends on")
            .close(1008, "")
            .silent_text("x")
            .perhaps_by_reset()
            .ends(),
    ]
}

/// Segments and frames are two things.
fn segments() -> Vec<Script> {
    let case = |what: &str| Script::new("RFC 6455 5.4", Must, what);
    let many = (0..50).fold(case("fifty texts and pings in one segment"), |script, i| {
        script.text(format!("text {i}")).ping(format!("ping {i}"))
    });
    let cut = (1..20).fold(case("texts of 1 to 2^16 bytes in one segment"), |script, i| {
        script.text("x".repeat(1 << (i % 17)))
    });
    let close = [&frame(opcode::PING, b"x")[..], &frame(opcode::CLOSE, &close_payload(1000, ""))].concat();
    vec![many, cut, case("a ping and a close frame in one segment").raw(close).pong("x").closed(Some(1000))]
}
