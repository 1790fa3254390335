//! A hand-made client of PSP: opens, announces, waits for the ack, discovers, relays.

use std::time::{Duration, Instant};

use peerpigeon_tests::{Peer, Received, Server, wait_until};
use serde_json::{Value, json};

/// The types that peers tell each other, but for those that the server keeps to itself.
pub(crate) const RELAYED: [&str; 12] = [
    "connect_request",
    "connect_accept",
    "connect_reject",
    "offer",
    "answer",
    "ice_candidate",
    "ice_end",
    "renegotiate",
    "bye",
    "error",
    "ack",
    "ext",
];

/// One peer, or somebody who wants to be one.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) peer: Peer,
    pub(crate) id: String,
    pub(crate) network: String,
    /// The value of `session_id`.
    pub(crate) session: Value,
    /// Milliseconds by which its clock is ahead.
    pub(crate) ahead: i64,
    sent: u64,
}

/// The id of a V4 client: 64 hex digits, all of them `digit`.
pub(crate) fn id(digit: char) -> String {
    String::from(digit).repeat(64)
}

/// Milliseconds since 1970 by the clock of the machine.
pub(crate) fn now() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_millis();
    i64::try_from(since).expect("before the year 292 million")
}

impl Client {
    /// Opens a socket as V4 does and says nothing.
    pub(crate) fn open(server: &Server, id: &str, network: &str, room: &str) -> Client {
        Client::open_by(server, "/ws?networkId=n&room=r", id, network, room.into())
    }

    /// The same by any request target and with any `session_id`.
    pub(crate) fn open_by(server: &Server, target: &str, id: &str, network: &str, session: Value) -> Client {
        let peer = Peer::upgrade(server.address(), target);
        Client { peer, id: id.into(), network: network.into(), session, ahead: 0, sent: 0 }
    }

    /// Opens a socket, announces itself as V4 does, and takes the ack.
    pub(crate) fn join(server: &Server, id: &str, network: &str, room: &str) -> Client {
        let mut client = Client::open(server, id, network, room);
        client.announce();
        client
    }

    /// The same as the Go client: no room in query and envelopes, no `instance_id`.
    pub(crate) fn join_as_go(server: &Server, id: &str, network: &str) -> Client {
        let mut client = Client::open_by(server, "/ws?networkId=n", id, network, Value::Null);
        client.send("announce", None, json!({"hints": {"wants_peers": true}}));
        client.expect("ack");
        client
    }

    /// Announces itself and takes the ack.
    pub(crate) fn announce(&mut self) -> Value {
        let message_id = self.send_announce();
        let ack = self.expect("ack");
        assert_eq!(ack["reply_to"], *message_id);
        ack
    }

    /// Announces itself and takes nothing.
    pub(crate) fn send_announce(&mut self) -> String {
        let body = json!({"instance_id": self.network, "capabilities": {}, "hints": {"wants_peers": true}});
        let mut envelope = self.envelope("announce", None, body);
        envelope["ttl_ms"] = 30_000.into();
        self.send_value(&envelope)
    }

    /// What it says next, if it is this.
    pub(crate) fn envelope(&mut self, kind: &str, to: Option<&str>, body: Value) -> Value {
        self.sent += 1;
        json!({
            "psp_version": "1.0",
            "type": kind,
            "network": self.network,
            "from": self.id,
            "to": to,
            "session_id": self.session,
            "message_id": format!("{:016x}", self.sent),
            "timestamp": now() + self.ahead,
            "ttl_ms": null,
            "reply_to": null,
            "body": body,
        })
    }

    /// Says something; gives its `message_id`.
    pub(crate) fn send(&mut self, kind: &str, to: Option<&str>, body: Value) -> String {
        let envelope = self.envelope(kind, to, body);
        self.send_value(&envelope)
    }

    pub(crate) fn send_value(&mut self, envelope: &Value) -> String {
        self.peer.send(&envelope.to_string());
        envelope["message_id"].as_str().unwrap_or_default().to_owned()
    }

    /// Says something with other members than usual.
    pub(crate) fn send_changed(&mut self, kind: &str, to: Option<&str>, changes: &[(&str, Value)]) -> String {
        let mut envelope = self.envelope(kind, to, json!({}));
        for (name, value) in changes {
            envelope[*name] = value.clone();
        }
        self.send_value(&envelope)
    }

    /// An offer that says `sdp`.
    pub(crate) fn offer(&mut self, to: &str, sdp: &str) -> String {
        self.send("offer", Some(to), json!({"sdp": sdp, "trickle_ice": true}))
    }

    /// The next frame that is no pushed list.
    pub(crate) fn next(&mut self) -> Value {
        loop {
            let frame = self.peer.json();
            if !is_push(&frame) {
                return frame;
            }
        }
    }

