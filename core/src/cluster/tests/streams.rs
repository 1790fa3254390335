//! What is pushed, and when it goes out.

use alloc::vec;
use alloc::vec::Vec;

use super::super::frame::FRAME_BYTES;
use super::super::{Change, FrameError};
use super::side::{BUFFER, KEY, Side, carry, opened, pass};
use crate::{Channel, Time};

#[test]
fn what_is_pushed_arrives_once_and_in_order() {
    let mut sides = opened();
    let events = [vec![1; 10], vec![], vec![3; 200_000], vec![4]];
    for event in &events {
        sides[0].push(event);
    }
    carry(10, &mut sides);
    assert_eq!(sides[1].events, events);
    assert_eq!(sides[0].events, [[0; 0]; 0]);
}

#[test]
fn nodes_that_have_nothing_to_say_send_beats_alone() {
    let mut sides = opened();
    sides[0].push(b"one");
    pass(0, 1_000, &mut sides);
    assert_eq!(pass(1_100, 11_000, &mut sides), 2 * 20);
}

/// Without a beat in between.
#[test]
fn a_window_opens_by_what_is_acknowledged() {
    let mut sides = [1, 2].map(|id| Side::with_buffer(id, 16 << 20));
    carry(0, &mut sides);
    (0..3).for_each(|_| sides[0].push(&[7; 1 << 20]));
    let window: Vec<_> = sides[0].flush(0);
    let bytes: usize = window.iter().map(|(_, frame)| frame.len()).sum();
    assert!(((1 << 20)..(1 << 20) + FRAME_BYTES).contains(&bytes), "{bytes} bytes under way");
    assert_eq!(sides[0].flush(0), []);
    for (_, frame) in &window {
        sides[1].receive(0, frame).unwrap();
    }
    carry(0, &mut sides);
    assert_eq!(sides[1].events.len(), 3);
}

#[test]
fn what_waits_goes_out_in_few_frames() {
    let mut sides = opened();
    for _ in 0..100 {
        sides[0].push(&[7; 250]);
    }
    assert_eq!(sides[0].flush(10).len(), 1);
    assert_eq!(sides[0].flush(10).len(), 0);
}

#[test]
fn lost_frames_are_sent_again_when_a_gap_is_told() {
    let mut sides = opened();
    sides[0].push(b"lost");
    assert_eq!(sides[0].flush(10).len(), 1);
    sides[0].push(b"arrives");
    carry(20, &mut sides);
    assert_eq!(sides[1].events, [&b"lost"[..], b"arrives"]);
}

#[test]
fn the_last_frame_is_sent_again_after_a_while_if_it_is_lost() {
    let mut sides = opened();
    pass(100, 1_000, &mut sides);
    sides[0].push(b"lost");
    assert_eq!(sides[0].flush(1_000).len(), 1);
    pass(1_100, 2_400, &mut sides);
    assert_eq!(sides[1].events, [[0; 0]; 0]);
    pass(2_500, 2_500, &mut sides);
    assert_eq!(sides[1].events, [b"lost"]);
}

#[test]
fn what_was_lost_before_a_short_outage_is_sent_again_when_the_bus_is_back() {
    for back in [1_000, 30_020] {
        let mut sides = opened();
        sides[0].push(b"lost");
        sides[0].flush(10);
        sides.iter_mut().for_each(|side| side.nodes.set_bus(Time(20), false));
        assert_eq!(sides[0].flush(20), []);
        sides.iter_mut().for_each(|side| side.nodes.set_bus(Time(back), true));
        carry(back, &mut sides);
        assert_eq!(sides[1].events, [b"lost"]);
        sides.iter().for_each(|side| assert_eq!(side.changes, [Change::Opened(KEY)]));
    }
}

#[test]
fn what_is_pushed_while_the_bus_is_down_waits() {
    let mut sides = opened();
    sides[0].nodes.set_bus(Time(20), false);
    sides[0].push(b"waits");
    assert_eq!(sides[0].flush(20), []);
    sides[0].nodes.set_bus(Time(1_000), true);
    carry(1_000, &mut sides);
    assert_eq!(sides[1].events, [b"waits"]);
}

#[test]
fn what_waited_for_longer_than_half_a_minute_is_void() {
    let mut sides = opened();
    sides[0].nodes.set_bus(Time(20), false);
    sides[0].push(b"waits");
    sides[0].nodes.set_bus(Time(30_021), true);
    sides[1].tick(1_000);
    sides[1].tick(30_021);
    carry(30_021, &mut sides);
    assert_eq!(sides[1].events, [[0; 0]; 0]);
    assert_eq!(sides[0].changes, [Change::Opened(KEY); 2]);
}

