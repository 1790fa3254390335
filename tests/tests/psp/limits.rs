//! Closes, sizes and rates.

use peerpigeon_tests::{Received, Server, Signal};
use serde_json::{Value, json};

use crate::client::{Client, id, is_push};

/// Bytes of the largest message.
const MESSAGE_BYTES: usize = 64 * 1024;

fn pair(server: &Server) -> (Client, Client) {
    (Client::join(server, &id('a'), "n", "r"), Client::join(server, &id('b'), "n", "r"))
}

/// An offer of exactly so many bytes.
fn offer_of(client: &mut Client, to: &str, bytes: usize) -> String {
    let empty = client.envelope("offer", Some(to), json!({"sdp": ""})).to_string();
    empty.replace(r#""sdp":"""#, &format!(r#""sdp":"{}""#, "x".repeat(bytes - empty.len())))
}

#[test]
fn a_message_of_the_largest_size_passes_and_one_byte_more_is_refused() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    let largest = offer_of(&mut a, &b.id, MESSAGE_BYTES);
    assert_eq!(largest.len(), MESSAGE_BYTES);
    a.peer.send(&largest);
    assert_eq!(b.text(), largest);
    let larger = offer_of(&mut a, &b.id, MESSAGE_BYTES + 1);
    a.peer.send(&larger);
    a.refused("too_large");
    a.quiet();
    b.quiet();
}

#[test]
fn whoever_is_closed_by_the_server_may_come_back() {
    let mut server = Server::start();
    let (mut a, mut b) = pair(&server);
    server.signal(Signal::SIGTERM);
    // After 1000 a client would never dial again.
    assert_eq!(a.closed().0, 1001);
    assert_eq!(b.closed().0, 1001);
    assert!(server.wait().success());
}

#[test]
fn the_close_of_a_client_is_answered_with_its_code() {
    let server = Server::start();
    for (code, reason) in
        [(1000, "user_disconnect"), (4000, "keepalive_timeout"), (4002, "signaling_refresh")]
    {
        let client = Client::join(&server, &id('a'), "n", "r");
        let last = client.peer.close(code, reason).pop();
        assert!(matches!(&last, Some(Received::Closed(Some((echo, _)))) if *echo == code), "{last:?}");
    }
}

#[test]
fn what_a_page_says_when_it_joins_a_full_room_passes_by_default() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    for dial in 0..12 {
        a.send_announce();
        a.send("discover", None, json!({"exclude_peers": [], "limit": 10}));
        for _ in 0..8 {
            a.offer(&b.id, &dial.to_string());
        }
        for _ in 0..20 {
            a.send("ice_candidate", Some(&b.id), json!({"candidate": {"candidate": "x"}}));
        }
        a.send("ice_end", Some(&b.id), json!({}));
    }
    let refused: Vec<Value> = a.settle().into_iter().filter(|frame| frame["type"] == "error").collect();
    assert_eq!(refused, Vec::<Value>::new());
    let got = b.settle().into_iter().filter(|frame| !is_push(frame)).count();
    assert_eq!(got, 12 * 29);
}

#[test]
fn who_is_over_its_rate_is_warned_in_its_own_dialect_before_it_is_closed() {
    let server = Server::with(&[("MESSAGE_RATE", "5"), ("MESSAGE_BURST", "20")]);
    let mut a = Client::join(&server, &id('a'), "n", "r");
    for _ in 0..1_000 {
        a.send("ping", None, json!({}));
    }
    let mut warnings = 0;
    loop {
        match a.peer.receive() {
            Received::Text(text) => {
                let frame: Value = serde_json::from_str(&text).expect("JSON");
                if frame["type"] == "error" {
                    assert_eq!(frame["body"]["code"], "rate_limited", "{frame}");
                    assert_eq!(
                        (&frame["psp_version"], &frame["network"]),
                        (&json!("1.0"), &json!("n")),
                        "{frame}"
                    );
                    warnings += 1;
                }
            }
            Received::Closed(Some((code, _))) => {
                assert_eq!(code, 1008);
                break;
            }
            other @ (Received::Closed(None) | Received::Lost) => panic!("{other:?}"),
        }
    }
    assert!(warnings > 0);
}

#[test]
fn who_fills_the_queue_of_a_peer_that_does_not_read_is_told() {
    let server = Server::with(&[
        ("BYTE_RATE", "0"),
        ("MESSAGE_RATE", "0"),
        ("MAX_QUEUE_SIZE", "200000"),
        ("MAX_MESSAGE_SIZE", "65536"),
    ]);
    let (mut a, b) = pair(&server);
    let offer = offer_of(&mut a, &b.id, 60_000);
    for _ in 0..10_000 {
        a.peer.send(&offer);
        if let Some(Received::Text(text)) = a.peer.receive_within(std::time::Duration::from_millis(1)) {
            let frame: Value = serde_json::from_str(&text).expect("JSON");
            if !is_push(&frame) {
                assert_eq!(
                    (&frame["type"], &frame["body"]["code"]),
                    (&json!("error"), &json!("queue_full")),
                    "{frame}"
                );
                return a.settle().clear();
            }
        }
    }
    panic!("600 MB were taken for a peer that does not read");
}
