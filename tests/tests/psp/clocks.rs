//! Time stamps in lists, by the clock of who reads them, and how long a silent peer is listed.

use std::time::Duration;

use peerpigeon_tests::Server;

use crate::client::{Client, entry, id, now};

const HOUR: i64 = 3_600_000;

/// How old the entry of `other` is by the clock of `client`, in milliseconds.
fn age(client: &mut Client, other: &str) -> i64 {
    let list = client.list();
    let said = entry(&list, other).unwrap_or_else(|| panic!("{other} is not in {list}"));
    now() + client.ahead - said["timestamp"].as_i64().expect("a number")
}

#[test]
fn time_stamps_are_by_the_clock_of_who_gets_the_list() {
    let server = Server::start();
    // As V4 judges: an entry counts for 18 s, and a few seconds for a busy machine are left.
    for (room, ahead) in
        [("fast", 20_000), ("hour", HOUR), ("slow", -HOUR), ("year", 365 * 24 * HOUR), ("right", 0)]
    {
        let mut b = Client::join(&server, &id('b'), "n", room);
        let mut a = Client::open(&server, &id('a'), "n", room);
        a.ahead = ahead;
        a.announce();
        a.knows_at_last(&[&id('b')]);
        let seen = age(&mut a, &id('b'));
        assert!((-1_000..10_000).contains(&seen), "{room}: {seen} ms old");
        b.knows_at_last(&[&id('a')]);
        let seen = age(&mut b, &id('a'));
        assert!((-1_000..10_000).contains(&seen), "of {room}: {seen} ms old");
    }
}

#[test]
fn a_clock_that_is_set_is_followed() {
    let server = Server::start();
    let _b = Client::join(&server, &id('b'), "n", "r");
    let mut a = Client::join(&server, &id('a'), "n", "r");
    a.knows_at_last(&[&id('b')]);
    for ahead in [HOUR, -HOUR, 0] {
        a.ahead = ahead;
        a.settle();
        let seen = age(&mut a, &id('b'));
        assert!((-1_000..20_000).contains(&seen), "{ahead}: {seen} ms old");
    }
}

#[test]
fn pushed_lists_are_by_the_clock_of_who_gets_them_too() {
    let server = Server::start();
    let mut a = Client::open(&server, &id('a'), "n", "r");
    a.ahead = HOUR;
    a.announce();
    let _b = Client::join(&server, &id('b'), "n", "r");
    loop {
        let list = a.peer.json();
        if let Some(said) = entry(&list, &id('b')) {
            let seen = now() + HOUR - said["timestamp"].as_i64().expect("a number");
            return assert!((-1_000..10_000).contains(&seen), "{seen} ms old");
        }
    }
}

#[test]
fn a_peer_that_is_heard_again_is_younger() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let mut b = Client::join(&server, &id('b'), "n", "r");
    a.knows_at_last(&[&id('b')]);
    let before = entry(&a.list(), &id('b')).expect("listed")["timestamp"].as_i64().expect("a number");
    a.stay_for(Duration::from_millis(50));
    b.settle();
    let after = entry(&a.list(), &id('b')).expect("listed")["timestamp"].as_i64().expect("a number");
    assert!(after >= before + 40, "{before} and then {after}");
}

#[test]
fn a_lease_that_ends_takes_its_peer_off_the_lists_and_does_not_close_it() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let mut b = Client::open(&server, &id('b'), "n", "r");
    b.send_changed("announce", None, &[("ttl_ms", 1_500.into())]);
    b.expect("ack");
    assert_eq!(a.discover(), [id('b')]);
    a.knows_at_last(&[]);
    a.offer(&b.id, "1");
    b.expect("offer");
    b.settle();
    a.knows_at_last(&[&id('b')]);
}
