//! One id at two nodes.

use super::Nodes;
use super::bus::conn;

#[test]
fn whoever_wants_the_id_of_a_live_peer_of_another_node_is_turned_away() {
    let mut nodes = Nodes::new(2);
    nodes.join(0, '1');
    nodes.open(1, '1');
    assert_eq!(nodes.boards[0].pinged.pop(), Some(conn('1')));
    assert_eq!(nodes.told(1, '1'), [""; 0]);
    nodes.boards[0].heard(conn('1'));
    nodes.settle();
    assert_eq!((nodes.closed(0, '1'), nodes.closed(1, '1')), (None, Some(1008)));
}

#[test]
fn a_peer_that_does_not_answer_loses_its_id_to_the_newcomer_at_another_node() {
    let mut nodes = Nodes::new(3);
    nodes.join(2, '3');
    nodes.join(0, '1');
    nodes.told(2, '3');
    nodes.silent.push('1');
    nodes.open(1, '1');
    nodes.pass(2_500);
    assert_eq!((nodes.closed(0, '1'), nodes.closed(1, '1')), (Some(4001), None));
    assert_eq!(nodes.told(2, '3'), ["peer-disconnected 1 replaced"]);
    nodes.boards[1].announce(conn('1'), "a");
    nodes.settle();
    assert_eq!(nodes.told(2, '3'), ["peer-discovered 1"]);
    nodes.signal(2, '3', '1', "x");
    assert_eq!(nodes.told(1, '1').last().map(String::as_str), Some("ice-candidate 3 x"));
}

#[test]
fn of_two_who_came_in_one_moment_the_later_one_stays_everywhere() {
    let mut nodes = Nodes::new(3);
    let id = "1".repeat(40);
    nodes.boards[0].open(conn('1'), &id);
    nodes.boards[1].now = nodes.boards[1].now + 1;
    nodes.boards[1].open(conn('1'), &id);
    nodes.settle();
    nodes.pass(500);
    assert_eq!((nodes.closed(0, '1'), nodes.closed(1, '1')), (Some(4001), None));
    let census = nodes.boards.iter().map(|board| board.board.census());
    let known: Vec<(usize, usize)> = census.map(|it| (it.connections, it.remote_peers)).collect();
    assert_eq!(known, [(0, 1), (1, 0), (0, 1)]);
}

#[test]
fn a_session_that_a_later_one_hid_is_asked_for_when_that_is_over() {
    let mut nodes = Nodes::new(3);
    nodes.join(2, '3');
    // Two nodes that do not see each other let in one id each.
    nodes.set_bus(0, false);
    nodes.join(0, '1');
    nodes.pass(100);
    nodes.join(1, '1');
    nodes.told(2, '3');
    nodes.set_bus(1, false);
    nodes.set_bus(0, true);
    nodes.pass(2_000);
    assert_eq!(nodes.told(2, '3'), [""; 0], "the later session is the one that counts");
    nodes.pass(6_000);
    let told = nodes.told(2, '3');
    assert_eq!(told.first().map(String::as_str), Some("peer-disconnected 1 timeout"), "{told:?}");
    nodes.pass(10_000);
    nodes.signal(2, '3', '1', "x");
    assert_eq!(nodes.told(0, '1').last().map(String::as_str), Some("ice-candidate 3 x"));
    assert_eq!(nodes.boards[2].board.census().remote_peers, 1);
}
