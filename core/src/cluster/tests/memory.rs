//! What is allocated, and how much it can become.

use alloc::vec;
use alloc::vec::Vec;

use super::super::{NodeKey, Nodes};
use super::side::{KEY, opened, pass};
use crate::{NodeId, Time};

#[test]
fn a_signal_is_pushed_and_sent_without_an_allocation() {
    let mut sides = opened();
    let signal = [7; 250];
    // Buffers grow.
    (0..1_000).for_each(|_| sides[0].push(&signal));
    pass(10, 610, &mut sides);
    let mut frames = 0;
    let info = allocation_counter::measure(|| {
        for _ in 0..500 {
            sides[0].nodes.push(KEY, |bytes| bytes.extend_from_slice(&signal));
            sides[0].nodes.flush(Time(620), |_, _| frames += 1);
        }
    });
    assert_eq!(frames, 500);
    assert_eq!(info.count_total, 0);
}

/// Everything that waits, and the longest event in part from each.
#[test]
fn all_nodes_at_once_take_no_more_than_the_worst_case() {
    const BUFFER: usize = 8 << 20;
    let now = Time(0);
    let mut nodes = Nodes::new(NodeId(0), 3_000, BUFFER);
    nodes.set_bus(now, true);
    let mut bytes = 0;
    for id in 1..=Nodes::MOST as u64 {
        let mut other = Nodes::new(NodeId(id), 3_000, 4 << 20);
        other.set_bus(now, true);
        for round in 0..4 {
            if round == 3 {
                other.push(KEY, |event| event.resize(Nodes::MAX_EVENT, 7));
            }
            let mut frames = Vec::new();
            other.flush(now, |_, frame| frames.push(frame.to_vec()));
            bytes += allocation_counter::measure(|| {
                for frame in &frames {
                    assert!(nodes.receive(now, frame).unwrap().is_none());
                    while nodes.change().is_some() {}
                }
            })
            .bytes_current;
            frames.clear();
            nodes.flush(now, |_, frame| frames.push(frame.to_vec()));
            for frame in &frames {
                other.receive(now, frame).unwrap();
                while other.change().is_some() {}
            }
        }
    }
    assert_eq!(nodes.open().count(), Nodes::MOST);
    let event = vec![7; BUFFER / Nodes::MOST - 4];
    for key in 0..63 {
        let push = || nodes.push(NodeKey::at(key), |bytes| bytes.extend_from_slice(&event));
        bytes += allocation_counter::measure(push).bytes_current;
    }
    assert_eq!(nodes.open().count(), Nodes::MOST);
    nodes.check();
    let (taken, worst) = (u64::try_from(bytes).unwrap(), Nodes::worst_case(BUFFER as u64));
    assert!(taken <= worst, "{taken} of {worst}");
    assert!(taken >= worst / 5 * 4, "{taken} of {worst}");
}
