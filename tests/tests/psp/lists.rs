//! Who is listed, to whom and when.

use std::time::Instant;

use peerpigeon_tests::{Peer, Server, wait_until};
use serde_json::{Value, json};

use crate::client::{Client, entry, id, ids, is_push};

#[test]
fn a_list_goes_to_who_asked_alone() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let mut b = Client::join(&server, &id('b'), "n", "r");
    a.knows_at_last(&[&id('b')]);
    b.knows_at_last(&[&id('a')]);
    b.stay_for(std::time::Duration::from_millis(1_500));
    for _ in 0..20 {
        a.discover();
    }
    assert_eq!(b.settle(), Vec::<Value>::new());
}

#[test]
fn an_entry_says_who_where_and_when() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let _b = Client::join(&server, &id('b'), "n", " r ");
    a.knows_at_last(&[&id('b')]);
    let list = a.list();
    let entry = entry(&list, &id('b')).expect("it was there");
    assert_eq!(entry["session_id"], "r", "{list}");
    assert!(entry["timestamp"].is_u64(), "{list}");
}

#[test]
fn nobody_is_on_its_own_list() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let _b = Client::join(&server, &id('b'), "n", "r");
    a.knows_at_last(&[&id('b')]);
    assert_eq!(ids(&a.list_for(json!({"exclude_peers": [], "limit": 50}))), [id('b')]);
}

#[test]
fn an_empty_room_has_an_empty_list() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    assert_eq!(a.list()["body"]["peers"], json!([]));
}

#[test]
fn of_two_peers_the_smaller_id_is_told_first_whoever_came_first() {
    let server = Server::start();
    for (room, first, second) in [("one", 'a', 'b'), ("two", 'b', 'a')] {
        // Lists that are asked for at once, as clients do.
        let mut peers = [first, second].map(|digit| Client::join(&server, &id(digit), "n", room));
        peers.sort_by(|one, other| one.id.cmp(&other.id));
        let [smaller, larger] = &mut peers;
        assert_eq!(smaller.discover(), [id('b')], "{room}");
        let start = Instant::now();
        let told = larger.discover();
        if start.elapsed().as_millis() < 500 {
            assert_eq!(told, [""; 0], "{room}");
        }
    }
}

#[test]
fn a_signal_between_two_tells_the_larger_id_at_once() {
    let server = Server::start();
    for kind in ["offer", "connect_request"] {
        let mut a = Client::join(&server, &id('a'), "n", kind);
        let mut b = Client::join(&server, &id('b'), "n", kind);
        let b_id = b.id.clone();
        a.send(kind, Some(&b_id), json!({"sdp": "1"}));
        b.expect(kind);
        assert_eq!(b.discover(), [a.id.clone()]);
    }
}

#[test]
fn without_a_signal_the_larger_id_is_told_by_a_push_when_its_time_has_come() {
    let server = Server::start();
    let mut smaller = Client::join(&server, &id('a'), "n", "r");
    let start = Instant::now();
    let mut larger = Client::join(&server, &id('b'), "n", "r");
    larger.pushed_at_last(&[&id('a')]);
    assert!(start.elapsed().as_millis() >= 1_500, "told after {:?}", start.elapsed());
    assert_eq!(larger.discover(), [id('a')]);
    assert_eq!(smaller.discover(), [id('b')]);
}

#[test]
fn no_list_of_the_larger_id_names_the_smaller_one_too_early() {
    let server = Server::start();
    let mut larger = Client::join(&server, &id('b'), "n", "r");
    let start = Instant::now();
    let _smaller = Client::join(&server, &id('a'), "n", "r");
    loop {
        larger.announce();
        let told = larger.discover();
        let after = start.elapsed();
        if !told.is_empty() {
            assert!(after.as_millis() >= 1_500, "told after {after:?}");
            break;
        }
        assert!(after < peerpigeon_tests::PATIENCE, "never told");
        // Not faster than the rate of messages allows.
        larger.stay_for(std::time::Duration::from_millis(20));
    }
}

#[test]
fn who_joins_gets_a_list_right_behind_its_ack() {
    let server = Server::start();
    let _b = Client::join(&server, &id('b'), "n", "r");
    let mut a = Client::open(&server, &id('a'), "n", "r");
    a.send_announce();
    a.expect("ack");
    assert_eq!(a.pushed(), [id('b')]);
}

