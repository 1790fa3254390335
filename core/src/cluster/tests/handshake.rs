//! How two sides agree on their epochs.

use alloc::vec::Vec;

use super::super::{Change, FrameError, NodeKey};
use super::side::{KEY, Side, carry, opened, pass};
use crate::{Channel, NodeId};

const OPENED: Change = Change::Opened(KEY);

#[test]
fn two_nodes_that_hear_each_other_open_a_link() {
    let sides = opened();
    for side in &sides {
        assert_eq!(side.changes, [OPENED]);
        assert_eq!(side.nodes.open().collect::<Vec<_>>(), [KEY]);
        assert_eq!(side.nodes.len(), 1);
    }
    assert_eq!(sides[0].nodes.id(KEY), NodeId(2));
    assert_eq!(sides[1].nodes.id(KEY), NodeId(1));
}

/// Whichever of the first frames are lost.
#[test]
fn a_link_opens_within_the_beats_that_follow_what_is_lost() {
    for lost in 0..256_u32 {
        let mut sides = [Side::new(1), Side::new(2)];
        let mut number = 0;
        for now in (0..8_000).step_by(500) {
            sides.iter_mut().for_each(|side| side.tick(now));
            let frames: Vec<_> = sides.iter_mut().flat_map(|side| side.flush(now)).collect();
            for (_, frame) in frames {
                number += 1;
                if number > 8 || lost & (1 << (number - 1)) == 0 {
                    sides.iter_mut().for_each(|side| side.receive(now, &frame).unwrap());
                }
            }
        }
        for side in &sides {
            assert!(side.is_open(), "{lost:b}");
            assert_eq!(side.changes, [OPENED], "{lost:b}");
        }
    }
}

#[test]
fn a_link_that_breaks_on_one_side_opens_anew_on_both() {
    let mut sides = opened();
    sides[1].push(b"before");
    sides[0].nodes.break_link(KEY);
    assert!(!sides[0].is_open());
    carry(10, &mut sides);
    for side in &mut sides {
        assert_eq!(side.changes, [OPENED, OPENED]);
        assert_eq!(side.events, [[0; 0]; 0]);
        side.push(b"after");
    }
    carry(20, &mut sides);
    sides.iter().for_each(|side| assert_eq!(side.events, [b"after"]));
}

#[test]
fn who_does_not_know_my_epoch_is_told_at_once_and_once_per_beat() {
    let mut sides = opened();
    sides[0].nodes.break_link(KEY);
    assert_eq!(sides[0].flush(10).len(), 1, "it is lost");
    let mut answers = Vec::new();
    for _ in 0..5 {
        sides[1].push(b"old");
        for (_, frame) in sides[1].flush(10) {
            sides[0].receive(10, &frame).unwrap();
            answers.extend(sides[0].flush(10));
        }
    }
    assert_eq!(answers.len(), 1);
    sides[1].receive(10, &answers[0].1).unwrap();
    carry(10, &mut sides);
    sides.iter().for_each(|side| assert_eq!(side.changes, [OPENED; 2]));
}

#[test]
fn links_that_break_on_both_sides_at_once_do_not_chase_each_other() {
    let mut sides = opened();
    for _ in 0..3 {
        sides.iter_mut().for_each(|side| side.nodes.break_link(KEY));
        assert!(carry(10, &mut sides) < 10);
        sides.iter().for_each(|side| assert!(side.is_open()));
    }
    sides.iter().for_each(|side| assert_eq!(side.changes, [OPENED; 4]));
}

#[test]
fn frames_of_a_beginning_that_is_over_have_no_effect() {
    let mut sides = opened();
    let mut old: Vec<Vec<u8>> = Vec::new();
    for round in 1..4 {
        sides.iter_mut().for_each(|side| side.push(b"old"));
        for side in &mut sides {
            old.extend(side.flush(round).into_iter().map(|(_, frame)| frame));
        }
        sides[0].nodes.break_link(KEY);
        carry(round, &mut sides);
    }
    sides.iter_mut().for_each(|side| side.events.clear());
    let changes = sides.each_ref().map(|side| side.changes.len());
    for frame in &old {
        sides.iter_mut().for_each(|side| side.receive(10, frame).unwrap());
    }
    assert!(old.len() >= 6);
    sides.iter().for_each(|side| assert_eq!(side.events, [[0; 0]; 0]));
    assert_eq!(sides.each_ref().map(|side| side.changes.len()), changes);
    sides.iter_mut().for_each(|side| side.push(b"new"));
    carry(10, &mut sides);
    sides.iter().for_each(|side| assert_eq!(side.events, [b"new"]));
}

