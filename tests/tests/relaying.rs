//! Signals arrive as they were sent, in order, at the right peer and nowhere else.

use peerpigeon_tests::{Crowd, News, Peer, Server, id};
use serde::Deserialize;
use serde_json::value::RawValue;

/// `MAX_MESSAGE_SIZE` by default.
const MESSAGE_BYTES: usize = 1024 * 1024;

/// What a relayed signal must be, and nothing else.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Relayed<'a> {
    r#type: &'a str,
    #[serde(borrow)]
    data: &'a RawValue,
    from_peer_id: &'a str,
    target_peer_id: &'a str,
    network_name: &'a str,
    timestamp: u64,
}

fn parse(text: &str) -> Relayed<'_> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text:.200}"))
}

/// Sends `data` from one peer to another and asserts that it arrives byte for byte.
fn assert_arrives(from: &mut Peer, to: &mut Peer, data: &str) {
    from.signal("offer", to.id(), "global", data);
    let text = to.text();
    let got = parse(&text).data.get();
    assert!(got == data, "{data:.200} ({} bytes) came as {got:.200} ({} bytes)", data.len(), got.len());
}

#[test]
fn data_arrives_byte_for_byte_whatever_json_it_is() {
    let server = Server::start();
    let (mut a, mut b) = (Peer::connect(&server, &id::of('a')), Peer::connect(&server, &id::of('b')));
    for data in [
        // Escapes that mean the same are not the same bytes.
        r#""\u0041A\/\b\f\n\r\t\"\\\u00e9é\u2028""#,
        // Half a surrogate pair, both ways round, is allowed in JSON and has no UTF-8 form.
        r#""\ud800""#,
        r#"["\udc00\ud800","\uD83D\uDE00","\ud83d x"]"#,
        r#"{"\ud800":1,"\u0000":2}"#,
        // Numbers that no float holds.
        "[1e400,-1e400,1E+2,-0,-0.0,0.10,1.000000000000000000000000001]",
        "123456789012345678901234567890123456789012345678901234567890",
        "[9007199254740993,18446744073709551616,1e-400]",
        // Order of keys, duplicates, and what a client could want to smuggle.
        r#"{"z":1,"a":2,"z":3,"":4}"#,
        r#"{"type":"goodbye","fromPeerId":"x","targetPeerId":"y","networkName":"z","timestamp":0,"data":{}}"#,
        r#"{"__proto__":{"x":1},"constructor":null}"#,
        // Whitespace inside.
        "{\t\"a\" :\r\n [ 1 ,  2 ] }",
        "null",
        "true",
        "\"\"",
        "{}",
        "[]",
        "\"\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}\u{feff}\"",
    ] {
        assert_arrives(&mut a, &mut b, data);
        assert_arrives(&mut b, &mut a, data);
    }
}

#[test]
fn a_sessions_description_of_every_size_arrives() {
    let server = Server::start();
    let (mut a, mut b) = (Peer::connect(&server, &id::of('a')), Peer::connect(&server, &id::of('b')));
    // Around the lengths at which the header of a WebSocket frame changes, and powers of two.
    let envelope = 250;
    for size in (0..20)
        .chain([126 - 50, 65_536 - envelope])
        .flat_map(|n| [n, n + 1, n + 2])
        .chain((4..20).map(|n| 1 << n))
    {
        let data = format!("\"{}\"", "x".repeat(size));
        assert_arrives(&mut a, &mut b, &data);
    }
}

#[test]
fn deeply_nested_data_arrives_or_is_refused_but_harms_nobody() {
    let server = Server::start();
    let (mut a, mut b) = (Peer::connect(&server, &id::of('a')), Peer::connect(&server, &id::of('b')));
    for depth in [10, 100] {
        let data = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_arrives(&mut a, &mut b, &data);
        let data = format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        assert_arrives(&mut a, &mut b, &data);
    }
    // As deep as a message can hold.
    let depth = MESSAGE_BYTES / 2 - 200;
    let data = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    a.signal("offer", b.id(), "global", &data);
    a.settle();
    a.send(&data);
    assert_eq!(a.expect("error")["data"]["code"], "invalid-message");
    b.settle();
    assert_arrives(&mut a, &mut b, "1");
}

