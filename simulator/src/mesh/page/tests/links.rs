//! How offers are taken and refused, and how links come and go.

use super::*;

#[test]
fn an_offer_of_the_larger_id_is_answered_after_three_calls() {
    let mut page = page(3);
    page.signal(0xC0, Message::Offer { end: 9 });
    page.pass(14);
    assert_eq!(page.outputs(), []);
    page.pass(1);
    let check = Output::Check { peer: key(0xC0), end: 1, other: 9 };
    assert_eq!(page.outputs(), [signal(0xC0, Message::Answer { end: 1, to: 9 }), check]);
}

#[test]
fn an_offer_of_the_smaller_id_is_refused_even_with_room() {
    let mut page = page(3);
    page.signal(0x40, Message::Offer { end: 1 });
    assert_eq!(page.outputs(), [signal(0x40, Message::Rejected(Reason::Role))]);
}

#[test]
fn a_full_page_evicts_its_farthest_for_a_nearer_dialler_and_refuses_a_farther_one() {
    let mut page = page(2);
    page.link(0xC0);
    page.link(0xA0);
    page.signal(0xE0, Message::Offer { end: 1 });
    assert_eq!(page.outputs(), [signal(0xE0, Message::Rejected(Reason::Full))]);
    page.signal(0x90, Message::Offer { end: 1 });
    assert!(page.closed(0xC0, Cause::Evicted));
    assert_eq!(page.linked(), [0xA0]);
    page.pass(15);
    assert!(page.outputs().contains(&signal(0x90, Message::Answer { end: 3, to: 1 })));
}

#[test]
fn an_attempt_is_evicted_as_a_link_is() {
    let mut page = page(2);
    page.link(0xA0);
    page.discovered(0x10);
    page.pass(10);
    page.signal(0x90, Message::Offer { end: 1 });
    assert!(page.closed(0x10, Cause::Evicted));
    assert_eq!(page.linked(), [0xA0]);
}

#[test]
fn a_full_page_without_a_link_evicts_its_oldest_attempt_for_anybody() {
    let mut page = page(1);
    page.discovered(0x70);
    page.pass(10);
    page.signal(0xFF, Message::Offer { end: 1 });
    assert!(page.closed(0x70, Cause::Evicted));
}

#[test]
fn a_refusal_of_its_own_offer_closes_the_answer_to_the_other_ones() {
    let mut page = page(3);
    page.discovered(0xA0);
    page.pass(10);
    assert_eq!(page.offers(), [0xA0]);
    page.pass(20);
    page.signal(0xA0, Message::Offer { end: 5 });
    page.pass(15);
    assert!(page.outputs().contains(&signal(0xA0, Message::Answer { end: 2, to: 5 })));
    page.signal(0xA0, Message::Rejected(Reason::Role));
    assert_eq!(page.end_to(0xA0), None);
}

#[test]
fn what_is_closed_while_its_offer_is_made_takes_a_newer_link_with_it_ten_seconds_later() {
    let mut page = page(3);
    page.discovered(0xA0);
    page.pass(7);
    page.signal(0xA0, Message::Offer { end: 5 });
    page.pass(15);
    let end = page.end_to(0xA0).unwrap();
    page.open(end);
    page.pass(10_004 - 22);
    assert_eq!(page.linked(), [0xA0]);
    page.pass(1);
    assert_eq!(page.linked(), NOBODY);
}

#[test]
fn an_answer_to_an_older_offer_never_becomes_a_link() {
    let mut page = page(3);
    page.discovered(0x40);
    page.pass(10);
    page.rejected(0x40);
    page.pass(4_000);
    assert_eq!(page.offers(), [0x40, 0x40]);
    page.signal(0x40, Message::Answer { end: 9, to: 1 });
    page.signal(0x40, Message::Candidate);
    page.pass(5);
    page.signal(0x40, Message::Answer { end: 9, to: 2 });
    page.pass(5);
    let checks = page.outputs().into_iter().filter(|output| matches!(output, Output::Check { .. }));
    assert_eq!(checks.count(), 0);
}

#[test]
fn a_goodbye_closes_at_once_and_clears_every_trace() {
    let mut page = page(3);
    page.link(0x81);
    page.discovered(0x81);
    page.act(|page, turn| page.goodbye(turn, key(0x81)));
    assert!(page.closed(0x81, Cause::Other));
    assert!(!page.page.known.has(key(0x81)));
}

#[test]
fn a_silent_link_takes_its_place_for_five_seconds_more_and_does_not_count() {
    let mut page = page(1);
    page.link(0x81);
    let end = page.end_to(0x81).unwrap();
    page.change(end, Change::Silent);
    assert_eq!(page.page.connected(), 0);
    page.pass(4_999);
    assert_eq!(page.end_to(0x81), Some(end));
    page.pass(1);
    assert_eq!(page.end_to(0x81), None);
}
