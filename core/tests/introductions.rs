//! Who is introduced to whom, against a slow reference; and what that makes of a network.
#![allow(missing_docs, clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::Board;
use peerpigeon_core::{Event, Limits, Occasion, PeerId};
use proptest::prelude::*;

/// The choice as the protocol document says it, by sorting everybody.
fn reference(me: &PeerId, others: &BTreeSet<PeerId>, k: usize) -> BTreeSet<PeerId> {
    let mut nearest: Vec<PeerId> = others.iter().filter(|id| *id != me).copied().collect();
    nearest.sort_by_key(|id| id.distance(me));
    let mut chosen: Vec<PeerId> = nearest.iter().take(k.div_ceil(2)).copied().collect();
    let bucket = |id: &PeerId| {
        let bits = id.distance(me);
        bits.iter().flat_map(|byte| (0..8).rev().map(move |i| byte >> i & 1)).position(|bit| bit == 1)
    };
    let mut first_of: BTreeMap<Option<usize>, PeerId> = BTreeMap::new();
    for id in &nearest {
        first_of.entry(bucket(id)).or_insert(*id);
    }
    let mut far: Vec<PeerId> = first_of.into_values().filter(|id| !chosen.contains(id)).collect();
    let places = k.saturating_sub(chosen.len());
    if far.len() > places {
        let number = me.0[16..].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let begin = usize::try_from(number % far.len() as u64).unwrap();
        far.rotate_left(begin);
        far.truncate(places);
    }
    chosen.extend(far);
    for id in nearest {
        if chosen.len() < k && !chosen.contains(&id) {
            chosen.push(id);
        }
    }
    chosen.into_iter().collect()
}

fn id(bytes: [u8; 20]) -> PeerId {
    PeerId(bytes)
}

/// Ids spread over the whole range, or crowded behind a common prefix.
fn ids() -> impl Strategy<Value = Vec<PeerId>> {
    let crowded = (any::<[u8; 20]>(), 0_usize..20).prop_map(|(mut bytes, prefix)| {
        bytes[..prefix].fill(0x5A);
        id(bytes)
    });
    prop::collection::vec(prop_oneof![any::<[u8; 20]>().prop_map(id), crowded], 1..80)
}

fn quiet(introductions: u8) -> Limits {
    Limits {
        introductions,
        ping_interval_ms: 0,
        peer_timeout_ms: 0,
        reintroduce_interval_ms: 0,
        message_rate_per_second: 0,
        ..Limits::default()
    }
}

