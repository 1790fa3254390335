//! Whom a page dials, and when.

use super::*;

#[test]
fn the_larger_id_dials_and_an_answer_and_a_candidate_let_ice_begin() {
    let mut page = page(3);
    page.discovered(0x40);
    page.pass(9);
    assert_eq!(page.outputs(), []);
    page.pass(1);
    assert_eq!(page.outputs(), [signal(0x40, Message::Offer { end: 1 })]);
    page.pass(80);
    assert_eq!(page.outputs(), [signal(0x40, Message::Candidate); 2]);
    page.signal(0x40, Message::Answer { end: 7, to: 1 });
    page.pass(5);
    assert_eq!(page.outputs(), [Output::Check { peer: key(0x40), end: 1, other: 7 }]);
    page.signal(0x40, Message::Candidate);
    assert_eq!(page.outputs(), [Output::Check { peer: key(0x40), end: 1, other: 7 }]);
}

#[test]
fn attempts_count_as_links_for_the_room_of_1_1_3_and_not_for_that_of_1_0_6() {
    for (version, offers) in [(Client::V1_1_3, 2), (Client::V1_0_6, 3)] {
        let mut page = client(version, 2);
        [0x10, 0x20, 0x30].into_iter().for_each(|peer| page.discovered(peer));
        page.pass(10);
        assert_eq!(page.offers().len(), offers, "{version:?}");
    }
}

#[test]
fn below_its_floor_a_page_dials_its_nearest_every_four_seconds_whoever_is_larger() {
    for (version, offers) in [(Client::V1_1_3, vec![0xA0, 0xC0]), (Client::V1_0_6, vec![])] {
        let mut page = client(version, 3);
        page.link(0x81);
        [0xF0, 0xC0, 0xA0].into_iter().for_each(|peer| page.discovered(peer));
        page.pass(3_900);
        assert_eq!(page.offers(), NOBODY);
        page.pass(200);
        assert_eq!(page.offers(), offers, "{version:?}");
    }
}

#[test]
fn a_page_at_its_floor_does_not_dial_larger_ids() {
    let mut page = page(10);
    [0x81, 0x82, 0x83].into_iter().for_each(|peer| page.link(peer));
    page.discovered(0xA0);
    page.pass(30_000);
    assert_eq!(page.offers(), NOBODY);
}

#[test]
fn a_rejection_clears_every_trace_so_that_the_same_peer_is_dialled_again_and_again() {
    let mut page = page(3);
    page.link(0x81);
    page.link(0x82);
    page.discovered(0xA0);
    for _ in 0..5 {
        page.pass(4_000);
        assert_eq!(page.offers(), [0xA0]);
        page.rejected(0xA0);
    }
}

#[test]
fn a_rejected_page_without_a_link_dials_the_next_nearest_at_once() {
    let mut page = page(3);
    [0x7F, 0x70, 0x10].into_iter().for_each(|peer| page.discovered(peer));
    page.pass(10);
    assert_eq!(page.offers(), [0x7F, 0x70, 0x10]);
    page.rejected(0x10);
    page.pass(10);
    assert_eq!(page.offers(), NOBODY);
    page.discovered(0x20);
    page.pass(10);
    assert_eq!(page.offers(), [0x20]);
    page.rejected(0x7F);
    page.pass(10);
    assert_eq!(page.offers(), [0x10]);
    page.rejected(0x70);
    page.pass(10);
    assert_eq!(page.offers(), [0x7F]);
}

#[test]
fn a_rejected_page_with_a_link_looks_again_a_second_later() {
    let mut page = page(3);
    page.link(0x81);
    page.link(0x82);
    page.discovered(0x10);
    page.pass(10);
    assert_eq!(page.offers(), [0x10]);
    page.rejected(0x10);
    page.pass(1_009);
    assert_eq!(page.offers(), NOBODY);
    page.pass(1);
    assert_eq!(page.offers(), [0x10]);
}

#[test]
fn who_is_on_the_list_is_not_heard_again_and_leaves_it_five_minutes_after_the_first_time() {
    let mut page = page(3);
    page.discovered(0x40);
    page.pass(10);
    page.rejected(0x40);
    [0x81, 0x82, 0x83].into_iter().for_each(|peer| page.link(peer));
    page.pass(299_900);
    page.discovered(0x40);
    // Sweeps come every 30 s since the announce.
    page.pass(300_049 - page.now.0);
    assert!(page.page.known.has(key(0x40)));
    page.pass(1);
    assert!(!page.page.known.has(key(0x40)));
}

