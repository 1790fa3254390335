//! Who is there, suspected, dead, or gone.

use alloc::vec::Vec;

use super::super::{Change, NodeEnd};
use super::side::{KEY, Side, TIMEOUT, carry, opened, pass};
use crate::{Channel, Time};

const DEAD: Change = Change::Closed(KEY, NodeEnd::Silent);

/// The node alone, from beat to beat.
fn alone(side: &mut Side, from: u64, until: u64) {
    for now in (from..=until).step_by(100) {
        side.tick(now);
        side.flush(now);
    }
}

fn ends(side: &Side) -> Vec<Change> {
    side.changes.iter().filter(|change| matches!(change, Change::Closed(..))).copied().collect()
}

#[test]
fn beats_go_out_twice_a_second_while_the_bus_is_up() {
    let mut side = Side::new(1);
    let mut sent = Vec::new();
    for now in 0..2_000 {
        side.tick(now);
        sent.extend(side.flush(now).into_iter().map(|(to, _)| (now, to)));
    }
    assert_eq!(sent, [0, 500, 1_000, 1_500].map(|now| (now, Channel::All)));
    side.nodes.set_bus(Time(2_000), false);
    assert_eq!(side.nodes.next_due(), None);
    side.tick(2_500);
    assert_eq!(side.flush(2_500), []);
    side.nodes.set_bus(Time(2_600), true);
    assert_eq!(side.flush(2_600).len(), 1);
    assert_eq!(side.nodes.next_due(), Some(Time(3_100)));
}

#[test]
fn a_silent_node_is_dead_after_three_seconds() {
    let mut sides = opened();
    alone(&mut sides[0], 100, TIMEOUT - 100);
    sides[0].tick(TIMEOUT - 1);
    assert_eq!(ends(&sides[0]), []);
    sides[0].tick(TIMEOUT);
    assert_eq!(ends(&sides[0]), [DEAD]);
    assert_eq!(sides[0].nodes.len(), 0);
}

#[test]
fn it_is_suspected_after_half_of_that() {
    let mut sides = opened();
    alone(&mut sides[0], 100, TIMEOUT / 2);
    assert!(sides[0].nodes.is_reachable(KEY, Time(TIMEOUT / 2 - 1)));
    assert!(!sides[0].nodes.is_reachable(KEY, Time(TIMEOUT / 2)));
}

#[test]
fn who_never_opened_ends_without_a_word() {
    let mut side = Side::new(1);
    side.receive(0, &Side::new(2).flush(0).remove(0).1).unwrap();
    alone(&mut side, 100, TIMEOUT);
    assert_eq!(side.nodes.len(), 0);
    assert_eq!(side.changes, []);
}

#[test]
fn nobody_dies_while_the_bus_is_down_nor_right_after() {
    let mut sides = opened();
    sides[0].nodes.set_bus(Time(100), false);
    alone(&mut sides[0], 200, 20_000);
    assert!(!sides[0].nodes.is_reachable(KEY, Time(200)));
    sides[0].nodes.set_bus(Time(20_000), true);
    alone(&mut sides[0], 20_000, 20_000 + TIMEOUT - 100);
    assert_eq!(ends(&sides[0]), []);
    sides[0].tick(20_000 + TIMEOUT);
    assert_eq!(ends(&sides[0]), [DEAD]);
}

#[test]
fn nobody_is_dead_while_own_beats_do_not_come_back() {
    let mut sides = opened();
    for now in (100..=20_000).step_by(100) {
        sides[0].tick_deaf(now);
    }
    assert_eq!(ends(&sides[0]), [], "the bus brings nothing of anybody");
    alone(&mut sides[0], 20_100, 20_100 + TIMEOUT - 100);
    assert_eq!(ends(&sides[0]), [], "its time begins when the bus brings something again");
    sides[0].tick(20_100 + TIMEOUT);
    assert_eq!(ends(&sides[0]), [DEAD]);
}

#[test]
fn a_driver_that_comes_late_has_not_listened() {
    for is_late in [false, true] {
        let mut sides = opened();
        let due = sides[0].nodes.next_due().unwrap().0;
        alone(&mut sides[0], due, TIMEOUT - 600);
        let due = sides[0].nodes.next_due().unwrap().0;
        let now = due + 1_000 + u64::from(is_late);
        assert!(now > TIMEOUT);
        sides[0].tick(now);
        assert_eq!(ends(&sides[0]).len(), usize::from(!is_late));
        alone(&mut sides[0], now + 100, now + TIMEOUT - 100);
        assert_eq!(ends(&sides[0]).len(), usize::from(!is_late));
        sides[0].tick(now + TIMEOUT);
        assert_eq!(ends(&sides[0]), [DEAD]);
    }
}

#[test]
fn where_all_of_several_are_silent_the_bus_gets_another_chance() {
    let mut sides = [1, 2, 3].map(Side::new);
    carry(0, &mut sides);
    alone(&mut sides[0], 100, 2 * TIMEOUT - 100);
    assert_eq!(ends(&sides[0]), []);
    alone(&mut sides[0], 2 * TIMEOUT, 2 * TIMEOUT);
    assert_eq!(ends(&sides[0]).len(), 2);
}

#[test]
fn one_silent_node_among_others_is_dead_in_time() {
    let mut sides = [1, 2, 3].map(Side::new);
    carry(0, &mut sides);
    pass(100, TIMEOUT - 100, &mut sides[..2]);
    assert_eq!(ends(&sides[0]), []);
    pass(TIMEOUT, TIMEOUT, &mut sides[..2]);
    assert_eq!(ends(&sides[0]).len(), 1);
    assert_eq!(sides[0].nodes.len(), 1);
}

#[test]
fn who_says_goodbye_is_gone_at_once_and_for_good() {
    let mut sides = opened();
    let late = {
        sides[1].tick(500);
        sides[1].flush(500)
    };
    sides[1].push(b"last words");
    sides[1].nodes.say_bye();
    let frames = sides[1].flush(510);
    assert_eq!(frames.last().map(|(to, _)| *to), Some(Channel::All));
    for (_, frame) in frames.iter().chain(&late) {
        sides[0].receive(600, frame).unwrap();
    }
    assert_eq!(sides[0].events, [b"last words"]);
    assert_eq!(ends(&sides[0]), [Change::Closed(KEY, NodeEnd::Left)]);
    assert_eq!(sides[0].nodes.len(), 0);
    sides[1].tick(1_010);
    assert_eq!(sides[1].flush(1_010), [], "nothing follows a goodbye");
}

#[test]
fn a_goodbye_of_a_stranger_is_remembered() {
    let mut side = Side::new(1);
    let mut other = Side::new(2);
    let beat = other.flush(0).remove(0).1;
    other.nodes.say_bye();
    let bye = other.flush(0).remove(0).1;
    side.receive(0, &bye).unwrap();
    side.receive(0, &beat).unwrap();
    assert_eq!(side.nodes.len(), 0);
}

#[test]
fn a_dead_node_that_speaks_again_is_a_stranger() {
    let mut sides = opened();
    alone(&mut sides[0], 100, TIMEOUT);
    sides[1].tick(TIMEOUT + 100);
    carry(TIMEOUT + 100, &mut sides);
    assert_eq!(sides[0].changes, [Change::Opened(KEY), DEAD, Change::Opened(KEY)]);
    assert_eq!(sides[1].changes, [Change::Opened(KEY), Change::Opened(KEY)]);
}
