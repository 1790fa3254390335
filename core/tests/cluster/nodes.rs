//! Nodes come, go, and lose each other.

use super::Nodes;

#[test]
fn whoever_knew_the_peers_of_a_node_that_stopped_is_told_so_within_four_seconds() {
    let mut nodes = Nodes::new(3);
    nodes.join(0, '1');
    nodes.join(1, '2');
    nodes.join(2, '3');
    nodes.told(0, '1');
    nodes.set_running(1, false);
    nodes.pass(2_500);
    assert_eq!(nodes.told(0, '1'), [""; 0]);
    nodes.pass(1_500);
    assert_eq!(nodes.told(0, '1'), ["peer-disconnected 2 timeout"]);
    nodes.pass(10_000);
    assert_eq!(nodes.told(0, '1'), [""; 0]);
    assert_eq!(nodes.boards[0].board.census().remote_peers, 1);
}

#[test]
fn a_node_that_was_thought_to_be_dead_and_goes_on_is_found_again() {
    let mut nodes = Nodes::new(3);
    nodes.join(0, '1');
    nodes.join(1, '2');
    nodes.all_told(&[(0, '1'), (1, '2')]);
    nodes.set_running(1, false);
    nodes.pass(10_000);
    assert_eq!(nodes.told(0, '1'), ["peer-disconnected 2 timeout"]);
    nodes.set_running(1, true);
    nodes.pass(20_000);
    assert_eq!(nodes.told(0, '1'), ["peer-discovered 2"]);
    assert_eq!(nodes.told(1, '2'), ["peer-disconnected 1 refused", "peer-discovered 1"]);
    nodes.signal(1, '2', '1', "x");
    assert_eq!(nodes.told(0, '1'), ["ice-candidate 2 x"]);
}

#[test]
fn nobody_is_gone_because_the_bus_is_and_what_waited_comes_once_and_in_order() {
    let mut nodes = Nodes::new(2);
    for (node, digit) in [(0, '1'), (0, '3'), (1, '2')] {
        nodes.join(node, digit);
    }
    let all = [(0, '1'), (0, '3'), (1, '2')];
    nodes.all_told(&all);
    nodes.set_bus(0, false);
    nodes.set_bus(1, false);
    nodes.signal(0, '1', '2', "a");
    nodes.signal(0, '1', '3', "local");
    nodes.pass(15_000);
    nodes.signal(0, '1', '2', "b");
    assert_eq!(nodes.all_told(&all), [vec![], vec!["ice-candidate 1 local".to_owned()], vec![]]);
    nodes.set_bus(0, true);
    nodes.set_bus(1, true);
    nodes.pass(3_000);
    let told = nodes.all_told(&all);
    assert_eq!(told[2], ["ice-candidate 1 a", "ice-candidate 1 b"]);
    assert_eq!(told[0], [""; 0]);
}

#[test]
fn after_a_long_outage_each_difference_is_told_once() {
    let mut nodes = Nodes::new(2);
    for (node, digit) in [(0, '1'), (1, '2'), (1, '3')] {
        nodes.join(node, digit);
    }
    let all = [(0, '1'), (1, '2'), (1, '3')];
    nodes.all_told(&all);
    nodes.set_bus(0, false);
    nodes.set_bus(1, false);
    nodes.lose(1, '3');
    nodes.join(1, '4');
    nodes.pass(60_000);
    assert_eq!(nodes.told(0, '1'), [""; 0]);
    nodes.set_bus(0, true);
    nodes.set_bus(1, true);
    nodes.pass(10_000);
    let mut told = nodes.told(0, '1');
    told.sort();
    assert_eq!(told, ["peer-disconnected 3 reset", "peer-discovered 4"]);
    assert_eq!(nodes.told(1, '4').last().map(String::as_str), Some("peer-discovered 1"));
}

#[test]
fn a_node_that_drains_says_so_and_nobody_waits_for_it() {
    let mut nodes = Nodes::new(2);
    nodes.join(0, '1');
    nodes.join(1, '2');
    nodes.all_told(&[(0, '1'), (1, '2')]);
    let until = nodes.boards[1].now + 100;
    nodes.boards[1].input(peerpigeon_core::Input::Drain { until });
    nodes.settle();
    nodes.pass(200);
    assert_eq!(nodes.told(0, '1'), ["peer-disconnected 2 shutdown"]);
    assert_eq!(nodes.boards[0].board.census().nodes, 0);
}

#[test]
fn garbage_on_the_bus_is_refused_and_harms_nobody() {
    let mut nodes = Nodes::new(2);
    nodes.join(0, '1');
    nodes.join(1, '2');
    nodes.all_told(&[(0, '1'), (1, '2')]);
    for frame in [&b""[..], b"x", &[9; 100], &[1; 100]] {
        nodes.boards[0].input(peerpigeon_core::Input::Frame { frame });
    }
    nodes.signal(1, '2', '1', "x");
    assert_eq!(nodes.told(0, '1'), ["ice-candidate 2 x"]);
}