/// What the one node sent before, and the other has forgotten.
#[test]
fn frames_of_before_a_death_open_nothing() {
    let mut sides = opened();
    sides[1].push(b"old");
    let old: Vec<_> = sides[1].flush(10).into_iter().map(|(_, frame)| frame).collect();
    sides[0].tick(500);
    sides[0].nodes.flush(crate::Time(500), |_, _| ());
    (1_000..=3_000).step_by(500).for_each(|now| sides[0].tick(now));
    assert_eq!(sides[0].nodes.len(), 0);
    for frame in &old {
        sides[0].receive(3_010, frame).unwrap();
    }
    assert_eq!(sides[0].nodes.len(), 0, "what belongs to a link begins none");
    sides[1].tick(3_010);
    carry(3_010, &mut sides);
    old.iter().for_each(|frame| sides[0].receive(3_020, frame).unwrap());
    assert_eq!(sides[0].events, [[0; 0]; 0]);
    assert_eq!(sides[1].changes, [OPENED, OPENED], "its stream has come to an end");
}

#[test]
fn frames_between_others_and_echoes_are_ignored() {
    let mut sides = opened();
    sides[0].push(b"for 2");
    let frames = sides[0].flush(10);
    let mut third = Side::new(3);
    for (to, frame) in &frames {
        assert_eq!(*to, Channel::Node(NodeId(2)));
        third.receive(10, frame).unwrap();
        sides[0].receive(10, frame).unwrap();
    }
    assert_eq!(third.nodes.len(), 0);
    assert_eq!(third.events, [[0; 0]; 0]);
    assert_eq!(sides[0].events, [[0; 0]; 0]);
}

#[test]
fn who_speaks_another_version_only_is_no_node() {
    let mut side = Side::new(1);
    let mut beat = Side::new(2).flush(0).remove(0).1;
    beat[10..12].copy_from_slice(&[2, 3]);
    side.receive(0, &beat).unwrap();
    assert_eq!(side.nodes.len(), 0);
    beat[10..12].copy_from_slice(&[0, 1]);
    beat.extend(*b"of a later version");
    side.receive(0, &beat).unwrap();
    assert_eq!(side.nodes.len(), 1);
    beat[0] = 2;
    assert_eq!(side.receive(0, &beat), Err(FrameError::UnknownVersion));
}

#[test]
fn no_more_nodes_are_taken_than_there_are_places() {
    let mut side = Side::new(0);
    for id in 1..100 {
        let beat = Side::new(id).flush(0).remove(0).1;
        side.receive(0, &beat).unwrap();
    }
    assert_eq!(side.nodes.len(), super::super::Nodes::MOST);
    assert!(side.flush(0).len() <= 1 + super::super::Nodes::MOST);
}

#[test]
fn a_key_is_used_again_once_its_end_has_been_told() {
    let mut sides = opened();
    sides[1].nodes.say_bye();
    let bye = sides[1].flush(10).pop().unwrap().1;
    let stranger = Side::new(3).flush(0).remove(0).1;
    let now = crate::Time(10);
    // Not told yet.
    sides[0].nodes.receive(now, &bye).unwrap();
    sides[0].nodes.receive(now, &stranger).unwrap();
    let keys = |side: &Side| (0..2).map(|key| side.nodes.id(NodeKey::at(key))).collect::<Vec<_>>();
    assert_eq!(keys(&sides[0]), [NodeId(2), NodeId(3)]);
    sides[0].drain();
    let another = Side::new(4).flush(0).remove(0).1;
    sides[0].receive(10, &another).unwrap();
    assert_eq!(keys(&sides[0]), [NodeId(4), NodeId(3)]);
}

#[test]
fn others_are_told_who_drains() {
    let mut sides = opened();
    assert!(!sides[1].nodes.is_draining(KEY));
    sides[0].nodes.drain();
    pass(100, 600, &mut sides);
    assert!(sides[1].nodes.is_draining(KEY));
    assert!(!sides[0].nodes.is_draining(KEY));
}
