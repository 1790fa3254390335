//! Peers without a connection, whose requests reach any node.

use peerpigeon_core::{ConnId, Gone, Grant, Input};
use serde_json::Value;

use super::Nodes;
use crate::common::id;

fn post(nodes: &mut Nodes, node: usize, conn: u64, body: &str) {
    let posted = Input::Posted { conn: ConnId(conn), body, address: None, grant: &Grant::ANY };
    nodes.boards[node].input(posted);
    nodes.settle();
}

fn poll(nodes: &mut Nodes, node: usize, conn: u64, digit: char, wait: u32) {
    let target = format!("/signaling?peerId={}&wait={wait}", id(digit));
    nodes.boards[node].input(Input::Polled { conn: ConnId(conn), target: &target, grant: &Grant::ANY });
    nodes.settle();
}

/// The only answer that a node gave, which went to `conn`: its status, and the types of the messages in it.
fn answer(nodes: &mut Nodes, node: usize, conn: u64) -> (u16, Vec<String>) {
    let (to, status, text) = nodes.boards[node].replies.pop().expect("an answer");
    assert_eq!(to, conn);
    assert!(nodes.boards[node].replies.is_empty());
    let body: Value = serde_json::from_str(&text).unwrap();
    let messages = body["messages"].as_array().cloned().unwrap_or_default();
    (status, messages.iter().map(|message| message["type"].as_str().unwrap().to_owned()).collect())
}

/// A peer at node 0 that only posts, and one with a connection at node 1.
fn met() -> Nodes {
    let mut nodes = Nodes::new(3);
    nodes.join(1, '2');
    let announce = format!(r#"{{"type":"announce","peerId":"{}","networkName":"a"}}"#, id('1'));
    post(&mut nodes, 0, 101, &announce);
    assert_eq!(answer(&mut nodes, 0, 101), (200, vec![]));
    nodes.told(1, '2');
    nodes
}

fn signal(said: &str) -> String {
    let (from, to) = (id('1'), id('2'));
    format!(
        r#"{{"type":"ice-candidate","peerId":"{from}","targetPeerId":"{to}","networkName":"a","data":{{"reason":"{said}"}}}}"#
    )
}

#[test]
fn what_is_posted_to_any_node_is_said_by_the_peer_and_answered_by_that_node() {
    let mut nodes = met();
    post(&mut nodes, 2, 201, &signal("one"));
    assert_eq!(answer(&mut nodes, 2, 201), (200, vec![]));
    post(&mut nodes, 1, 202, &format!("{{\"messages\":[{},{}]}}", signal("two"), signal("three")));
    assert_eq!(answer(&mut nodes, 1, 202).0, 200);
    let heard = ["one", "two", "three"].map(|said| format!("ice-candidate 1 {said}"));
    assert_eq!(nodes.told(1, '2'), heard);
}

#[test]
fn what_waits_for_a_peer_is_had_at_any_node_once() {
    let mut nodes = met();
    nodes.signal(1, '2', '1', "x");
    poll(&mut nodes, 2, 201, '1', 0);
    assert_eq!(answer(&mut nodes, 2, 201), (200, vec!["announce".into(), "ice-candidate".into()]));
    poll(&mut nodes, 0, 102, '1', 0);
    assert_eq!(answer(&mut nodes, 0, 102), (200, vec![]));
    // One that waits is answered when something comes.
    poll(&mut nodes, 2, 203, '1', 20);
    assert!(nodes.boards[2].replies.is_empty());
    nodes.signal(1, '2', '1', "y");
    assert_eq!(answer(&mut nodes, 2, 203), (200, vec!["ice-candidate".into()]));
    poll(&mut nodes, 2, 204, '1', 20);
    nodes.pass(21_000);
    assert_eq!(answer(&mut nodes, 2, 204), (200, vec![]));
}

#[test]
fn a_request_that_was_given_up_takes_nothing() {
    let mut nodes = met();
    poll(&mut nodes, 0, 101, '1', 0);
    answer(&mut nodes, 0, 101);
    poll(&mut nodes, 2, 201, '1', 20);
    nodes.boards[2].input(Input::Closed { conn: ConnId(201), cause: Gone::Closed });
    nodes.settle();
    nodes.signal(1, '2', '1', "x");
    poll(&mut nodes, 2, 202, '1', 0);
    assert_eq!(answer(&mut nodes, 2, 202), (200, vec!["ice-candidate".into()]));
}

#[test]
fn a_request_to_a_node_that_dies_is_refused_and_the_peer_can_begin_anew() {
    let mut nodes = met();
    poll(&mut nodes, 0, 101, '1', 0);
    answer(&mut nodes, 0, 101);
    poll(&mut nodes, 2, 201, '1', 25);
    nodes.set_running(0, false);
    nodes.pass(7_000);
    assert_eq!(answer(&mut nodes, 2, 201).0, 503);
    let announce = format!(r#"{{"type":"announce","peerId":"{}","networkName":"a"}}"#, id('1'));
    post(&mut nodes, 2, 202, &announce);
    assert_eq!(answer(&mut nodes, 2, 202).0, 200);
    assert_eq!(nodes.told(1, '2'), ["peer-disconnected 1 timeout", "peer-discovered 1"]);
}

#[test]
fn a_peer_with_a_connection_at_another_node_is_not_spoken_for_and_a_token_counts_there() {
    let mut nodes = met();
    let (from, to) = (id('2'), id('1'));
    let body = format!(
        r#"{{"type":"ice-candidate","peerId":"{from}","targetPeerId":"{to}","networkName":"a","data":{{}}}}"#
    );
    post(&mut nodes, 2, 201, &body);
    assert_eq!(answer(&mut nodes, 2, 201).0, 409);
    let other = Grant { peer: Some(id('9').into()), networks: None };
    let signal = signal("x");
    let posted = Input::Posted { conn: ConnId(202), body: &signal, address: None, grant: &other };
    nodes.boards[2].input(posted);
    nodes.settle();
    assert_eq!(answer(&mut nodes, 2, 202).0, 403);
}
