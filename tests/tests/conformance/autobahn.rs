//! The cases of the published Autobahn test suite, groups 1 to 7 and 10, by number.
//!
//! Written from its published descriptions and RFC 6455; every case is delivered in all ways, not only in the one
//! that its number stands for. Two things are answered differently here than the suite expects:
//!
//! * 1.2.2 to 1.2.8 send binary messages that are not UTF-8. Everything here is JSON text, so these are refused as any
//!   other message that is none, and the same sizes are sent as UTF-8 besides.
//! * 7.13.1 and 7.13.2, close codes that the RFC leaves open, fail with 1002.

use crate::report::Level::{self, May, Must, Should};
use crate::script::Script;
use peerpigeon_tests::websocket::opcode;

/// How many there are.
pub(crate) const CASES: usize = 247;

pub(crate) fn all() -> Vec<Script> {
    let groups = [
        messages(),
        pings(),
        reserved_bits(),
        opcodes(),
        fragmentation(),
        utf8_by_fragment(),
        utf8_by_sequence(),
        closing(),
        close_payloads(),
        close_codes(),
    ];
    let mut cases = groups.concat();
    let pieces: Vec<&[u8]> = STARS[..0x1_0000].chunks(1300).collect();
    cases.push(case("10.1.1", "RFC 6455 5.4", Must, "64 KiB in fragments of 1300 bytes").fragments(&pieces));
    cases
}

fn case(number: &str, section: &'static str, level: Level, what: &str) -> Script {
    let mut script = Script::new(section, level, format!("{number}: {what}"));
    script.label.is_of_the_suite = true;
    script
}

const SIZES: [usize; 8] = [0, 125, 126, 127, 128, 0xffff, 0x1_0000, 0x1_0000];
static STARS: [u8; 0x1_0000] = [b'*'; 0x1_0000];

/// Group 1.
fn messages() -> Vec<Script> {
    let texts = SIZES.iter().enumerate().map(|(i, size)| {
        let what = format!("a text of {size} bytes");
        case(&format!("1.1.{}", i + 1), "RFC 6455 5.6", Must, &what).text(&STARS[..*size])
    });
    let binaries = SIZES.iter().enumerate().map(|(i, size)| {
        let what = format!("a binary message of {size} bytes, as UTF-8 and not");
        let script = case(&format!("1.2.{}", i + 1), "RFC 6455 5.6", Must, &what).binary(&STARS[..*size]);
        if *size == 0 {
            return script;
        }
        script.binary_without_text(vec![0xfe; *size])
    });
    texts.chain(binaries).collect()
}

/// Group 2.
fn pings() -> Vec<Script> {
    let ping = |number, level, what| case(number, "RFC 6455 5.5.2", level, what);
    let pong = |number, what| case(number, "RFC 6455 5.5.3", Must, what);
    let binary = [0, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0, 0xff];
    let ten = |script: Script| (0..10).fold(script, |script, i| script.ping(format!("payload {i}")));
    vec![
        ping("2.1", Must, "a ping without payload").ping(""),
        ping("2.2", Must, "a ping with text").ping("Hello, world!"),
        ping("2.3", Must, "a ping with bytes that are not UTF-8").ping(binary),
        ping("2.4", Must, "a ping of 125 bytes").ping([0xfe; 125]),
        case("2.5", "RFC 6455 5.5", Must, "a ping of 126 bytes")
            .frame(0x80 | opcode::PING, [0xfe; 126])
            .fails(1002),
        ping("2.6", Must, "a ping of 125 bytes, byte by byte").ping([0xfe; 125]),
        pong("2.7", "a pong that nobody asked for").frame(0x80 | opcode::PONG, ""),
        pong("2.8", "one with a payload").frame(0x80 | opcode::PONG, "unsolicited"),
        pong("2.9", "one with a payload, then a ping")
            .frame(0x80 | opcode::PONG, "unsolicited")
            .ping("asked for"),
        ten(ping("2.10", May, "ten pings")),
        ten(ping("2.11", May, "ten pings, byte by byte")),
    ]
}

