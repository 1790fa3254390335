//! Mail for a peer that was lost at one node and comes back to another.

use super::Nodes;
use super::bus::conn;

#[test]
fn what_was_kept_comes_before_what_comes_now_wherever_its_addressee_is() {
    let mut nodes = Nodes::new(3);
    nodes.join(0, '1');
    nodes.join(1, '2');
    nodes.lose(1, '2');
    nodes.signal(0, '1', '2', "a");
    nodes.signal(0, '1', '2', "b");
    nodes.join(2, '2');
    nodes.signal(0, '1', '2', "c");
    let told = nodes.told(2, '2');
    let signals: Vec<&String> = told.iter().filter(|told| told.starts_with("ice")).collect();
    assert_eq!(signals, ["ice-candidate 1 a", "ice-candidate 1 b", "ice-candidate 1 c"]);
}

#[test]
fn mail_outlives_the_node_that_its_addressee_was_at() {
    let mut nodes = Nodes::new(3);
    nodes.join(0, '1');
    nodes.join(1, '2');
    nodes.set_running(1, false);
    nodes.pass(4_000);
    nodes.signal(0, '1', '2', "a");
    nodes.join(2, '2');
    let told = nodes.told(2, '2');
    assert_eq!(told.iter().filter(|told| *told == "ice-candidate 1 a").count(), 1, "{told:?}");
}

#[test]
fn mail_that_its_sender_takes_back_is_kept_at_no_node() {
    let mut nodes = Nodes::new(2);
    nodes.join(0, '1');
    nodes.join(1, '2');
    nodes.lose(1, '2');
    nodes.signal(0, '1', '2', "a");
    // The sender moves on to the other node and takes it back there.
    nodes.lose(0, '1');
    nodes.join(1, '1');
    let cleanup = format!(r#"{{"type":"cleanup","targetPeerId":"{}"}}"#, "2".repeat(40));
    nodes.boards[1].text(conn('1'), &cleanup);
    nodes.settle();
    assert_eq!(nodes.boards[0].board.census().mails, 0);
}