#[test]
fn a_message_of_the_largest_size_arrives_whole() {
    let server = Server::start();
    let (mut a, mut b) = (Peer::connect(&server, &id::of('a')), Peer::connect(&server, &id::of('b')));
    let head = format!(r#"{{"type":"offer","targetPeerId":"{}","data":""#, b.id());
    let tail = "\"}";
    let filler: String = ('a'..='z').cycle().take(MESSAGE_BYTES - head.len() - tail.len()).collect();
    let text = format!("{head}{filler}{tail}");
    assert_eq!(text.len(), MESSAGE_BYTES);
    // Twice, since a buffer that has grown once is another case.
    for _ in 0..2 {
        a.send(&text);
        let got = b.text();
        assert!(parse(&got).data.get() == format!("\"{filler}\""), "{} bytes came", got.len());
    }
}

#[test]
fn a_message_over_the_largest_size_ends_its_sender_alone() {
    let server = Server::start();
    let mut a = Peer::connect(&server, &id::of('a'));
    let mut b = Peer::announced(&server, &id::of('b'), "global");
    let text =
        format!(r#"{{"type":"offer","targetPeerId":"{}","data":"{}"}}"#, b.id(), "x".repeat(MESSAGE_BYTES));
    a.send(&text);
    assert_eq!(a.closed().0, 1009);
    assert_eq!(b.settle(), []);
}

#[test]
fn ten_thousand_candidates_sent_at_once_arrive_in_order() {
    const CANDIDATES: usize = 10_000;
    let server = Server::with(&[("MESSAGE_RATE", "0"), ("BYTE_RATE", "0")]);
    let mut crowd = Crowd::new();
    crowd.connect(&server, 2);
    let to = crowd.id(1).to_owned();
    for n in 0..CANDIDATES {
        crowd.send(
            0,
            &format!(
                r#"{{"type":"ice-candidate","data":{{"n":{n},"candidate":"candidate:842163049 1 udp 1677729535 192.0.2.3 46154 typ srflx"}},"targetPeerId":"{to}"}}"#
            ),
        );
    }
    let next = std::cell::Cell::new(0);
    crowd.turn_until(
        "all candidates",
        |member, news| {
            let News::Text(text) = news else { panic!("{member} got {news:?}") };
            let data = parse(&text).data.get();
            assert!(
                member == 1 && data.starts_with(&format!(r#"{{"n":{},"#, next.get())),
                "{} instead of {text}",
                next.get()
            );
            next.set(next.get() + 1);
        },
        || next.get() == CANDIDATES,
    );
    crowd.settle_all(|member, news| panic!("{member} got {news:?} as well"));
}

#[test]
fn a_message_written_byte_by_byte_or_split_into_frames_arrives_the_same() {
    let server = Server::start();
    let (mut a, mut b) = (Peer::connect(&server, &id::of('a')), Peer::connect(&server, &id::of('b')));
    let text = format!(r#"{{"type":"offer","data":"é😀","targetPeerId":"{}"}}"#, b.id());
    let whole = peerpigeon_tests::websocket::frame(1, text.as_bytes());
    for byte in &whole {
        a.send_bytes(&[*byte]);
    }
    assert_eq!(parse(&b.text()).data.get(), "\"é😀\"");

    // Split at every byte, also in the middle of a character; control frames may come between.
    let mut split = Vec::new();
    for (i, byte) in text.bytes().enumerate() {
        let is_last = i + 1 == text.len();
        let opcode = u8::from(i == 0);
        peerpigeon_tests::websocket::append_frame(&mut split, if is_last { 0x80 } else { opcode }, &[byte]);
        if i == 10 {
            peerpigeon_tests::websocket::append_frame(&mut split, 0x89, b"between");
        }
    }
    a.send_bytes(&split);
    assert_eq!(parse(&b.text()).data.get(), "\"é😀\"");
}

#[test]
fn the_server_stamps_sender_target_network_and_time() {
    let server = Server::start();
    let mut a = Peer::announced(&server, &id::of('a'), "net");
    let mut b = Peer::announced(&server, &id::of('b'), "net");
    a.expect("peer-discovered");
    b.expect("peer-discovered");
    let mut last = 0;
    for _ in 0..100 {
        a.send(&format!(
            r#"{{"type":"offer","data":0,"targetPeerId":"{}","networkName":"net","fromPeerId":"x","timestamp":1}}"#,
            b.id()
        ));
        let text = b.text();
        let got = parse(&text);
        assert_eq!((got.r#type, got.network_name), ("offer", "net"));
        assert_eq!((got.from_peer_id, got.target_peer_id), (a.id(), b.id()));
        let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_millis();
        assert!(u128::from(got.timestamp).abs_diff(now) < 5_000, "{} is not about {now}", got.timestamp);
        assert!(got.timestamp >= last, "time goes back from {last} to {}", got.timestamp);
        last = got.timestamp;
    }
}