/// Group 3.
fn reserved_bits() -> Vec<Script> {
    let rsv = |number, what| case(number, "RFC 6455 5.2", Must, what);
    let first = |bits: u8, opcode: u8| 0x80 | bits << 4 | opcode;
    let after_text = |script: Script, bits| {
        let script = script.text("Hello, world!").frame(first(bits, opcode::TEXT), "Hello, world!");
        script.frame(0x80 | opcode::PING, "").fails(1002)
    };
    vec![
        rsv("3.1", "a text with reserved bits 1").frame(first(1, opcode::TEXT), "Hello, world!").fails(1002),
        after_text(rsv("3.2", "a text, one with reserved bits 2, a ping"), 2),
        after_text(rsv("3.3", "a text, one with reserved bits 3, a ping"), 3),
        after_text(rsv("3.4", "a text, one with reserved bits 4, a ping"), 4),
        rsv("3.5", "a binary message with reserved bits 5")
            .frame(first(5, opcode::BINARY), [0, 0xff])
            .fails(1002),
        rsv("3.6", "a ping with reserved bits 6").frame(first(6, opcode::PING), "Hello, world!").fails(1002),
        rsv("3.7", "a close frame with reserved bits 7").frame(first(7, opcode::CLOSE), "").fails(1002),
    ]
}

/// Group 4.
fn opcodes() -> Vec<Script> {
    let reserved = |group: u8, first: u8| {
        (0..5).map(move |i| {
            let code = first + i;
            let what = format!("opcode {code}");
            let script = case(&format!("4.{group}.{}", i + 1), "RFC 6455 5.2", Must, &what);
            let script = if i < 2 { script } else { script.text("Hello, world!") };
            // The first and the third without a payload.
            let payload = if matches!(i, 0 | 2) { "" } else { "Hello, world!" };
            let script = script.frame(0x80 | code, payload);
            let script = if i < 2 { script } else { script.frame(0x80 | opcode::PING, "") };
            script.fails(1002)
        })
    };
    reserved(1, 3).chain(reserved(2, 11)).collect()
}

/// Group 5.
fn fragmentation() -> Vec<Script> {
    const PARTS: [&str; 2] = ["fragment1", "fragment2"];
    let control = |number, what| case(number, "RFC 6455 5.5", Must, what);
    let data = |number: &str, what: &str| case(number, "RFC 6455 5.4", Must, what);
    let mut cases = vec![
        control("5.1", "a ping in two fragments").frame(opcode::PING, PARTS[0]).fails(1002),
        control("5.2", "a pong in two fragments").frame(opcode::PONG, PARTS[0]).fails(1002),
    ];
    for (number, how) in [("5.3", "at once"), ("5.4", "frame by frame"), ("5.5", "byte by byte")] {
        cases.push(data(number, &format!("a text in two fragments, {how}")).fragments(&PARTS));
    }
    for (number, how) in [("5.6", "at once"), ("5.7", "frame by frame"), ("5.8", "byte by byte")] {
        let what = format!("a text in two fragments and a ping between them, {how}");
        let script = data(number, &what).first(PARTS[0]).ping("ping").last(PARTS[1]);
        cases.push(script.echo(PARTS.concat().as_bytes()));
    }
    let nothing_to_continue = |number, fin: u8, how| {
        let what = format!("a continuation of nothing, FIN {fin}, then a text, {how}");
        let script = data(number, &what).frame(fin << 7 | opcode::CONTINUATION, "continues nothing");
        script.silent_text("Hello, world!").fails(1002)
    };
    for (fin, numbers) in [(1, ["5.9", "5.10", "5.11"]), (0, ["5.12", "5.13", "5.14"])] {
        for (number, how) in numbers.into_iter().zip(["at once", "frame by frame", "byte by byte"]) {
            cases.push(nothing_to_continue(number, fin, how));
        }
    }
    cases.extend([
        data("5.15", "a text in two fragments, then a continuation of nothing, then a text")
            .fragments(&PARTS)
            .frame(opcode::CONTINUATION, "fragment3")
            .silent_text("fragment4")
            .fails(1002),
        data("5.16", "twice: a continuation of nothing, then a text in two fragments")
            .frame(opcode::CONTINUATION, "fragment1")
            .silent_fragments(&PARTS)
            .frame(opcode::CONTINUATION, "fragment1")
            .silent_fragments(&PARTS)
            .fails(1002),
        data("5.17", "twice: a final continuation of nothing, then a text in two fragments")
            .frame(0x80 | opcode::CONTINUATION, "fragment1")
            .silent_fragments(&PARTS)
            .frame(0x80 | opcode::CONTINUATION, "fragment1")
            .silent_fragments(&PARTS)
            .fails(1002),
        data("5.18", "a text in two fragments that both say text")
            .first(PARTS[0])
            .frame(0x80 | opcode::TEXT, PARTS[1])
            .fails(1002),
    ]);
    for (number, how) in [("5.19", "pings answered before it goes on"), ("5.20", "frame by frame")] {
        let what = format!("a text in five fragments, pings after the second and the fourth, {how}");
        let script = data(number, &what).first("fragment1").middle("fragment2").ping("pongme 1!");
        let script = script.middle("fragment3").middle("fragment4").ping("pongme 2!").last("fragment5");
        cases.push(script.echo(b"fragment1fragment2fragment3fragment4fragment5"));
    }
    cases
}

