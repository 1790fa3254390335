//! What an envelope is, and what is refused.

use peerpigeon_tests::Server;
use serde_json::{Value, json};

use crate::client::{Client, id};

/// Two peers of one room.
fn pair(server: &Server) -> (Client, Client) {
    (Client::join(server, &id('a'), "n", "r"), Client::join(server, &id('b'), "n", "r"))
}

#[test]
fn a_member_that_is_missing_or_wrong_is_named_and_nobody_is_closed() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    let long = Value::from("x".repeat(129));
    let cases: [(&str, &[Value]); 8] = [
        ("psp_version", &[Value::Null, "1".into(), json!(1.0), "2.0".into()]),
        ("type", &[Value::Null, 7.into(), json!({})]),
        ("network", &[Value::Null, "".into(), " \t".into(), 7.into(), long.clone()]),
        ("from", &[Value::Null, "".into(), "\u{2003}".into(), json!([]), long.clone()]),
        ("session_id", &[7.into(), json!({}), long.clone()]),
        ("message_id", &[Value::Null, 7.into(), long.clone()]),
        ("timestamp", &[Value::Null, "1".into(), json!({})]),
        ("body", &[json!([]), "x".into(), 7.into()]),
    ];
    for (member, values) in cases {
        for value in values {
            let message_id = a.send_changed("offer", Some(&b.id), &[(member, value.clone())]);
            let error = a.refused("invalid_envelope");
            let reason = error["body"]["reason"].as_str().expect("a sentence");
            assert!(reason.contains(member), "{member} {value}: {error}");
            if member != "message_id" {
                assert_eq!(error["reply_to"], *message_id, "{member} {value}: {error}");
            }
        }
        let mut envelope = a.envelope("offer", Some(&b.id), json!({}));
        envelope.as_object_mut().expect("an object").remove(member);
        let is_optional = ["session_id", "body"].contains(&member);
        a.send_value(&envelope);
        if is_optional && member == "body" {
            assert_eq!(b.expect("offer").get("body"), None);
        } else if !is_optional {
            a.refused("invalid_envelope");
        } else {
            // Then it means the room of the network's name, which is another one.
            a.refused("other_scope");
        }
    }
    a.quiet();
    b.quiet();
}

#[test]
fn a_target_that_is_no_string_is_refused() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    for to in [json!(7), json!({}), json!("x".repeat(129))] {
        a.send_changed("offer", None, &[("to", to)]);
        let error = a.refused("invalid_envelope");
        assert!(error["body"]["reason"].as_str().is_some_and(|reason| reason.contains("to ")), "{error}");
    }
    b.quiet();
}

#[test]
fn what_is_no_json_object_is_refused_and_nobody_is_closed() {
    let server = Server::start();
    let (mut a, _b) = pair(&server);
    for text in ["", "hello", "{", "[]", "7", "null", "{\"psp_version\":\"1.0\",}", "{} {}"] {
        a.peer.send(text);
        a.refused("invalid_json");
    }
    a.quiet();
}

#[test]
fn an_unknown_type_is_refused_with_what_it_was() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    for kind in ["hello", "Offer", "ice-candidate", "toString", ""] {
        let message_id = a.send(kind, Some(&b.id), json!({}));
        let error = a.refused("unknown_type");
        assert_eq!((&error["reply_to"], &error["body"]["type"]), (&json!(message_id), &json!(kind)));
    }
    a.quiet();
    b.quiet();
}

#[test]
fn a_body_that_is_nested_too_deep_is_refused() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    let text = a.envelope("offer", Some(&b.id), json!({"x": 1})).to_string();
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    a.peer.send(&text.replace("{\"x\":1}", &format!("{{\"x\":{deep}}}")));
    a.refused("invalid_json");
    let flat = format!("{}{}", "[".repeat(50), "]".repeat(50));
    a.peer.send(&text.replace("{\"x\":1}", &format!("{{\"x\":{flat}}}")));
    b.expect("offer");
}

