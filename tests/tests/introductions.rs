//! Who is told of whom.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use peerpigeon_tests::{Crowd, News, Server};
use serde_json::Value;

/// What members of a crowd ask for.
const LINKS: usize = 3;

/// Of one join: to both sides of four introductions.
const FRAMES: usize = 8;

/// What a crowd was told: per member the frames it got, and whom it knows.
#[derive(Default)]
struct Told {
    frames: usize,
    knows: BTreeMap<usize, BTreeSet<String>>,
}

impl Told {
    fn hear(&mut self, member: usize, news: &News) {
        let News::Text(text) = news else { panic!("{member} got {news:?}") };
        let got: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        self.frames += 1;
        let other =
            got["data"]["peerId"].as_str().unwrap_or_else(|| panic!("no peerId in {text}")).to_owned();
        let knows = self.knows.entry(member).or_default();
        match got["type"].as_str() {
            Some("peer-discovered") => drop(knows.insert(other)),
            Some("peer-disconnected") => assert!(knows.remove(&other), "{member} did not know {other}"),
            _ => panic!("{member} got {text}"),
        }
    }

    /// Everybody knows only those who know it.
    fn assert_mutual(&self, crowd: &Crowd) {
        let numbers: BTreeMap<&str, usize> =
            (0..crowd.count()).map(|member| (crowd.id(member), member)).collect();
        for (member, knows) in &self.knows {
            for other in knows {
                let number = numbers[other.as_str()];
                let is_known = self.knows.get(&number).is_some_and(|back| back.contains(crowd.id(*member)));
                assert!(is_known, "{member} knows {number}, but not the other way round");
            }
        }
    }
}

#[test]
fn five_hundred_peers_join_with_a_few_frames_each_and_nobody_is_alone() {
    const PEERS: usize = 500;
    // What comes due meanwhile would count as caused by whoever joins then: how much depends on how fast this machine is.
    let server = Server::with(&[("REINTRODUCE_INTERVAL", "0")]);
    let mut crowd = Crowd::new();
    let told = RefCell::new(Told::default());
    let mut most = 0;
    for newcomer in 0..PEERS {
        crowd.connect(&server, 1);
        crowd.announce(newcomer, "net");
        let before = told.borrow().frames;
        // First the newcomer, so that its announcement is done, then everybody.
        crowd.settle([newcomer], |member, news| told.borrow_mut().hear(member, &news));
        crowd.settle_all(|member, news| told.borrow_mut().hear(member, &news));
        most = most.max(told.borrow().frames - before);
        // In a network of a few it meets everybody, and later on those who have room, or four of those who have not.
        let known = told.borrow().knows.get(&newcomer).map_or(0, BTreeSet::len);
        let expected = if newcomer <= LINKS { newcomer } else { 1 };
        assert!(known >= expected, "newcomer {newcomer} was introduced to {known}");
    }
    let told = told.into_inner();
    told.assert_mutual(&crowd);
    println!("at most {most} frames for one join, {} in total", told.frames);
    assert!(most <= 4 * FRAMES, "{most} frames for one join");
}

#[test]
fn those_who_are_left_when_half_of_the_peers_vanish_know_who_is_there_and_only_them() {
    const PEERS: usize = 200;
    let server = Server::start();
    let mut crowd = Crowd::new();
    let told = RefCell::new(Told::default());
    crowd.connect(&server, PEERS);
    for member in 0..PEERS {
        crowd.announce(member, "net");
        crowd.settle([member], |member, news| told.borrow_mut().hear(member, &news));
    }
    crowd.settle_all(|member, news| told.borrow_mut().hear(member, &news));
    let stays = |member: &usize| member.is_multiple_of(2);
    for member in (0..PEERS).filter(|member| !stays(member)) {
        crowd.drop_connection(member);
        told.borrow_mut().knows.remove(&member);
    }
    server.wait_for_peers(PEERS as u64 / 2);
    // Who knows nobody any more is introduced to others a moment later.
    for _ in 0..3 {
        crowd.settle_all(|member, news| told.borrow_mut().hear(member, &news));
    }
    let told = told.into_inner();
    // Nobody knows anybody who is gone: each of their acquaintances was told, once.
    told.assert_mutual(&crowd);
    for member in (0..PEERS).filter(stays) {
        assert!(told.knows.get(&member).is_some_and(|known| !known.is_empty()), "{member} knows nobody");
    }
}

#[test]
fn the_same_peers_are_introduced_in_the_same_way_by_every_server() {
    let meet = || {
        let server = Server::start();
        let mut crowd = Crowd::new();
        let told = RefCell::new(Told::default());
        crowd.connect(&server, 100);
        for member in 0..100 {
            crowd.announce(member, "net");
            crowd.settle([member], |member, news| told.borrow_mut().hear(member, &news));
        }
        crowd.settle_all(|member, news| told.borrow_mut().hear(member, &news));
        told.into_inner().knows
    };
    assert_eq!(meet(), meet());
}

#[test]
fn networks_do_not_meet() {
    let server = Server::start();
    let mut crowd = Crowd::new();
    let told = RefCell::new(Told::default());
    crowd.connect(&server, 60);
    for member in 0..60 {
        crowd.announce(member, ["red", "green", "blue"][member % 3]);
        crowd.settle([member], |member, news| told.borrow_mut().hear(member, &news));
    }
    crowd.settle_all(|member, news| told.borrow_mut().hear(member, &news));
    let told = told.into_inner();
    for (member, knows) in &told.knows {
        for other in (0..60).filter(|other| other % 3 != member % 3) {
            assert!(!knows.contains(crowd.id(other)), "{member} was told of {other}");
        }
    }
    for network in 0..3 {
        let in_it = |member: &usize| member % 3 == network;
        let known = |member: usize| told.knows.get(&member).is_some_and(|known| !known.is_empty());
        assert!((0..60).filter(in_it).all(known), "somebody in network {network} knows nobody");
    }
}
