//! Nodes that end, stand still, and share an id.

use std::time::Duration;

use peerpigeon_tests::{Peer, Signal, id, wait_until};

use crate::{Cluster, hear, meets, next, node, say, state};

#[test]
fn whoever_knew_the_peers_of_a_node_that_was_killed_is_told_so_and_nobody_else_is_gone() {
    let mut cluster = Cluster::new(3);
    let mut one = cluster.peer(0, '1');
    let two = cluster.peer(1, '2');
    let mut three = cluster.peer(2, '3');
    meets(&mut one, "23");
    meets(&mut three, "1");
    cluster.nodes[1].signal(Signal::SIGKILL);
    let gone = next(&mut one, "peer-disconnected");
    assert_eq!(gone["data"]["peerId"], id::of('2'));
    assert_eq!(gone["data"]["reason"], "timeout");
    say(&mut three, '1', "still here");
    assert_eq!(hear(&mut one), "still here");
    wait_until("no ghost is left", || state(&cluster.nodes[2])["remotePeers"] == 1);
    drop(two);
    cluster.nodes.remove(1);
    // It comes back elsewhere.
    let _two = cluster.peer(1, '2');
    meets(&mut one, "2");
}

#[test]
fn a_node_that_is_stopped_says_so_at_once() {
    let mut cluster = Cluster::new(2);
    let mut one = cluster.peer(0, '1');
    let mut two = cluster.peer(1, '2');
    meets(&mut one, "2");
    meets(&mut two, "1");
    cluster.nodes.remove(1).stop();
    let gone = next(&mut one, "peer-disconnected");
    assert_eq!(gone["data"]["reason"], "shutdown");
    assert_eq!(two.closed().0, 1001);
    wait_until("the other is forgotten", || state(&cluster.nodes[0])["nodes"] == 0);
}

#[test]
fn a_node_that_stood_still_for_too_long_is_found_again() {
    let cluster = Cluster::new(2);
    let mut one = cluster.peer(0, '1');
    let mut two = cluster.peer(1, '2');
    meets(&mut one, "2");
    cluster.nodes[1].signal(Signal::SIGSTOP);
    next(&mut one, "peer-disconnected");
    cluster.nodes[1].signal(Signal::SIGCONT);
    meets(&mut one, "2");
    next(&mut two, "peer-disconnected");
    meets(&mut two, "1");
    say(&mut two, '1', "back");
    assert_eq!(hear(&mut one), "back");
}

#[test]
fn an_id_that_is_alive_at_one_node_cannot_be_had_at_another_and_a_silent_one_can() {
    let cluster = Cluster::new(2);
    let mut incumbent = cluster.peer(0, '1');
    let address = cluster.nodes[1].address();
    wait_until("the other node knows", || state(&cluster.nodes[1])["remotePeers"] == 1);
    let target = id::target(&id::of('1'));
    let mut newcomer = Peer::upgrade(address, &target);
    while incumbent.pings() == 0 {
        // It answers while it reads.
        incumbent.receive_within(Duration::from_millis(50));
    }
    assert_eq!(newcomer.closed().0, 1008);
    incumbent.freeze();
    let mut newcomer = Peer::upgrade(address, &target);
    next(&mut newcomer, "connected");
}

#[test]
fn what_is_sent_to_a_peer_that_was_lost_is_the_first_that_it_gets_at_another_node() {
    let cluster = Cluster::new(3);
    let mut one = cluster.peer(0, '1');
    let two = cluster.peer(1, '2');
    meets(&mut one, "2");
    two.drop_connection();
    next(&mut one, "peer-disconnected");
    say(&mut one, '2', "a");
    say(&mut one, '2', "b");
    one.settle();
    let mut two = cluster.peer(2, '2');
    meets(&mut one, "2");
    say(&mut one, '2', "c");
    assert_eq!([hear(&mut two), hear(&mut two), hear(&mut two)], ["a", "b", "c"]);
}

#[test]
fn all_nodes_can_be_restarted_one_after_the_other() {
    let mut cluster = Cluster::new(3);
    let mut peers: Vec<(usize, char, Peer)> = "123456"
        .chars()
        .zip([0, 1, 2].into_iter().cycle())
        .map(|(digit, node)| (node, digit, cluster.peer(node, digit)))
        .collect();
    for restarted in 0..3 {
        let url = cluster.redis.url();
        cluster.nodes.remove(restarted).stop();
        cluster.nodes.insert(restarted, node(&url, &[]));
        cluster.wait_until_joined();
        for (at, digit, peer) in &mut peers {
            if *at == restarted {
                assert_eq!(peer.closed().0, 1001);
                *at = (restarted + 1) % 3;
                *peer = cluster.peer(*at, *digit);
            }
        }
    }
    let nodes = &cluster.nodes;
    wait_until("every node knows all that are elsewhere", || {
        nodes.iter().map(|node| state(node)["remotePeers"].as_u64().unwrap()).sum::<u64>() == 12
    });
    for from in 0..6 {
        let to = (from + 1) % 6;
        let digit = peers[to].1;
        say(&mut peers[from].2, digit, "round");
        assert_eq!(hear(&mut peers[to].2), "round");
    }
}