#[test]
fn nothing_is_relayed_that_names_another_sender_than_the_server_saw() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    let forged = [
        format!(r#""from":"{}","#, id('c')),
        format!(r#""fr\u006fm":"{}","#, id('c')),
        format!(r#""\u0066\u0072\u006f\u006d":"{}","#, id('c')),
    ];
    for member in forged {
        let text = a.envelope("offer", Some(&b.id), json!({})).to_string();
        let member = member.trim_end_matches(',');
        for text in [
            text.replacen('{', &format!("{{{member},"), 1),
            format!("{},{member}}}", &text[..text.len() - 1]),
        ] {
            a.peer.send(&text);
            a.settle();
            for frame in b.settle().into_iter().filter(|frame| !crate::client::is_push(frame)) {
                assert_eq!(frame["from"], *a.id, "{text}");
            }
        }
    }
}

#[test]
fn a_room_said_twice_is_the_room_that_was_said_last() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    let text = a.envelope("offer", Some(&b.id), json!({})).to_string();
    a.peer.send(&format!("{},\"session\\u005fid\":\"other\"}}", &text[..text.len() - 1]));
    a.refused("other_scope");
    a.peer.send(&text.replacen('{', "{\"session\\u005fid\":\"other\",", 1));
    assert_eq!(b.expect("offer")["session_id"], "r");
}

#[test]
fn members_that_mean_nothing_are_relayed_like_the_others() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    let text = a.envelope("offer", Some(&b.id), json!({})).to_string();
    let text = text.replacen('{', r#"{"via":["x"],"__proto__":{"from":"y"},"From":"z","":null,"#, 1);
    a.peer.send(&text);
    assert_eq!(b.text(), text);
}

#[test]
fn ids_networks_and_rooms_are_any_strings_and_come_back_as_they_were() {
    let server = Server::start();
    for (one, other) in [
        ("aaaaaaaaaaaaaaaa".to_owned(), "bbbbbbbbbbbbbbbb".to_owned()),
        ("x".repeat(128), "y".repeat(128)),
        ("é".repeat(64), "😀".repeat(32)),
        ("a:b".to_owned(), "a".to_owned()),
        ("\"\\/\n\u{0}".to_owned(), "null".to_owned()),
        (" a".to_owned(), "a ".to_owned()),
        ("__proto__".to_owned(), "constructor".to_owned()),
    ] {
        let network = format!("net {}", &one.chars().take(20).collect::<String>());
        let mut a = Client::join(&server, &one, &network, "rö:om");
        let mut b = Client::join(&server, &other, &network, "rö:om");
        a.offer(&other, "1");
        let offer = b.expect("offer");
        assert_eq!(
            (&offer["from"], &offer["to"], &offer["network"]),
            (&json!(one), &json!(other), &json!(network))
        );
        // A signal has passed: both may be told.
        a.knows_at_last(&[&other]);
        b.knows_at_last(&[&one]);
    }
}

#[test]
fn ids_that_differ_in_case_or_blanks_are_different_peers() {
    let server = Server::start();
    let mut clients: Vec<Client> =
        ["ab", "AB", "ab ", " ab"].map(|id| Client::join(&server, id, "n", "r")).into();
    let mut sender = Client::join(&server, "sender", "n", "r");
    for client in &mut clients {
        sender.offer(&client.id, "1");
        assert_eq!(client.expect("offer")["to"], *client.id);
    }
    clients.iter_mut().for_each(Client::quiet);
}

#[test]
fn an_id_with_half_a_surrogate_pair_is_nobodys() {
    let server = Server::start();
    let mut a = Client::open(&server, "x", "n", "r");
    for half in [r"\ud800", r"\udc00", r"\ud800\ud800"] {
        let text = a.envelope("announce", None, json!({})).to_string();
        a.peer.send(&text.replace("\"from\":\"x\"", &format!("\"from\":\"{half}\"")));
        let error = a.refused("invalid_envelope");
        assert!(error["body"]["reason"].as_str().is_some_and(|reason| reason.contains("from")), "{error}");
    }
}

#[test]
fn blanks_around_the_room_do_not_count() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let mut b = Client::open(&server, &id('b'), "n", " r\n");
    assert_eq!(b.announce()["session_id"], "r");
    a.offer(&b.id, "1");
    assert_eq!(b.expect("offer")["session_id"], "r");
}

#[test]
fn no_room_is_the_room_of_the_networks_name() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "net", "net");
    for (digit, session) in [('b', Value::Null), ('c', "".into()), ('d', " ".into())] {
        let mut other = Client::open_by(&server, "/ws", &id(digit), "net", session);
        assert_eq!(other.announce()["session_id"], "net");
        a.offer(&other.id, "1");
        other.expect("offer");
    }
    let mut absent = Client::open_by(&server, "/ws", &id('e'), "net", Value::Null);
    let mut envelope = absent.envelope("announce", None, json!({}));
    envelope.as_object_mut().expect("an object").remove("session_id");
    absent.send_value(&envelope);
    assert_eq!(absent.expect("ack")["session_id"], "net");
}

#[test]
fn a_name_with_a_colon_is_not_split() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "x:y", "z");
    let mut b = Client::join(&server, &id('b'), "x", "y:z");
    a.offer(&b.id, "1");
    a.refused("target_not_connected");
    b.quiet();
}

#[test]
fn clocks_life_times_and_replies_may_be_anything() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    for timestamp in [json!(0), json!(-1), json!(1e300), json!(1.5), json!(u64::MAX)] {
        a.send_changed("offer", Some(&b.id), &[("timestamp", timestamp)]);
        b.expect("offer");
    }
    for odd in [json!(-1), json!("x"), json!({}), json!(0), json!(1e300), json!(true)] {
        a.send_changed("offer", Some(&b.id), &[("ttl_ms", odd.clone()), ("reply_to", odd)]);
        b.expect("offer");
    }
    a.quiet();
}