/// Groups 6.1 to 6.4.
fn utf8_by_fragment() -> Vec<Script> {
    const MIXED: &str = "Hello-µ@ßöäüàá-UTF-8!!";
    const GREEK: &str = "κ\u{1f79}σμε";
    let text = |number, what| case(number, "RFC 6455 5.6", Must, what);
    let invalid = |number, level, what| case(number, "RFC 6455 8.1", level, what);
    let bytes = |text: &'static [u8]| text.chunks(1).collect::<Vec<_>>();
    let (head, tail) = MIXED.split_at(MIXED.find('ü').expect("it is there"));
    let broken = &b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"[..];
    // U+110000, the first code point that does not exist: the second byte shows it.
    let beyond = &b"\xf4\x90\x80\x80"[..];
    vec![
        text("6.1.1", "an empty text").text(""),
        text("6.1.2", "three empty fragments").fragments(&["", "", ""]),
        text("6.1.3", "an empty fragment before and after one").fragments(&["", "middle", ""]),
        text("6.2.1", "UTF-8 in one frame").text(MIXED),
        text("6.2.2", "UTF-8 cut between two characters").fragments(&[head, tail]),
        text("6.2.3", "UTF-8 in fragments of one byte").fragments(&bytes(MIXED.as_bytes())),
        text("6.2.4", "Greek in fragments of one byte").fragments(&bytes(GREEK.as_bytes())),
        invalid("6.3.1", Must, "a surrogate in one frame").silent_text(broken).fails(1007),
        invalid("6.3.2", Must, "a surrogate in fragments of one byte, to the second byte of it")
            .first(&broken[..1])
            .silent_middles(&bytes(&broken[1..13]))
            .fails(1007),
        invalid("6.4.1", Should, "a fragment that is UTF-8, then one that is not; the last is never sent")
            .first(GREEK)
            .middle(beyond)
            .fails(1007),
        invalid("6.4.2", Should, "a fragment that can go on as UTF-8, then the byte that cannot")
            .first([GREEK.as_bytes(), &beyond[..1]].concat())
            .middle(&beyond[1..2])
            .fails(1007),
        invalid("6.4.3", Should, "a frame that is cut behind what is not UTF-8")
            .beginning([GREEK.as_bytes(), beyond].concat(), 6)
            .fails(1007),
        invalid("6.4.4", Should, "a frame that is cut at the byte that cannot be UTF-8")
            .beginning([GREEK.as_bytes(), &beyond[..2]].concat(), 8)
            .fails(1007),
    ]
}

