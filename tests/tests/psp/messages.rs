//! What each type does.

use peerpigeon_tests::Server;
use serde_json::{Value, json};

use crate::client::{Client, RELAYED, id, ids, is_push};

fn pair(server: &Server) -> (Client, Client) {
    (Client::join(server, &id('a'), "n", "r"), Client::join(server, &id('b'), "n", "r"))
}

#[test]
fn an_announce_without_an_instance_id_joins() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "n");
    let _go = Client::join_as_go(&server, &id('b'), "n");
    a.knows_at_last(&[&id('b')]);
}

#[test]
fn an_announce_whose_instance_id_is_another_network_is_refused_and_joins_nothing() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let mut b = Client::open(&server, &id('b'), "n", "r");
    for instance_id in [json!("other"), json!("N"), json!("")] {
        let message_id = b.send("announce", None, json!({"instance_id": instance_id}));
        assert_eq!(b.refused("instance_id_mismatch")["reply_to"], *message_id);
    }
    b.offer(&a.id, "1");
    b.refused("not_announced");
    assert_eq!(a.discover(), [""; 0]);
    a.quiet();
    b.announce();
    a.knows_at_last(&[&id('b')]);
}

#[test]
fn a_ping_is_answered_before_the_first_announce() {
    let server = Server::start();
    let mut a = Client::open(&server, &id('a'), "n", "r");
    assert_eq!(a.settle(), Vec::<Value>::new());
}

#[test]
fn a_discover_is_answered_before_the_first_announce_and_joins_nothing() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let mut looking = Client::open(&server, &id('b'), "n", "r");
    looking.send("discover", None, json!({"exclude_peers": [], "limit": 10}));
    let list = looking.expect("peer_list");
    assert_eq!(list["session_id"], "r");
    assert!(ids(&list).iter().all(|peer| *peer == a.id), "{list}");
    assert_eq!(a.discover(), [""; 0]);
}

#[test]
fn nothing_is_relayed_before_the_first_announce() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let mut b = Client::open(&server, &id('b'), "n", "r");
    for kind in RELAYED {
        let message_id = b.send(kind, Some(&a.id), json!({}));
        assert_eq!(b.refused("not_announced")["reply_to"], *message_id, "{kind}");
    }
    a.quiet();
    b.quiet();
}

#[test]
fn a_withdrawal_leaves_without_an_answer() {
    let server = Server::start();
    for reason in ["user_disconnect", "relay_idle", "peer_offline"] {
        let (mut a, mut b) = pair(&server);
        a.knows_at_last(&[&id('b')]);
        b.send("withdraw", None, json!({"reason": reason}));
        b.quiet();
        assert_eq!(a.discover(), [""; 0], "{reason}");
        a.offer(&id('b'), "1");
        a.refused("target_not_connected");
        b.quiet();
        b.peer.close(1000, reason);
        a.peer.close(1000, "user_disconnect");
    }
}

#[test]
fn a_bye_to_nobody_is_a_withdrawal() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    a.knows_at_last(&[&id('b')]);
    b.send("bye", None, json!({"reason": "local_close"}));
    b.quiet();
    assert_eq!(a.discover(), [""; 0]);
    a.quiet();
}

#[test]
fn a_bye_to_a_peer_arrives_and_its_sender_stays() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    for reason in ["local_close", "capacity_shed"] {
        b.send("bye", Some(&a.id), json!({"reason": reason}));
        let bye = a.expect("bye");
        assert_eq!((&bye["from"], &bye["body"]["reason"]), (&json!(b.id), &json!(reason)));
    }
    assert_eq!(a.discover(), [b.id.clone()]);
    a.offer(&b.id, "1");
    b.expect("offer");
}

#[test]
fn who_withdrew_may_announce_itself_again_on_the_same_socket() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    for _ in 0..3 {
        b.send("withdraw", None, json!({"reason": "relay_idle"}));
        b.offer(&a.id, "1");
        b.refused("not_announced");
        b.announce();
        b.offer(&a.id, "2");
        assert_eq!(a.expect("offer")["body"]["sdp"], "2");
    }
}

#[test]
fn what_peers_tell_each_other_arrives_whatever_type_it_is() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    for kind in RELAYED {
        let envelope = a.envelope(kind, Some(&b.id), json!({"code": "x", "relays": [{"url": "wss://x"}]}));
        a.send_value(&envelope);
        assert_eq!(b.text(), envelope.to_string());
    }
    a.quiet();
}

#[test]
fn no_peer_feeds_lists_and_redirections_to_others() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    let body = json!({"peers": [{"peer_id": id('c'), "session_id": "r", "timestamp": 1}], "url": "wss://x"});
    for kind in ["peer_list", "redirect"] {
        a.send(kind, Some(&b.id), body.clone());
        a.send(kind, None, body.clone());
        a.settle();
        let got = b.settle();
        assert!(got.iter().all(|frame| is_push(frame) && frame["from"] != *a.id), "{got:?}");
    }
    let known = b.discover();
    assert!(!known.contains(&id('c')), "{known:?}");
}

#[test]
fn what_only_the_server_says_means_nothing_from_a_client() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    for kind in ["pong", "redirect", "peer_list", "ext"] {
        a.send(kind, None, json!({"action": "relay_list", "relays": [{"url": "wss://x", "name": "x"}]}));
    }
    a.quiet();
    b.quiet();
}

#[test]
fn what_a_peer_tells_itself_goes_nowhere() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let own = a.id.clone();
    for kind in RELAYED {
        a.send(kind, Some(&own), json!({}));
    }
    a.quiet();
    assert_eq!(a.discover(), [""; 0]);
}

#[test]
fn peers_that_a_discover_excludes_are_left_out() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let _others: Vec<Client> =
        ['b', 'c', 'd'].map(|digit| Client::join(&server, &id(digit), "n", "r")).into();
    a.knows_at_last(&[&id('b'), &id('c'), &id('d')]);
    let list = a.list_for(json!({"exclude_peers": [id('a'), id('c'), "unknown", 7, null], "limit": 10}));
    assert_eq!(ids(&list), [id('b'), id('d')]);
    let list = a.list_for(json!({"exclude_peers": [id('b'), id('c'), id('d')], "limit": 10}));
    assert_eq!(ids(&list), [""; 0]);
    // That was said of one answer.
    assert_eq!(a.discover().len(), 3);
}

#[test]
fn a_limit_below_the_size_of_the_room_does_not_make_lists_jump() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let _others: Vec<Client> =
        ['b', 'c', 'd', 'e', 'f'].map(|digit| Client::join(&server, &id(digit), "n", "r")).into();
    a.knows_at_last(&['b', 'c', 'd', 'e', 'f'].map(id).each_ref().map(String::as_str));
    let whole = a.discover();
    for limit in [json!(1), json!(0), json!(3), json!(50), json!(1e9), json!(-1), json!("x"), Value::Null] {
        assert_eq!(ids(&a.list_for(json!({"exclude_peers": [], "limit": limit}))), whole, "{limit}");
    }
    assert_eq!(ids(&a.list_for(json!({}))), whole);
}
