//! Who is told of whom.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use peerpigeon_tests::{Crowd, News, Server, id};
use serde_json::Value;

/// `INTRODUCTIONS` by default: what a peer that asks for less is introduced to.
const K: usize = 16;

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

    /// How many pieces the graph of acquaintances of these members has.
    fn pieces(&self, crowd: &Crowd, members: impl Iterator<Item = usize>) -> usize {
        let mut left: BTreeSet<&str> = members.map(|member| crowd.id(member)).collect();
        let numbers: BTreeMap<&str, usize> =
            (0..crowd.count()).map(|member| (crowd.id(member), member)).collect();
        let mut pieces = 0;
        while let Some(first) = left.pop_first() {
            pieces += 1;
            let mut reached = vec![first];
            while let Some(next) = reached.pop() {
                for other in self.knows.get(&numbers[next]).into_iter().flatten() {
                    if let Some(other) = left.take(other.as_str()) {
                        reached.push(other);
                    }
                }
            }
        }
        pieces
    }
}

#[test]
fn five_hundred_peers_join_with_at_most_2k_frames_each_and_are_one_piece() {
    const PEERS: usize = 500;
    let server = Server::start();
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
        let frames = told.borrow().frames - before;
        assert!(frames <= 2 * K, "{frames} frames when {newcomer} joined");
        // While the network has at most k others, that is everybody.
        let known = told.borrow().knows.get(&newcomer).map_or(0, BTreeSet::len);
        assert_eq!(known, newcomer.min(K), "newcomer {newcomer} was introduced to {known}");
        most = most.max(frames);
    }
    let told = told.into_inner();
    told.assert_mutual(&crowd);
    assert_eq!(told.pieces(&crowd, 0..PEERS), 1);
    println!("at most {most} frames for one join, {} in total", told.frames);
}

#[test]
fn the_graph_stays_one_piece_when_half_of_the_peers_vanish() {
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
    crowd.settle_all(|member, news| told.borrow_mut().hear(member, &news));

    let told = told.into_inner();
    // Nobody knows anybody who is gone: each of their acquaintances was told, once.
    told.assert_mutual(&crowd);
    assert_eq!(told.pieces(&crowd, (0..PEERS).filter(stays)), 1);
    // Whoever had fewer than half was introduced again.
    for member in (0..PEERS).filter(stays) {
        let known = told.knows[&member].len();
        assert!(known >= K / 2, "{member} knows only {known} others");
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
fn announced_peers_are_introduced_again_from_time_to_time() {
    let server = Server::with(&[("REINTRODUCE_INTERVAL", "200")]);
    let mut a = peerpigeon_tests::Peer::announced(&server, &id::of('a'), "net");
    let mut b = peerpigeon_tests::Peer::announced(&server, &id::of('b'), "net");
    for _ in 0..3 {
        assert_eq!(a.expect("peer-discovered")["data"]["peerId"], id::of('b'));
        assert_eq!(b.expect("peer-discovered")["data"]["peerId"], id::of('a'));
    }
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
        assert_eq!(told.pieces(&crowd, (0..60).filter(|member| member % 3 == network)), 1);
    }
}