/// Groups 6.5 to 6.23: one text in one frame each. The sequences follow Markus Kuhn's UTF-8 stress test.
fn utf8_by_sequence() -> Vec<Script> {
    const GREEK: &[u8] = "κ\u{1f79}σμε".as_bytes();
    let joined = |parts: &[&[u8]]| parts.concat();
    let with_blanks = |first: u8, end: u8| (first..end).flat_map(|byte| [byte, b' ']).collect::<Vec<u8>>();
    let prefixes = (1..=GREEK.len()).map(|len| GREEK[..len].to_vec()).collect::<Vec<_>>();
    let unfinished: [&[u8]; 10] = [
        b"\xc0",
        b"\xe0\x80",
        b"\xf0\x80\x80",
        b"\xf8\x80\x80\x80",
        b"\xfc\x80\x80\x80\x80",
        b"\xdf",
        b"\xef\xbf",
        b"\xf7\xbf\xbf",
        b"\xfb\xbf\xbf\xbf",
        b"\xfd\xbf\xbf\xbf\xbf",
    ];
    let surrogates: [&[u8]; 7] = [
        b"\xed\xa0\x80",
        b"\xed\xad\xbf",
        b"\xed\xae\x80",
        b"\xed\xaf\xbf",
        b"\xed\xb0\x80",
        b"\xed\xbe\x80",
        b"\xed\xbf\xbf",
    ];
    let pairs = surrogates[..4]
        .iter()
        .flat_map(|high| [surrogates[4], surrogates[6]].map(|low| [*high, low].concat()));
    let continuations: [&[u8]; 2] = [b"\x80", b"\xbf"];
    let lonely = (1..=6).map(|count| (0..count).flat_map(|i| continuations[i % 2].to_vec()).collect());
    let mut lonely: Vec<Vec<u8>> =
        [b"\x80".to_vec(), b"\xbf".to_vec()].into_iter().chain(lonely.skip(1)).collect();
    lonely.push((0x80..0xbf).collect());
    let mut non_characters = strings(&["\u{fffe}", "\u{ffff}"]);
    for plane in 1..=16 {
        for last in [0xfffe, 0xffff] {
            let character = char::from_u32(plane << 16 | last).expect("not a surrogate");
            non_characters.push(character.to_string().into_bytes());
        }
    }
    let groups: [(u8, &str, Vec<Vec<u8>>); 19] = [
        (
            5,
            "some valid text",
            strings(&["hello$world", "hello¢world", "hello€world", "hello𤭢world", "κ\u{1f79}σμε"]),
        ),
        (6, "a prefix of valid text", prefixes),
        (7, "the first sequence of its length", strings(&["\0", "\u{80}", "\u{800}", "\u{10000}"])),
        (
            8,
            "the first sequence of five or six bytes",
            owned(&[b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"]),
        ),
        (9, "the last sequence of its length", strings(&["\u{7f}", "\u{7ff}", "\u{ffff}", "\u{10ffff}"])),
        (
            10,
            "the last sequence of four to six bytes",
            owned(&[b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"]),
        ),
        (
            11,
            "a boundary",
            owned(&[
                b"\xed\x9f\xbf",
                b"\xee\x80\x80",
                b"\xef\xbf\xbd",
                b"\xf4\x8f\xbf\xbf",
                b"\xf4\x90\x80\x80",
            ]),
        ),
        (12, "continuation bytes alone", lonely),
        (
            13,
            "start bytes alone",
            [(0xc0, 0xdf), (0xe0, 0xef), (0xf0, 0xf7), (0xf8, 0xfb), (0xfc, 0xfd)]
                .map(|(first, end)| with_blanks(first, end))
                .to_vec(),
        ),
        (14, "a sequence without its last byte", owned(&unfinished)),
        (15, "all of these in a row", vec![joined(&unfinished)]),
        (16, "impossible bytes", owned(&[b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"])),
        (
            17,
            "an overlong slash",
            owned(&[
                b"\xc0\xaf",
                b"\xe0\x80\xaf",
                b"\xf0\x80\x80\xaf",
                b"\xf8\x80\x80\x80\xaf",
                b"\xfc\x80\x80\x80\x80\xaf",
            ]),
        ),
        (
            18,
            "the longest overlong sequence",
            owned(&[
                b"\xc1\xbf",
                b"\xe0\x9f\xbf",
                b"\xf0\x8f\xbf\xbf",
                b"\xf8\x87\xbf\xbf\xbf",
                b"\xfc\x83\xbf\xbf\xbf\xbf",
            ]),
        ),
        (
            19,
            "an overlong NUL",
            owned(&[
                b"\xc0\x80",
                b"\xe0\x80\x80",
                b"\xf0\x80\x80\x80",
                b"\xf8\x80\x80\x80\x80",
                b"\xfc\x80\x80\x80\x80\x80",
            ]),
        ),
        (20, "a surrogate", owned(&surrogates)),
        (21, "a pair of surrogates", pairs.collect()),
        (22, "a character that is none", non_characters),
        (
            23,
            "a special character",
            strings(&["\u{fff9}", "\u{fffa}", "\u{fffb}", "\u{fffc}", "\u{fffd}", "\u{fffe}", "\u{ffff}"]),
        ),
    ];
    groups
        .into_iter()
        .flat_map(|(group, what, payloads)| {
            payloads.into_iter().enumerate().map(move |(i, payload)| {
                let number = format!("6.{group}.{}", i + 1);
                if std::str::from_utf8(&payload).is_ok() {
                    case(&number, "RFC 6455 5.6", Must, what).text(payload)
                } else {
                    case(&number, "RFC 6455 8.1", Must, what).silent_text(payload).fails(1007)
                }
            })
        })
        .collect()
}

/// Group 7.1.
fn closing() -> Vec<Script> {
    let case = |number, what| case(number, "RFC 6455 5.5.1", Must, what);
    let (filler, rest) = ("BAsd7&jh23".repeat(26_214), "BAsd");
    vec![
        case("7.1.1", "a text, then a close frame").text("Hello World!"),
        case("7.1.2", "two close frames")
            .close(1000, "")
            .frame(0x80 | opcode::CLOSE, "")
            .perhaps_by_reset()
            .closed(Some(1000)),
        case("7.1.3", "a ping after the close frame")
            .close(1000, "")
            .frame(0x80 | opcode::PING, "")
            .perhaps_by_reset()
            .closed(Some(1000)),
        case("7.1.4", "a text after the close frame")
            .close(1000, "")
            .silent_text("Hello World!")
            .perhaps_by_reset()
            .closed(Some(1000)),
        case("7.1.5", "a close frame between two fragments")
            .first("fragment1")
            .close(1000, "")
            .last("fragment2")
            .perhaps_by_reset()
            .closed(Some(1000)),
        case("7.1.6", "256 KiB, a text, a close frame, a ping")
            .text([filler, rest.to_owned()].concat())
            .text("Hello World!")
            .close(1000, "")
            .frame(0x80 | opcode::PING, "")
            .perhaps_by_reset()
            .closed(Some(1000)),
    ]
}

/// Groups 7.3 and 7.5.
fn close_payloads() -> Vec<Script> {
    let case = |number, what| case(number, "RFC 6455 5.5.1", Must, what);
    let broken_reason = [&1000_u16.to_be_bytes()[..], b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80edited"].concat();
    vec![
        case("7.3.1", "a close frame without payload").frame(0x80 | opcode::CLOSE, "").closed(None),
        case("7.3.2", "a close frame of one byte").frame(0x80 | opcode::CLOSE, "a").fails(1002),
        case("7.3.3", "a close frame with a code").close(1000, "").closed(Some(1000)),
        case("7.3.4", "one with code and reason").close(1000, "Hello World!").closed(Some(1000)),
        case("7.3.5", "the longest reason").close(1000, &"*".repeat(123)).closed(Some(1000)),
        case("7.3.6", "a reason that is a byte too long").close(1000, &"*".repeat(124)).fails(1002),
        case("7.5.1", "a reason that is not UTF-8").frame(0x80 | opcode::CLOSE, broken_reason).fails(1007),
    ]
}

/// Groups 7.7, 7.9 and 7.13.
fn close_codes() -> Vec<Script> {
    let valid = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
    let valid = valid.into_iter().enumerate().map(|(i, code)| {
        let what = format!("close code {code}");
        case(&format!("7.7.{}", i + 1), "RFC 6455 7.4", Must, &what).close(code, "").closed(Some(code))
    });
    let invalid = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];
    let invalid = invalid.into_iter().enumerate().map(|(i, code)| {
        let what = format!("close code {code}");
        case(&format!("7.9.{}", i + 1), "RFC 6455 7.4", Must, &what).close(code, "").fails(1002)
    });
    let undefined = [5000, 65_535].into_iter().enumerate().map(|(i, code)| {
        let what = format!("close code {code}");
        case(&format!("7.13.{}", i + 1), "RFC 6455 7.4", May, &what).close(code, "").fails(1002)
    });
    valid.chain(invalid).chain(undefined).collect()
}

fn strings(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn owned(sequences: &[&[u8]]) -> Vec<Vec<u8>> {
    sequences.iter().map(|sequence| sequence.to_vec()).collect()
}
