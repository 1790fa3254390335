//! Peers of different nodes meet, signal and part as those of one do.

use peerpigeon_core::Limits;

use super::Nodes;
use super::bus::{conn, limits};
use crate::common::id;

#[test]
fn peers_of_different_nodes_are_told_of_each_other_once() {
    let mut nodes = Nodes::new(3);
    nodes.join(0, '1');
    nodes.join(1, '2');
    nodes.join(2, '3');
    let told = nodes.all_told(&[(0, '1'), (1, '2'), (2, '3')]);
    assert_eq!(told[0], ["connected 1", "peer-discovered 2", "peer-discovered 3"]);
    assert_eq!(told[1], ["connected 2", "peer-discovered 1", "peer-discovered 3"]);
    assert_eq!(told[2], ["connected 3", "peer-discovered 1", "peer-discovered 2"]);
    nodes.pass(10_000);
    assert_eq!(nodes.all_told(&[(0, '1'), (1, '2'), (2, '3')]), [[""; 0]; 3]);
}

#[test]
fn signals_reach_a_peer_of_another_node_in_order() {
    let mut nodes = Nodes::new(2);
    nodes.join(0, '1');
    nodes.join(1, '2');
    nodes.all_told(&[(0, '1'), (1, '2')]);
    for said in ["a", "b", "c"] {
        nodes.signal(0, '1', '2', said);
        nodes.signal(1, '2', '1', said);
    }
    let told = nodes.all_told(&[(0, '1'), (1, '2')]);
    assert_eq!(told[0], ["ice-candidate 2 a", "ice-candidate 2 b", "ice-candidate 2 c"]);
    assert_eq!(told[1], ["ice-candidate 1 a", "ice-candidate 1 b", "ice-candidate 1 c"]);
}

#[test]
fn whoever_knew_a_peer_is_told_once_that_it_has_gone_and_why() {
    let mut nodes = Nodes::new(2);
    for (node, digit) in [(0, '1'), (1, '2'), (1, '3'), (1, '4')] {
        nodes.join(node, digit);
    }
    let all = [(0, '1'), (1, '2'), (1, '3'), (1, '4')];
    nodes.all_told(&all);
    nodes.lose(1, '2');
    nodes.text(1, '3', r#"{"type":"goodbye"}"#);
    nodes.boards[1].announce(4, "b");
    nodes.settle();
    let told = nodes.told(0, '1');
    assert_eq!(
        told,
        [
            "peer-disconnected 2 reset",
            "goodbye 3 goodbye",
            "peer-disconnected 3 goodbye",
            "peer-disconnected 4 moved"
        ]
    );
    nodes.pass(5_000);
    assert_eq!(nodes.told(0, '1'), [""; 0]);
}

#[test]
fn networks_are_kept_apart_across_nodes() {
    let mut nodes = Nodes::new(2);
    nodes.join(0, '1');
    nodes.boards[1].join(2, &"2".repeat(40), "b");
    nodes.settle();
    nodes.all_told(&[(0, '1'), (1, '2')]);
    nodes.signal(0, '1', '2', "x");
    assert_eq!(nodes.told(0, '1'), ["error s other-network"]);
    assert_eq!(nodes.told(1, '2'), [""; 0]);
}

#[test]
fn a_node_that_comes_later_is_told_of_everybody_and_everybody_of_its_peers() {
    let mut nodes = Nodes::new(2);
    nodes.set_bus(1, false);
    nodes.join(0, '1');
    nodes.join(1, '2');
    nodes.all_told(&[(0, '1'), (1, '2')]);
    nodes.set_bus(1, true);
    nodes.pass(15_000);
    assert_eq!(nodes.told(0, '1'), ["peer-discovered 2"]);
    assert_eq!(nodes.told(1, '2'), ["peer-discovered 1"]);
}

#[test]
fn an_id_that_is_at_another_node_and_unknown_here_is_refused() {
    let mut nodes = Nodes::new(2);
    nodes.join(0, '1');
    nodes.told(0, '1');
    nodes.signal(0, '1', '9', "x");
    assert_eq!(nodes.told(0, '1'), ["error s target-not-connected"]);
}

#[test]
fn whoever_is_told_of_a_peer_that_takes_no_more_is_told_that_it_is_gone() {
    let limits = Limits { acquaintances: 2, reintroduce_interval_ms: 0, ..limits() };
    let mut nodes = Nodes::with(4, limits);
    nodes.join(0, '1');
    // At three nodes in one moment: none of them knows that the two places are taken by the others.
    for (node, digit) in [(1, '2'), (2, '3'), (3, '4')] {
        nodes.boards[node].join(conn(digit), &id(digit), "a");
    }
    nodes.settle();
    let told = nodes.all_told(&[(0, '1'), (1, '2'), (2, '3'), (3, '4')]);
    let met = told[0].iter().filter(|told| told.starts_with("peer-discovered")).count();
    let has_met = |told: &Vec<String>| told.iter().any(|told| told == "peer-discovered 1");
    let is_gone = |told: &Vec<String>| told.iter().any(|told| told == "peer-disconnected 1 refused");
    assert_eq!(met, 2, "{told:?}");
    assert_eq!(told[1..].iter().filter(|told| has_met(told)).count(), 3, "{told:?}");
    assert_eq!(told[1..].iter().filter(|told| is_gone(told)).count(), 1, "{told:?}");
}
