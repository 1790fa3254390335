//! Redis goes away and comes back.

use peerpigeon_tests::redis::Redis;
use peerpigeon_tests::{Peer, id, wait_until};

use crate::{Cluster, hear, meets, node, say, state};

/// Two peers of different nodes that know each other, and a third at the first node.
fn three(cluster: &Cluster) -> (Peer, Peer, Peer) {
    let (mut one, mut two) = (cluster.peer(0, '1'), cluster.peer(1, '2'));
    let mut near = cluster.peer(0, '3');
    meets(&mut one, "2");
    meets(&mut two, "1");
    meets(&mut near, "1");
    (one, two, near)
}

/// Nothing is said of anybody who has gone.
fn nobody_has_gone(peer: &mut Peer) {
    let told = format!("{:?}", peer.settle());
    assert!(!told.contains("peer-disconnected"), "{told}");
}

/// While the bus is away: local signals go on, those to another node wait.
fn go_on_alone(cluster: &Cluster, one: &mut Peer, near: &mut Peer) {
    wait_until("the first node is alone", || state(&cluster.nodes[0])["status"] == "alone");
    say(one, '3', "near");
    assert_eq!(hear(near), "near");
    for said in ["a", "b", "c"] {
        say(one, '2', said);
    }
    nobody_has_gone(one);
}

fn what_waited_comes_in_order(two: &mut Peer) {
    assert_eq!([hear(two), hear(two), hear(two)], ["a", "b", "c"]);
    nobody_has_gone(two);
}

#[test]
fn redis_is_killed_and_back_and_nobody_notices() {
    let mut cluster = Cluster::new(2);
    let (mut one, mut two, mut near) = three(&cluster);
    cluster.redis.stop();
    go_on_alone(&cluster, &mut one, &mut near);
    cluster.redis.resume_after_stop();
    cluster.wait_until_joined();
    what_waited_comes_in_order(&mut two);
    nobody_has_gone(&mut one);
}

#[test]
fn redis_stands_still_for_longer_than_a_node_may_and_nobody_is_gone() {
    let cluster = Cluster::new(2);
    let (mut one, mut two, mut near) = three(&cluster);
    cluster.redis.pause();
    go_on_alone(&cluster, &mut one, &mut near);
    cluster.redis.resume();
    cluster.wait_until_joined();
    what_waited_comes_in_order(&mut two);
    nobody_has_gone(&mut one);
}

#[test]
fn connections_that_redis_kills_are_made_again() {
    let cluster = Cluster::new(2);
    let (mut one, mut two, _near) = three(&cluster);
    for round in ["first", "second", "third"] {
        cluster.redis.say(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        say(&mut one, '2', round);
        assert_eq!(hear(&mut two), round);
    }
    nobody_has_gone(&mut one);
}

#[test]
fn a_node_that_finds_no_redis_serves_its_peers_and_joins_when_there_is_one() {
    let mut redis = Redis::start();
    let url = redis.url();
    redis.stop();
    let nodes = [node(&url, &[]), node(&url, &[])];
    assert_eq!(state(&nodes[0])["status"], "alone");
    let mut one = Peer::announced(&nodes[0], &id::of('1'), "a");
    let mut near = Peer::announced(&nodes[0], &id::of('3'), "a");
    meets(&mut near, "1");
    let mut two = Peer::announced(&nodes[1], &id::of('2'), "a");
    redis.resume_after_stop();
    meets(&mut two, "1");
    say(&mut two, '1', "hello");
    assert_eq!(hear(&mut one), "hello");
}
