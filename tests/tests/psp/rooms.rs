//! Whole rooms, and the conversations of real clients.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use peerpigeon_tests::{Server, wait_until};
use serde_json::json;

use crate::client::{Client, id};

#[test]
fn three_peers_in_two_rooms_are_told_of_their_own_room_alone() {
    let server = Server::start();
    let [mut a, mut b, mut c] = [('a', "blue"), ('b', "red"), ('c', "blue")].map(|(digit, room)| {
        // The ids and the target of the reference's own test.
        let id = String::from(digit).repeat(16);
        let mut client = Client::open_by(&server, "/ws", &id, "network", room.into());
        client.send("announce", None, json!({"instance_id": "network", "roles": ["peer"]}));
        client.expect("ack");
        client
    });
    assert_eq!(a.discover(), [c.id.clone()]);
    a.offer(&b.id, "test");
    let own = b.id.clone();
    b.send("ping", Some(&own), json!({}));
    b.expect("pong");
    a.offer(&c.id, "test");
    assert_eq!(c.expect("offer")["session_id"], "blue");
    b.quiet();
}

#[test]
fn everybody_is_told_of_everybody_in_a_room_of_fifty() {
    const PEERS: usize = 50;
    let server = Server::start();
    let mut room: Vec<Client> =
        (0..PEERS).map(|n| Client::join(&server, &format!("{n:064x}"), "n", "r")).collect();
    let ids: Vec<String> = room.iter().map(|client| client.id.clone()).collect();
    for client in &mut room {
        let others: Vec<&str> = ids.iter().map(String::as_str).filter(|id| **id != client.id).collect();
        client.knows_at_last(&others);
    }
}

/// What everybody is told, when both of each pair have been told.
fn lists_of_all(room: &mut [Client]) -> Vec<Vec<String>> {
    let mut lists = Vec::new();
    wait_until("everybody is told of whoever is told of it", || {
        lists = room.iter_mut().map(Client::discover).collect();
        let pairs: BTreeSet<(&str, &str)> = room
            .iter()
            .zip(&lists)
            .flat_map(|(client, list)| list.iter().map(|other| (client.id.as_str(), other.as_str())))
            .collect();
        pairs.iter().all(|(one, other)| pairs.contains(&(other, one)))
    });
    lists
}

#[test]
fn in_a_room_of_two_hundred_everybody_knows_enough_and_all_hang_together() {
    const PEERS: usize = 200;
    let server = Server::start();
    let mut room: Vec<Client> = (0..PEERS)
        .map(|n| {
            // Spread over all ids, as those of clients are.
            let id = peerpigeon_tests::id::number(n) + &peerpigeon_tests::id::number(n + PEERS)[..24];
            Client::join(&server, &id, "n", "r")
        })
        .collect();
    let lists = lists_of_all(&mut room);
    for (client, list) in room.iter_mut().zip(&lists) {
        assert!((10..=50).contains(&list.len()), "{} are listed to {}", list.len(), client.id);
        assert_eq!(client.discover(), *list, "lists jump while nobody joins");
    }
    let mut reached = BTreeSet::from([room[0].id.clone()]);
    let mut grows = true;
    while grows {
        grows = false;
        for (client, list) in room.iter().zip(&lists) {
            if reached.contains(&client.id) || list.iter().any(|other| reached.contains(other)) {
                let before = reached.len();
                reached.insert(client.id.clone());
                reached.extend(list.iter().cloned());
                grows |= reached.len() > before;
            }
        }
    }
    assert_eq!(reached.len(), PEERS, "the room falls apart");
}

#[test]
fn in_a_large_room_who_signals_somebody_keeps_it_on_its_list() {
    const PEERS: usize = 120;
    let server = Server::start();
    let mut room: Vec<Client> = (0..PEERS)
        .map(|n| Client::join(&server, &(peerpigeon_tests::id::number(n) + &"0".repeat(24)), "n", "r"))
        .collect();
    let known = lists_of_all(&mut room).swap_remove(0);
    let (first, others) = room.split_first_mut().expect("there are some");
    let stranger = others.iter_mut().find(|other| !known.contains(&other.id)).expect("more than are listed");
    first.offer(&stranger.id, "1");
    stranger.expect("offer");
    assert!(stranger.discover().contains(&first.id), "{} has just signalled with it", first.id);
    assert!(first.discover().contains(&stranger.id), "it has just signalled with {}", stranger.id);
}

#[test]
fn two_tabs_with_one_id_dial_no_more_than_once_in_two_seconds() {
    const ATTEMPTS: u32 = 3;
    let server = Server::start();
    let mut first = Client::join(&server, &id('a'), "n", "r");
    let start = Instant::now();
    for _ in 0..ATTEMPTS {
        let mut second = Client::open(&server, &id('a'), "n", "r");
        second.send_announce();
        while !second.closes_within(Duration::from_millis(50)) {
            first.settle();
        }
    }
    assert!(start.elapsed() >= Duration::from_millis(1_900) * ATTEMPTS, "{:?}", start.elapsed());
    first.quiet();
}

#[test]
fn a_page_that_is_reloaded_is_found_under_its_new_id_alone() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    for (old, new) in [('b', 'c'), ('c', 'd')] {
        let mut before = Client::join(&server, &id(old), "n", "r");
        a.knows_at_last(&[&id(old)]);
        before.send("withdraw", None, json!({"reason": "peer_reload"}));
        before.peer.close(1000, "user_disconnect");
        let mut after = Client::join(&server, &id(new), "n", "r");
        assert_eq!(a.discover(), [id(new)]);
        let mut helper = Client::open(&server, &id(old), "n", "r");
        helper.send("withdraw", None, json!({"reason": "previous_identity_cleanup"}));
        helper.peer.close(1000, "identity_withdrawn");
        assert_eq!(a.discover(), [id(new)]);
        a.offer(&after.id, "1");
        after.expect("offer");
        after.peer.close(1000, "user_disconnect");
    }
}
