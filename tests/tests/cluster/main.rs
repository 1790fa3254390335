//! Several processes as one server, over a real Redis.

#![expect(clippy::unwrap_used, reason = "what is unexpected ends a test")]

mod access;
mod meeting;
mod nodes;
mod outages;

use peerpigeon_tests::redis::Redis;
use peerpigeon_tests::{Peer, Server, id, wait_until};
use serde_json::Value;

/// Nodes on one Redis.
struct Cluster {
    redis: Redis,
    nodes: Vec<Server>,
}

impl Cluster {
    fn new(count: usize) -> Cluster {
        let redis = Redis::start();
        let url = redis.url();
        let nodes = (0..count).map(|_| node(&url, &[]));
        let cluster = Cluster { nodes: nodes.collect(), redis };
        cluster.wait_until_joined();
        cluster
    }

    /// Every node knows all others.
    fn wait_until_joined(&self) {
        let others = self.nodes.len() - 1;
        wait_until("all nodes know each other", || {
            self.nodes.iter().all(|node| {
                let cluster = state(node);
                cluster["status"] == "joined" && cluster["nodes"] == others
            })
        });
    }

    /// A peer whose id is one digit, in network `a`.
    fn peer(&self, node: usize, digit: char) -> Peer {
        Peer::announced(&self.nodes[node], &id::of(digit), "a")
    }
}

fn node(url: &str, more: &[(&str, &str)]) -> Server {
    Server::with(&[&[("CLUSTER", url), ("SHUTDOWN_TIMEOUT", "1000")], more].concat())
}

/// What `/health` says of the cluster.
fn state(node: &Server) -> Value {
    let health = node.health();
    assert_eq!(health.status, 200);
    health.json()["cluster"].clone()
}

/// The next message of this type; others that come before are passed over.
fn next(peer: &mut Peer, kind: &str) -> Value {
    loop {
        let message = peer.json();
        if message["type"] == kind {
            return message;
        }
    }
}

/// Waits until the peer is told of all with these digits, in whatever order.
fn meets(peer: &mut Peer, digits: &str) {
    let mut missing: Vec<String> = digits.chars().map(id::of).collect();
    while !missing.is_empty() {
        let met = next(peer, "peer-discovered")["data"]["peerId"].clone();
        missing.retain(|id| met != *id);
    }
}

/// Says something to somebody, by an ICE candidate.
fn say(peer: &mut Peer, to: char, what: &str) {
    peer.signal("ice-candidate", &id::of(to), "a", &format!("{{\"said\":\"{what}\"}}"));
}

/// The next thing that somebody says to the peer.
fn hear(peer: &mut Peer) -> String {
    next(peer, "ice-candidate")["data"]["said"].as_str().unwrap().to_owned()
}
