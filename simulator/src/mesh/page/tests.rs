//! Each habit of the real client, at the page's own edge.

use super::*;
use crate::mesh::introducer::Reason;

/// A page under test and what it said, with the time that passes.
struct Bench {
    page: Page,
    now: Time,
    random: Random,
    outputs: Vec<Output>,
}

/// Keys are told apart, ordered and measured by one byte.
fn key(byte: u32) -> Key {
    Key::new(byte, u64::from(byte) << 32)
}

const ME: u32 = 0x80;

const NOBODY: [u32; 0] = [];

fn page(capacity: u8) -> Bench {
    client(Client::V1_1_3, capacity)
}

fn client(client: Client, capacity: u8) -> Bench {
    Bench {
        page: Page::new(Time(0), key(ME), capacity, client),
        now: Time(0),
        random: Random::new(1),
        outputs: Vec::new(),
    }
}

impl Bench {
    fn act(&mut self, act: impl FnOnce(&mut Page, &mut Turn<'_>)) {
        let mut turn = Turn { now: self.now, random: &mut self.random, outputs: &mut self.outputs };
        act(&mut self.page, &mut turn);
    }

    /// Lets time pass, in ms.
    fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some(due) = self.page.timeout()
            && due <= end
        {
            assert!(due >= self.now, "it wants to be woken in the past");
            self.now = due;
            self.act(Page::tick);
        }
        self.now = end;
    }

    fn discovered(&mut self, byte: u32) {
        self.act(|page, turn| page.discovered(turn, key(byte)));
    }

    fn signal(&mut self, byte: u32, message: Message) {
        self.act(|page, turn| page.signal(turn, key(byte), message));
    }

    fn rejected(&mut self, byte: u32) {
        self.signal(byte, Message::Rejected(Reason::Full));
    }

    fn change(&mut self, end: End, change: Change) {
        self.act(|page, turn| page.change(turn, end, change));
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// To whom it sent offers.
    fn offers(&mut self) -> Vec<u32> {
        let outputs = self.outputs();
        let offers = outputs.into_iter().filter_map(|output| match output {
            Output::Signal { to, message: Message::Offer { .. } } => Some(to.number()),
            Output::Signal { .. } | Output::Check { .. } | Output::Closed { .. } => None,
        });
        offers.collect()
    }

    fn end_to(&self, byte: u32) -> Option<End> {
        self.page.connections().iter().find(|one| one.peer == key(byte)).map(|one| one.end)
    }

    /// Links it to a peer with a larger id, which dials.
    fn link(&mut self, byte: u32) {
        assert!(byte > ME);
        self.signal(byte, Message::Offer { end: 1 });
        self.pass(15);
        let end = self.end_to(byte).expect("the offer was taken");
        self.open(end);
        self.outputs.clear();
    }

    /// The link of this end comes up.
    fn open(&mut self, end: End) {
        for change in [Change::Reached, Change::Secured, Change::Opened] {
            self.change(end, change);
        }
    }

    fn linked(&self) -> Vec<u32> {
        self.page.connections().iter().filter(|one| one.is_up()).map(|one| one.peer.number()).collect()
    }

    fn closed(&mut self, byte: u32, cause: Cause) -> bool {
        let closed = |output: &Output| matches!(output, Output::Closed { peer, cause: why, .. } if *peer == key(byte) && *why == cause);
        self.outputs().iter().any(closed)
    }
}

fn signal(byte: u32, message: Message) -> Output {
    Output::Signal { to: key(byte), message }
}

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

#[test]
fn the_smallest_of_all_it_knows_dials_when_it_has_no_link() {
    let mut page = page(3);
    [0xF0, 0xC0, 0xA0, 0x90].into_iter().for_each(|peer| page.discovered(peer));
    page.pass(10);
    // Three places for the first three, each among the three nearest when it was told of.
    assert_eq!(page.offers(), [0xF0, 0xC0, 0xA0]);
}