#[test]
fn nothing_can_be_pushed_to_who_is_not_open() {
    let mut side = Side::new(1);
    side.nodes.push(KEY, |_| unreachable!("nobody is there"));
    side.receive(0, &Side::new(2).flush(0).remove(0).1).unwrap();
    side.nodes.push(KEY, |_| unreachable!("it is opening"));
    assert!(!side.nodes.has_room(KEY, 0));
}

#[test]
fn a_link_whose_buffer_is_too_small_breaks_and_opens_anew() {
    let mut sides = opened();
    let event = vec![7; BUFFER / 4 - 4];
    for _ in 0..4 {
        sides[0].push(&event);
    }
    assert!(sides[0].is_open());
    sides[0].push(b"");
    assert!(!sides[0].is_open());
    carry(10, &mut sides);
    assert_eq!(sides[0].changes, [Change::Opened(KEY); 2]);
    assert_eq!(sides[1].events, [[0; 0]; 0]);
    sides[0].push(b"after");
    carry(10, &mut sides);
    assert_eq!(sides[1].events, [b"after"]);
}

#[test]
fn there_is_room_up_to_three_quarters() {
    let mut sides = opened();
    assert!(sides[0].nodes.has_room(KEY, BUFFER / 4 * 3 - 4));
    assert!(!sides[0].nodes.has_room(KEY, BUFFER / 4 * 3 - 3));
    sides[0].push(&vec![7; BUFFER / 2 - 4]);
    assert!(sides[0].nodes.has_room(KEY, BUFFER / 4 - 4));
    assert!(!sides[0].nodes.has_room(KEY, BUFFER / 4 - 3));
    pass(10, 510, &mut sides);
    assert!(sides[0].nodes.has_room(KEY, BUFFER / 4 * 3 - 4), "it is acknowledged");
}

#[test]
fn who_has_more_than_its_share_when_others_come_begins_anew() {
    let mut sides = opened();
    sides[0].push(&vec![7; BUFFER / 3]);
    for id in 3..5 {
        assert!(sides[0].is_open(), "{id}");
        sides[0].receive(10, &Side::new(id).flush(0).remove(0).1).unwrap();
    }
    assert!(!sides[0].is_open());
}

#[test]
fn an_event_that_is_too_long_breaks_the_link_of_its_receiver() {
    let mut sides = opened();
    sides[0].push(b"one");
    let mut frame = sides[0].flush(10).pop().unwrap().1;
    let length = frame.len() - 7;
    frame[length..length + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(sides[1].receive(10, &frame), Err(FrameError::BrokenStream));
    assert!(!sides[1].is_open());
    carry(20, &mut sides);
    sides.iter().for_each(|side| assert_eq!(side.changes, [Change::Opened(KEY); 2]));
}

#[test]
fn nothing_is_sent_again_to_who_is_suspected() {
    let mut sides = opened();
    sides[0].push(b"lost");
    sides[0].flush(100);
    for now in (200..3_000).step_by(100) {
        sides[0].tick(now);
        assert!(sides[0].flush(now).iter().all(|(to, _)| *to == Channel::All), "at {now}");
    }
    sides[1].tick(3_000);
    carry(2_950, &mut sides);
    sides[0].tick(3_000);
    carry(3_000, &mut sides);
    assert_eq!(sides[1].events, [b"lost"]);
}

/// Every byte of every frame, every length: what is not understood is said, and nothing panics.
#[test]
fn frames_that_nobody_wrote_do_no_harm() {
    let mut frames = Vec::new();
    let mut sides = opened();
    sides[0].push(b"one");
    frames.extend(sides[0].flush(10));
    frames.extend(Side::new(1).flush(0));
    sides[0].nodes.break_link(KEY);
    frames.extend(sides[0].flush(10));
    sides[0].nodes.say_bye();
    frames.extend(sides[0].flush(10));
    assert_eq!(frames.len(), 4);
    for (_, frame) in frames {
        for at in 0..frame.len() {
            let mut side = opened().into_iter().nth(1).unwrap();
            let _ = side.receive(10, &frame[..at]);
            for byte in [0, 1, 0x7F, 0xFF, frame[at] ^ 1] {
                let mut bad = frame.clone();
                bad[at] = byte;
                let _ = side.receive(10, &bad);
                side.flush(10);
            }
        }
    }
}