#[test]
fn what_is_linked_is_as_good_as_heard_of_anew() {
    let mut page = page(3);
    page.discovered(0x81);
    page.pass(200_000);
    page.link(0x81);
    page.pass(200_000);
    assert!(page.page.known.has(key(0x81)));
}

#[test]
fn above_seven_of_ten_links_a_page_does_not_look_for_more() {
    for (links, offers) in [(6, vec![0x10]), (7, vec![])] {
        let mut page = page(10);
        (1..=links).for_each(|peer| page.link(0x80 + peer));
        page.discovered(0x10);
        page.pass(10);
        assert_eq!(page.offers(), [0x10]);
        page.rejected(0x10);
        page.pass(5_000);
        assert_eq!(page.offers(), offers, "{links} links");
    }
}

#[test]
fn the_optimizer_dials_one_at_a_time() {
    let mut page = page(10);
    [0x81, 0x82, 0x83].into_iter().for_each(|peer| page.link(peer));
    [0x10, 0x20, 0x30].into_iter().for_each(|peer| page.discovered(peer));
    page.pass(10);
    assert_eq!(page.offers(), [0x10, 0x20, 0x30]);
    page.rejected(0x10);
    page.pass(500);
    [0x20, 0x30].into_iter().for_each(|peer| page.rejected(peer));
    page.pass(510);
    assert_eq!(page.offers(), [0x10]);
}

#[test]
fn after_three_failed_attempts_a_peer_is_forgotten() {
    let mut page = page(3);
    page.link(0x81);
    page.link(0x82);
    page.discovered(0x40);
    for attempt in 1..=3 {
        page.pass(4_010);
        assert_eq!(page.offers(), [0x40], "attempt {attempt}");
        let end = page.end_to(0x40).unwrap();
        page.signal(0x40, Message::Answer { end: 9, to: end });
        // ICE gives up after fifteen seconds.
        page.pass(15_005);
        assert_ne!(page.end_to(0x40), Some(end));
    }
    page.pass(4_010);
    assert_eq!(page.offers(), NOBODY);
    assert!(!page.page.known.has(key(0x40)));
}

#[test]
fn an_unanswered_offer_is_given_up_after_ten_seconds_and_its_mark_keeps_the_peer_from_being_dialled() {
    let mut page = page(3);
    page.discovered(0x40);
    page.pass(10);
    assert_eq!(page.offers(), [0x40]);
    page.pass(9_990);
    assert!(page.end_to(0x40).is_some());
    page.pass(2_010);
    assert_eq!(page.end_to(0x40), None);
    page.pass(280_000);
    assert_eq!(page.offers(), NOBODY);
    page.pass(40_000);
    page.discovered(0x40);
    page.pass(10);
    assert_eq!(page.offers(), [0x40]);
}

#[test]
fn an_offer_given_up_leaves_its_place_too_late_for_the_floor_of_the_same_moment() {
    let mut page = page(3);
    page.link(0x81);
    page.link(0x82);
    [0xA0, 0xB0].into_iter().for_each(|peer| page.discovered(peer));
    page.pass(5_000);
    assert_eq!(page.offers(), [0xA0]);
    // At 16 s the offer is older than ten seconds, and both intervals have their beat.
    page.pass(19_900 - page.now.0);
    assert_eq!(page.end_to(0xA0), None);
    assert_eq!(page.offers(), NOBODY);
    page.pass(200);
    assert_eq!(page.offers(), [0xB0]);
}

#[test]
fn who_loses_its_last_link_looks_half_a_second_later_and_who_is_evicted_does_not() {
    for (change, offers) in [(Change::Closed, vec![0x40]), (Change::Evicted, vec![])] {
        let mut page = client(Client::V1_0_6, 1);
        page.link(0x81);
        let end = page.end_to(0x81).unwrap();
        page.discovered(0x40);
        page.pass(20_000);
        page.change(end, change);
        page.outputs.clear();
        page.pass(510);
        assert_eq!(page.offers(), offers, "{change:?}");
    }
}

#[test]
fn the_smallest_of_all_it_knows_dials_when_it_has_no_link() {
    let mut page = page(3);
    [0xF0, 0xC0, 0xA0, 0x90].into_iter().for_each(|peer| page.discovered(peer));
    page.pass(10);
    // Three places for the first three, each among the three nearest when it was told of.
    assert_eq!(page.offers(), [0xF0, 0xC0, 0xA0]);
}
