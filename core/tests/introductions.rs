//! Who is introduced to whom: everybody in a network of a few, and in a larger one those who can be linked.
#![allow(missing_docs, clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use crate::common::{Board, link, peer_id};
use peerpigeon_core::{Event, Limits, Occasion, PeerId};
use proptest::prelude::*;

fn quiet() -> Limits {
    Limits { ping_interval_ms: 0, peer_timeout_ms: 0, message_rate_per_second: 0, ..Limits::default() }
}

fn announce(board: &mut Board, peer: u64, max_peers: u8) {
    board.open(peer, &peer_id(peer).to_string());
    board.text(peer, &format!(r#"{{"type":"announce","maxPeers":{max_peers}}}"#));
}

/// A network in which all have said hello, and nobody has dialled anybody.
fn crowd(limits: Limits, peers: std::ops::Range<u64>, max_peers: u8) -> Board {
    let mut board = Board::new(limits);
    peers.for_each(|peer| announce(&mut board, peer, max_peers));
    board
}

#[test]
fn in_a_network_of_as_many_as_a_peer_takes_links_everybody_meets_everybody() {
    let mut board = crowd(quiet(), 0..4, 3);
    assert_eq!(board.introductions().0.len(), 6);
    announce(&mut board, 4, 3);
    let met = board.introductions().0;
    assert!(
        met.iter().all(|(.., occasion)| *occasion == Occasion::Healing),
        "nobody has a place for the fifth"
    );
}

#[test]
fn a_newcomer_meets_as_many_with_room_as_it_takes_links_and_no_more_than_the_setting_says() {
    for (introductions, expected) in [(16, 5), (2, 2)] {
        let mut board = crowd(Limits { introductions, ..quiet() }, 0..20, 30);
        board.events.clear();
        announce(&mut board, 99, 5);
        assert_eq!(board.introductions().with(99).count(), expected);
    }
}

#[test]
fn whoever_is_full_is_passed_over_while_somebody_has_room() {
    let mut board = crowd(quiet(), 0..5, 1);
    for (one, two) in [(1, 0), (3, 2)] {
        link(&mut board, one, two);
    }
    board.events.clear();
    announce(&mut board, 99, 1);
    assert_eq!(board.introductions().with(99).collect::<Vec<_>>(), [peer_id(4)]);
}

#[test]
fn two_who_are_linked_to_the_same_peer_are_introduced_only_where_there_is_nobody_else() {
    let mut board = crowd(quiet(), 0..8, 2);
    link(&mut board, 1, 0);
    link(&mut board, 2, 1);
    // Those who did not dial are taken to be full by then.
    board.pass(6_000);
    board.events.clear();
    announce(&mut board, 9, 2);
    announce(&mut board, 10, 2);
    let met: BTreeSet<PeerId> = board.introductions().with(0).collect();
    assert!(!met.contains(&peer_id(2)));
}

#[test]
fn where_nobody_has_room_a_full_page_is_told_that_will_give_up_its_farthest_link() {
    let mut board = Board::new(quiet());
    // All are linked to each other, and to both of the others the farthest is f0….
    for peer in [0x20, 0xf0, 0x10] {
        announce(&mut board, peer << 52, 2);
    }
    link(&mut board, 0xf0 << 52, 0x20 << 52);
    link(&mut board, 0x20 << 52, 0x10 << 52);
    link(&mut board, 0xf0 << 52, 0x10 << 52);
    board.events.clear();
    // Nearer to both than f0…, and larger, so that it dials.
    announce(&mut board, 0x30 << 52, 2);
    let met: Vec<PeerId> = board.introductions().with(0x30 << 52).collect();
    let page = [0x20, 0x10].into_iter().find(|page| met == [peer_id(page << 52)]).unwrap();
    link(&mut board, 0x30 << 52, page << 52);
    board.events.clear();
    // f0… has room as soon as its page has noticed, and the newcomer has.
    board.pass(500);
    assert_eq!(board.introductions().0, [(peer_id(0xf0 << 52), peer_id(0x30 << 52), Occasion::Free)]);
}

#[test]
fn a_newcomer_with_the_smallest_id_waits_for_somebody_with_room() {
    let mut board = crowd(quiet(), 10..14, 1);
    link(&mut board, 11, 10);
    link(&mut board, 13, 12);
    board.events.clear();
    announce(&mut board, 1, 2);
    assert!(board.introductions().0.iter().all(|(.., occasion)| *occasion == Occasion::Healing));
    announce(&mut board, 20, 1);
    assert_eq!(board.introductions().with(20).collect::<Vec<_>>(), [peer_id(1)]);
}

/// Ten pages that take nine links each, and all but one of them taken.
fn ten_with_one_place_each() -> Board {
    let mut board = crowd(quiet(), 10..20, 9);
    for (one, two) in (10..20).flat_map(|one| (10..one).map(move |two| (one, two))) {
        if one - two == 5 {
            board.signal(one, "offer", &peer_id(two).to_string(), "{}", "global");
        } else {
            link(&mut board, one, two);
        }
    }
    // Offers without an answer are over by then.
    board.pass(10_000);
    board
}

#[test]
fn of_many_places_the_last_is_kept_for_who_has_few_links_and_a_newcomer_with_the_smallest_id_waits_for_nobody()
 {
    let mut board = ten_with_one_place_each();
    board.events.clear();
    board.pass(600_000);
    assert_eq!(board.introductions().0, [], "those who have many links leave the places free");
    announce(&mut board, 1, 9);
    let met: Vec<_> = board.introductions().with(1).collect();
    assert_eq!(met.len(), 3, "as many as its page would dial by itself");
    assert!(board.introductions().0.iter().all(|(.., occasion)| *occasion == Occasion::Announce));
}

#[test]
fn who_could_dial_and_does_not_is_taken_to_be_full_until_it_does() {
    let mut board = crowd(quiet(), 1..3, 1);
    board.pass(6_000);
    board.events.clear();
    announce(&mut board, 5, 1);
    assert_eq!(board.introductions().with(5).collect::<Vec<_>>(), [peer_id(1)], "2 did not dial 1");
    board.signal(2, "offer", &peer_id(1).to_string(), "{}", "global");
    board.signal(1, "connection-rejected", &peer_id(2).to_string(), "{}", "global");
    board.events.clear();
    announce(&mut board, 6, 1);
    assert_eq!(board.introductions().with(6).collect::<Vec<_>>(), [peer_id(2)], "now it has");
}

#[test]
fn who_lacks_links_is_looked_for_again_and_told_of_the_same_peer_when_its_page_has_forgotten() {
    let mut board = crowd(quiet(), 1..3, 2);
    board.events.clear();
    // 2 dials and its link fails; both have room and nobody else.
    board.signal(2, "offer", &peer_id(1).to_string(), "{}", "global");
    board.pass(330_000);
    assert_eq!(board.introductions().0, []);
    board.pass(42_000);
    assert!(board.introductions().0.iter().any(|(.., occasion)| *occasion == Occasion::Again));
}

#[test]
fn nobody_is_looked_for_again_where_that_is_switched_off() {
    let mut board = crowd(Limits { reintroduce_interval_ms: 0, ..quiet() }, 1..3, 2);
    board.signal(2, "offer", &peer_id(1).to_string(), "{}", "global");
    board.events.clear();
    board.pass(3_600_000);
    assert_eq!(board.introductions().0, []);
}

#[test]
fn who_has_all_its_links_is_never_told_anything_again() {
    let mut board = crowd(quiet(), 1..3, 1);
    link(&mut board, 2, 1);
    board.raw.clear();
    board.pass(3_600_000);
    assert_eq!(board.raw, []);
}

#[test]
fn who_announces_itself_again_tells_those_who_know_it_of_its_data() {
    let mut board = crowd(quiet(), 1..4, 3);
    board.raw.clear();
    board.text(2, r#"{"type":"announce","data":{"new":1},"maxPeers":3}"#);
    let told: Vec<&(u64, String)> =
        board.raw.iter().filter(|(_, text)| text.contains(r#""new":1"#)).collect();
    assert_eq!(told.iter().map(|(to, _)| *to).collect::<BTreeSet<_>>(), BTreeSet::from([1, 3]));
}

#[test]
fn a_network_that_has_become_small_is_one_in_which_everybody_meets_everybody() {
    let mut board = crowd(quiet(), 0..40, 3);
    for gone in 0..37 {
        board.lose(gone);
    }
    board.pass(30_000);
    assert_eq!(board.board.census().acquaintances, 3);
}

#[test]
fn nobody_gets_more_acquaintances_than_the_limit() {
    let mut board = crowd(Limits { acquaintances: 5, ..quiet() }, 0..60, 50);
    assert_eq!(board.board.census().peers, 60);
    board.pass(600_000);
}

#[test]
fn five_hundred_joins_cost_a_few_messages_each_and_make_one_piece() {
    let mut board = Board::unwatched(quiet());
    let mut graph: BTreeMap<PeerId, Vec<PeerId>> = BTreeMap::new();
    for conn in 0..500_u64 {
        board.raw.clear();
        announce(&mut board, conn.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 2, 10);
        assert!(board.raw.len() <= 21, "{} messages for one join", board.raw.len());
    }
    for (a, b, _) in board.introductions().0 {
        graph.entry(a).or_default().push(b);
        graph.entry(b).or_default().push(a);
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Peers come, dial, answer, turn away and leave in any order: nobody is told of itself, of who is gone or linked, nor of
    /// anybody of whom the one that is to dial would not hear.
    #[test]
    fn whoever_is_introduced_is_there_and_would_hear(
        steps in prop::collection::vec((0_u64..12, 0_u64..12, 0_u8..8, 1_u8..4), 1..200)
    ) {
        let mut board = Board::new(Limits { message_ttl_ms: 0, ..quiet() });
        let mut here = BTreeSet::new();
        for (one, two, step, max_peers) in steps {
            let [from, to] = [one, two].map(|peer| peer_id(peer).to_string());
            match step {
                0 | 1 if here.insert(one) => announce(&mut board, one, max_peers),
                2 if here.remove(&one) => board.lose(one),
                3 => board.pass(u64::from(max_peers) * 5_000),
                _ if !here.contains(&one) || one == two => {}
                4 => board.signal(one, "offer", &to, "{}", "global"),
                5 => board.signal(one, "answer", &to, "{}", "global"),
                6 => board.signal(one, "connection-rejected", &to, "{}", "global"),
                7 => {
                    let data = r#"{"reason":"initiator_role_conflict"}"#;
                    board.signal(one, "connection-rejected", &to, data, "global");
                }
                _ => {}
            }
            let there: BTreeSet<PeerId> = here.iter().map(|peer| peer_id(*peer)).collect();
            for (newcomer, other, _) in board.introductions().0 {
                prop_assert!(newcomer != other && there.contains(&newcomer) && there.contains(&other), "{from} {to}");
            }
            let refused = |event: &Event| matches!(event, Event::Refused { .. });
            prop_assert!(step >= 4 || !board.events.iter().any(refused));
            board.events.clear();
        }
    }
}

#[test]
fn who_would_know_nobody_is_introduced_to_four_whether_they_have_room_or_not() {
    let mut board = crowd(quiet(), 10..22, 1);
    (10..22).step_by(2).for_each(|peer| link(&mut board, peer + 1, peer));
    let before = board.board.census().acquaintances;
    board.events.clear();
    announce(&mut board, 1, 1);
    assert!(board.introductions().0.iter().all(|(.., occasion)| *occasion == Occasion::Healing));
    assert_eq!(board.board.census().acquaintances - before, 4);
}