#[test]
fn who_was_there_is_pushed_a_whole_list_when_somebody_joins_and_when_somebody_leaves() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let b = Client::join(&server, &id('b'), "n", "r");
    a.pushed_at_last(&[&id('b')]);
    let mut c = Client::join(&server, &id('c'), "n", "r");
    a.pushed_at_last(&[&id('b'), &id('c')]);
    b.peer.drop_connection();
    a.pushed_at_last(&[&id('c')]);
    c.send("withdraw", None, json!({"reason": "user_disconnect"}));
    a.pushed_at_last(&[]);
    assert_eq!(a.discover(), [""; 0]);
}

#[test]
fn a_socket_that_ends_leaves_however_it_ends() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let ways: [fn(Client); 3] = [
        |client| drop(client.peer.close(1000, "user_disconnect")),
        |client| client.peer.drop_connection(),
        |mut client| {
            client.peer.send_bytes(&[0xff; 20]);
            client.closed();
        },
    ];
    for leave in ways {
        let b = Client::join(&server, &id('b'), "n", "r");
        a.knows_at_last(&[&id('b')]);
        leave(b);
        a.knows_at_last(&[]);
    }
}

#[test]
fn a_crowd_that_joins_at_once_is_told_of_in_few_lists() {
    const CROWD: usize = 30;
    let server = Server::start();
    let mut a = Client::join(&server, "0", "n", "r");
    a.settle();
    let start = Instant::now();
    let _crowd: Vec<Client> =
        (0..CROWD).map(|n| Client::join(&server, &format!("{n:064}"), "n", "r")).collect();
    let mut pushes = 0;
    wait_until("a list of all of them", || {
        pushes += 1;
        a.pushed().len() == CROWD
    });
    // One per second, one at the beginning, and one in the second that has begun.
    let seconds = start.elapsed().as_secs();
    assert!(pushes <= seconds + 2, "{pushes} lists in {seconds} s");
}

#[test]
fn rooms_of_one_network_and_networks_with_a_room_of_one_name_do_not_meet() {
    let server = Server::start();
    let mut clients: Vec<Client> = [("n", "r"), ("n", "s"), ("m", "r"), ("N", "r"), ("n", "R"), ("r", "n")]
        .into_iter()
        .enumerate()
        .map(|(n, (network, room))| Client::join(&server, &format!("{n:064}"), network, room))
        .collect();
    let mut last = Client::join(&server, &id('f'), "n", "r");
    last.knows_at_last(&[&format!("{:064}", 0)]);
    for client in &mut clients[1..] {
        assert_eq!(client.discover(), [""; 0], "{} {}", client.network, client.session);
        last.offer(&client.id, "1");
        last.refused("target_not_connected");
        client.quiet();
    }
}

#[test]
fn pages_of_the_library_and_v4_pages_do_not_meet() {
    let server = Server::start();
    let mut old = Peer::announced(&server, &"a".repeat(40), "n");
    let mut new = Client::join(&server, &"b".repeat(40), "n", "n");
    assert_eq!(new.discover(), [""; 0]);
    new.offer(old.id(), "1");
    new.refused("target_not_connected");
    old.signal("offer", &"b".repeat(40), "n", "1");
    // Whatever it is told of that in its own dialect.
    old.settle();
    new.quiet();
    assert_eq!(old.settle(), []);
}

#[test]
fn lists_are_the_same_until_somebody_joins_or_leaves() {
    let server = Server::start();
    let mut clients: Vec<Client> =
        (0..10).map(|n| Client::join(&server, &format!("{n:064}"), "n", "r")).collect();
    let all: Vec<String> = clients.iter().map(|client| client.id.clone()).collect();
    for n in 0..clients.len() {
        let others: Vec<&str> = all.iter().map(String::as_str).filter(|id| *id != all[n]).collect();
        clients[n].knows_at_last(&others);
    }
    for client in &mut clients {
        let expected = client.discover();
        assert!((0..5).all(|_| client.discover() == expected));
        let got = client.settle();
        assert!(got.iter().all(|frame| is_push(frame) && ids(frame).len() <= 9), "{got:?}");
    }
}
