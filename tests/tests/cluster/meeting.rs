//! Peers of different nodes.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use peerpigeon_tests::{Crowd, News, Peer, Server, http, id};
use serde_json::{Value, json};

use crate::{Cluster, hear, meets, next, say, state};

#[test]
fn peers_of_three_nodes_meet_signal_and_part() {
    let cluster = Cluster::new(3);
    let mut one = cluster.peer(0, '1');
    let mut two = cluster.peer(1, '2');
    let mut three = cluster.peer(2, '3');
    meets(&mut one, "23");
    meets(&mut two, "1");
    meets(&mut three, "1");
    for said in ["a", "b", "c"] {
        say(&mut one, '2', said);
        say(&mut one, '3', said);
        say(&mut two, '1', said);
    }
    for said in ["a", "b", "c"] {
        assert_eq!([hear(&mut two), hear(&mut three), hear(&mut one)], [said; 3]);
    }
    two.send(r#"{"type":"goodbye"}"#);
    let gone = next(&mut one, "peer-disconnected");
    assert_eq!((&gone["data"]["peerId"], &gone["data"]["reason"]), (&json!(id::of('2')), &json!("goodbye")));
    three.drop_connection();
    assert_eq!(next(&mut one, "peer-disconnected")["data"]["peerId"], id::of('3'));
}

#[test]
fn dialects_a_and_b_and_http_meet_across_nodes() {
    let cluster = Cluster::new(3);
    let mut a = cluster.peer(0, 'a');
    let mut b = Peer::upgrade(cluster.nodes[1].address(), "/signaling");
    b.send(&json!({"type": "register", "peerId": id::of('b')}).to_string());
    next(&mut b, "registered");
    b.send(&json!({"type": "announce", "data": {}, "networkName": "a"}).to_string());
    // A balancer sends each request to another node.
    let mut nodes = cluster.nodes.iter().cycle().map(Server::address);
    let mut post = |message: Value| {
        let address = nodes.next().unwrap();
        let body = message.to_string();
        let headers =
            format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let request = format!("POST /signaling HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}");
        let bytes = http::exchange(address, request.as_bytes());
        let (answer, _) = http::parse(&bytes, false).unwrap();
        assert_eq!(answer.json()["success"], true, "{}", answer.json());
    };
    post(json!({"type": "announce", "peerId": id::of('c'), "networkName": "a"}));
    meets(&mut a, "bc");
    let said = json!({"said": "by http"});
    let remote = || cluster.nodes.iter().map(|node| state(node)["remotePeers"].as_u64().unwrap());
    peerpigeon_tests::wait_until("every node knows all that are elsewhere", || remote().eq([1, 2, 3]));
    post(json!({
        "type": "ice-candidate", "peerId": id::of('c'), "targetPeerId": id::of('a'), "networkName": "a", "data": said
    }));
    assert_eq!(hear(&mut a), "by http");
    say(&mut a, 'b', "to b");
    let heard = next(&mut b, "ice-candidate");
    assert_eq!(heard["data"]["said"], "to b", "{heard}");
    say(&mut a, 'c', "to http");
    peerpigeon_tests::wait_until("it comes by polling", || {
        let address = cluster.nodes[1].address();
        let answer = http::get(address, &format!("/signaling?peerId={}&wait=1", id::of('c')));
        answer.json()["messages"].as_array().unwrap().iter().any(|message| message["type"] == "ice-candidate")
    });
}

/// How many pieces there are of peers that know each other, over any number of steps.
fn pieces(known: &BTreeMap<String, BTreeSet<String>>) -> usize {
    let mut missing: BTreeSet<&String> = known.keys().collect();
    let mut pieces = 0;
    while let Some(first) = missing.pop_first() {
        pieces += 1;
        let mut ahead = vec![first];
        while let Some(peer) = ahead.pop() {
            ahead.extend(known[peer].iter().filter(|other| missing.remove(other)));
        }
    }
    pieces
}

#[test]
fn two_hundred_peers_of_three_nodes_are_one_piece_and_reach_each_other() {
    const EACH: usize = 67;
    let cluster = Cluster::new(3);
    let mut crowd = Crowd::new();
    for node in &cluster.nodes {
        crowd.connect(node, EACH);
    }
    let ids: Vec<String> = (0..crowd.count()).map(|member| crowd.id(member).to_owned()).collect();
    let known = RefCell::new(BTreeMap::<String, BTreeSet<String>>::new());
    let heard = RefCell::new(BTreeSet::new());
    let hear = |member: usize, news: News| {
        let News::Text(text) = news else { panic!("{} is gone: {news:?}", ids[member]) };
        let message: Value = serde_json::from_str(&text).unwrap();
        if message["type"] == "peer-discovered" {
            let other = message["data"]["peerId"].as_str().unwrap().to_owned();
            known.borrow_mut().entry(ids[member].clone()).or_default().insert(other);
        } else if message["type"] == "ice-candidate" {
            let number = message["data"]["n"].as_u64().unwrap();
            assert!(heard.borrow_mut().insert(number), "{number} came twice");
        }
    };
    for member in 0..ids.len() {
        // One of each node after the other.
        crowd.announce(member % 3 * EACH + member / 3, "a");
    }
    crowd.settle_all(hear);
    let is_one_piece = || known.borrow().len() == ids.len() && pieces(&known.borrow()) == 1;
    crowd.turn_until("one piece", hear, is_one_piece);
    for member in 0..ids.len() {
        let to = (member + EACH) % ids.len();
        crowd.signal(member, "ice-candidate", to, "a", &format!("{{\"n\":{member}}}"));
    }
    crowd.turn_until("every signal", hear, || heard.borrow().len() == ids.len());
}