    /// The next frame that is no pushed list, as it came.
    pub(crate) fn text(&mut self) -> String {
        loop {
            let text = self.peer.text();
            // What peers relay may be JSON that this parser has no value for.
            if !serde_json::from_str(&text).is_ok_and(|frame| is_push(&frame)) {
                return text;
            }
        }
    }

    /// The next frame that is no pushed list, which must be of this type.
    pub(crate) fn expect(&mut self, kind: &str) -> Value {
        let frame = self.next();
        assert_eq!(frame["type"], kind, "{} got {frame}", self.id);
        frame
    }

    /// The next frame that is no pushed list, which must be an error with this code.
    pub(crate) fn refused(&mut self, code: &str) -> Value {
        let error = self.expect("error");
        assert_eq!(error["body"]["code"], code, "{} got {error}", self.id);
        error
    }

    /// The next list that it is pushed; nothing else may come before.
    pub(crate) fn pushed(&mut self) -> Vec<String> {
        let frame = self.peer.json();
        assert!(is_push(&frame), "{} got {frame}", self.id);
        ids(&frame)
    }

    /// Waits until it is pushed a list of just these. Lists in between may say otherwise.
    pub(crate) fn pushed_at_last(&mut self, expected: &[&str]) {
        let mut last = Vec::new();
        wait_until(&format!("a push of {expected:?}"), || {
            last = self.pushed();
            last == sorted(expected)
        });
    }

    /// Sends a ping, and gives what came before its pong: after it, nothing that was done so far is on its way.
    pub(crate) fn settle(&mut self) -> Vec<Value> {
        let message_id = self.send("ping", None, json!({"nonce": "1"}));
        let mut before = Vec::new();
        loop {
            let frame = self.peer.json();
            if frame["type"] == "pong" {
                assert!(frame["reply_to"].is_null() || frame["reply_to"] == *message_id, "{frame}");
                return before;
            }
            before.push(frame);
        }
    }

    /// Nothing but pushed lists is on its way.
    pub(crate) fn quiet(&mut self) {
        let before: Vec<Value> = self.settle().into_iter().filter(|frame| !is_push(frame)).collect();
        assert!(before.is_empty(), "{} got {before:?}", self.id);
    }

    /// The list that answers a `discover`, whole.
    pub(crate) fn list(&mut self) -> Value {
        let body = json!({"exclude_peers": [self.id], "limit": 10});
        self.list_for(body)
    }

    /// The list that answers this `discover`, whole.
    pub(crate) fn list_for(&mut self, body: Value) -> Value {
        self.send("discover", None, body);
        let list = self.expect("peer_list");
        assert_eq!(list["to"], *self.id, "{list}");
        list
    }

    /// Ids in the list that answers a `discover`, in order.
    pub(crate) fn discover(&mut self) -> Vec<String> {
        ids(&self.list())
    }

    /// Discovers until the answer names just these.
    pub(crate) fn knows_at_last(&mut self, expected: &[&str]) {
        let mut last = Vec::new();
        let expected = sorted(expected);
        wait_until(&format!("{expected:?} in the list of {}", self.id), || {
            last = self.discover();
            last == expected
        });
    }

    /// Waits for at least so long, and pings every second meanwhile, as a visible page does.
    pub(crate) fn stay_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.settle();
            std::thread::sleep(end.saturating_duration_since(Instant::now()).min(Duration::from_secs(1)));
        }
    }

    /// The code and the reason it is closed with; answers pings meanwhile.
    pub(crate) fn closed(&mut self) -> (u16, String) {
        self.peer.closed()
    }

    /// Whether anything comes within this time, without an answer to a ping having to.
    pub(crate) fn closes_within(&mut self, time: Duration) -> bool {
        let end = Instant::now() + time;
        loop {
            match self.peer.receive_within(end.saturating_duration_since(Instant::now())) {
                None => return false,
                Some(Received::Text(_)) => {}
                Some(Received::Closed(_) | Received::Lost) => return true,
            }
        }
    }
}

/// Whether a frame is a list that nobody asked for.
pub(crate) fn is_push(frame: &Value) -> bool {
    frame["type"] == "peer_list" && frame["to"].is_null()
}

/// The peers of a list, in order.
pub(crate) fn ids(list: &Value) -> Vec<String> {
    let peers = list["body"]["peers"].as_array().unwrap_or_else(|| panic!("no peers in {list}"));
    let mut ids: Vec<String> =
        peers.iter().map(|peer| peer["peer_id"].as_str().expect("each has an id").to_owned()).collect();
    ids.sort();
    ids
}

/// The entry of a peer in a list.
pub(crate) fn entry<'a>(list: &'a Value, id: &str) -> Option<&'a Value> {
    list["body"]["peers"].as_array()?.iter().find(|peer| peer["peer_id"] == *id)
}

pub(crate) fn sorted(ids: &[&str]) -> Vec<String> {
    let mut ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    ids.sort();
    ids
}