fn introduced(board: &mut Board, wanted: Occasion) -> Vec<(PeerId, PeerId)> {
    let pairs = std::mem::take(&mut board.events).into_iter().filter_map(|event| match event {
        Event::Introduced { newcomer, other, occasion } if occasion == wanted => Some((newcomer, other)),
        _ => None,
    });
    pairs.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_choice_is_that_of_the_reference(ids in ids(), introductions in 1_u8..=20, wanted in 1_u8..=30) {
        let mut board = Board::unwatched(quiet(introductions));
        let mut others = BTreeSet::new();
        for (conn, me) in (1_u64..).zip(ids) {
            if !others.insert(me) {
                continue;
            }
            board.open(conn, &me.to_string());
            board.events.clear();
            board.text(conn, &format!(r#"{{"type":"announce","maxPeers":{wanted}}}"#));
            let chosen: BTreeSet<PeerId> = introduced(&mut board, Occasion::Announce).iter().map(|pair| pair.1).collect();
            prop_assert_eq!(chosen, reference(&me, &others, usize::from(introductions.max(wanted))));
        }
    }

    #[test]
    fn nobody_is_left_with_fewer_than_half_of_its_acquaintances(
        ids in ids(), leaving in prop::collection::vec(any::<prop::sample::Index>(), 0..60)
    ) {
        const K: usize = 10;
        let mut board = Board::unwatched(quiet(10));
        let mut here: Vec<(u64, PeerId)> = (1..).zip(ids.into_iter().collect::<BTreeSet<_>>()).collect();
        for (conn, me) in &here {
            board.join(*conn, &me.to_string(), "global");
        }
        let mut known: BTreeMap<PeerId, BTreeSet<PeerId>> = BTreeMap::new();
        for index in leaving {
            if here.is_empty() {
                break;
            }
            let (conn, gone) = here.swap_remove(index.index(here.len()));
            board.lose(conn);
            for event in board.events.drain(..) {
                if let Event::Introduced { newcomer, other, .. } = event {
                    known.entry(newcomer).or_default().insert(other);
                    known.entry(other).or_default().insert(newcomer);
                }
            }
            for acquaintance in known.remove(&gone).unwrap_or_default() {
                known.entry(acquaintance).or_default().remove(&gone);
            }
            for (_, me) in &here {
                let known = known.get(me).map_or(0, BTreeSet::len);
                prop_assert!(known >= (K / 2).min(here.len() - 1), "{me} knows {known} of {}", here.len());
            }
        }
    }
}

#[test]
fn five_hundred_joins_cost_at_most_two_messages_per_introduction_and_make_one_piece() {
    let mut board = Board::unwatched(quiet(16));
    let mut graph: BTreeMap<PeerId, Vec<PeerId>> = BTreeMap::new();
    for conn in 0..500_u64 {
        let digits = format!("{:016x}", (conn + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        board.open(conn, &digits.repeat(3)[..40]);
        board.raw.clear();
        board.announce(conn, "n");
        assert!(board.raw.len() <= 32, "{} messages for one join", board.raw.len());
        for (a, b) in introduced(&mut board, Occasion::Announce) {
            graph.entry(a).or_default().push(b);
            graph.entry(b).or_default().push(a);
        }
    }
    let mut seen = BTreeSet::new();
    let mut ahead: Vec<PeerId> = graph.keys().next().copied().into_iter().collect();
    while let Some(peer) = ahead.pop() {
        if seen.insert(peer) {
            ahead.extend(&graph[&peer]);
        }
    }
    assert_eq!(seen.len(), 500);
}

#[test]
fn who_loses_most_acquaintances_is_introduced_to_others() {
    let mut board = Board::new(quiet(4));
    for conn in 0..40_u64 {
        board.join(conn, &format!("{:040x}", u128::from(conn).wrapping_mul(0x0707_0707_0707_0707)), "n");
    }
    board.events.clear();
    for conn in 0..38 {
        board.lose(conn);
    }
    assert!(!introduced(&mut board, Occasion::Healing).is_empty());
    assert_eq!(board.board.census().acquaintances, 1, "the last two know each other");
}

#[test]
fn who_still_knows_half_of_its_choice_is_left_alone_and_who_knows_fewer_is_not() {
    let mut board = Board::new(quiet(1));
    // Everybody else knows its neighbour, and the one who knows ten is nobody's neighbour.
    for conn in 0..40_u64 {
        board.open(conn, &format!("{conn:040x}"));
        board.text(conn, r#"{"type":"announce","maxPeers":1}"#);
    }
    board.open(99, &"f".repeat(40));
    board.events.clear();
    board.text(99, r#"{"type":"announce","maxPeers":10}"#);
    let known: Vec<PeerId> = introduced(&mut board, Occasion::Announce).iter().map(|pair| pair.1).collect();
    assert_eq!(known.len(), 10);
    let newcomer = id([0xFF; 20]);
    for (lost, peer) in (1..).zip(known) {
        let conn = u64::from(peer.0[19]);
        board.lose(conn);
        let healed: BTreeSet<PeerId> = introduced(&mut board, Occasion::Healing)
            .into_iter()
            .filter(|pair| pair.0 == newcomer)
            .map(|pair| pair.1)
            .collect();
        assert_eq!(healed.len(), if lost == 6 { 6 } else { 0 }, "after {lost}");
    }
}

#[test]
fn the_nearest_come_first_and_then_the_farthest_buckets_inwards_where_there_is_a_place_for_each() {
    let mut board = Board::new(quiet(4));
    let far = |first: u8| id(std::array::from_fn(|i| if i == 0 { first } else { 0 }));
    let near = |last: u8| id(std::array::from_fn(|i| if i == 19 { last } else { 0 }));
    let others = [near(2), far(0x40), near(3), far(0x80)];
    for (conn, other) in (2..).zip(others) {
        board.join(conn, &other.to_string(), "global");
    }
    board.open(1, &near(1).to_string());
    board.events.clear();
    board.text(1, r#"{"type":"announce","maxPeers":4}"#);
    let order = introduced(&mut board, Occasion::Announce).into_iter().map(|pair| pair.1);
    assert_eq!(order.collect::<Vec<_>>(), [near(3), near(2), far(0x80), far(0x40)]);
}

#[test]
fn who_can_have_only_so_many_acquaintances_is_introduced_to_so_many() {
    let mut board = Board::new(Limits { acquaintances: 7, ..quiet(1) });
    for conn in 0..30_u8 {
        let other = id(std::array::from_fn(|i| if i == 0 { conn.reverse_bits() } else { conn }));
        board.open(conn.into(), &other.to_string());
        board.text(conn.into(), r#"{"type":"announce","maxPeers":1}"#);
    }
    board.open(99, &"f".repeat(40));
    for _ in 0..2 {
        board.events.clear();
        board.text(99, r#"{"type":"announce","maxPeers":10}"#);
        // Five of them the nearest, so that the limit is met among the far ones; then it is those that it knows.
        let chosen: BTreeSet<PeerId> =
            introduced(&mut board, Occasion::Announce).iter().map(|pair| pair.1).collect();
        assert_eq!(chosen.len(), 7);
    }
    assert_eq!(board.board.census().peers, 31);
}

#[test]
fn nobody_gets_more_acquaintances_than_the_limit() {
    let mut board = Board::new(Limits { acquaintances: 5, ..quiet(4) });
    board.join(0, &"f".repeat(40), "n");
    for conn in 1..60_u64 {
        board.join(conn, &format!("{conn:040x}"), "n");
    }
    assert_eq!(board.board.census().peers, 60);
}

#[test]
fn everybody_is_told_again_of_its_choice_and_of_nobody_else() {
    let mut board = Board::unwatched(Limits { reintroduce_interval_ms: 240_000, ..quiet(16) });
    let all: BTreeSet<PeerId> = (1..=90_u8)
        .map(|i| id(std::array::from_fn(|place| if place == 0 { i.wrapping_mul(151) } else { i })))
        .collect();
    for (conn, me) in (0..).zip(&all) {
        board.join(conn, &me.to_string(), "n");
    }
    // Until everybody knows its choice as the network is now.
    board.pass(288_000);
    assert!(!introduced(&mut board, Occasion::Again).is_empty());
    board.raw.clear();
    board.events.clear();
    board.pass(288_000);
    let mut told: BTreeMap<PeerId, BTreeSet<PeerId>> = BTreeMap::new();
    for event in &board.events {
        let Event::Reminded { peer, of } = event else { panic!("{event:?}") };
        told.entry(*peer).or_default().insert(*of);
    }
    assert_eq!(board.raw.len(), board.events.len(), "the others are told nothing");
    for me in &all {
        assert_eq!(told[me], reference(me, &all, 16));
    }
}
