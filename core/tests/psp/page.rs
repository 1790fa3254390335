//! One page of the dialect, and a room of them.

use crate::common::{self, Board};
use peerpigeon_core::{ConnId, Grant, Input, Limits};
use serde_json::{Value, json};

/// One page.
#[derive(Clone, Copy)]
pub(crate) struct Page<'a> {
    pub(crate) conn: u64,
    pub(crate) id: &'a str,
    pub(crate) network: &'a str,
    pub(crate) room: &'a str,
    pub(crate) clock: u64,
}

impl<'a> Page<'a> {
    pub(crate) fn new(conn: u64, id: &'a str) -> Page<'a> {
        Page { conn, id, network: "n", room: "r", clock: common::BOOT }
    }

    pub(crate) fn says(&self, kind: &str, to: Value, body: Value) -> Value {
        json!({
            "psp_version": "1.0", "type": kind, "network": self.network, "from": self.id, "to": to,
            "session_id": self.room, "message_id": format!("{kind}-{}", self.conn), "timestamp": self.clock,
            "ttl_ms": null, "reply_to": null, "body": body,
        })
    }

    pub(crate) fn open(&self, board: &mut Board) {
        open_at(board, self.conn, "/ws?networkId=n&room=r", &Grant::ANY);
    }

    pub(crate) fn announce(&self, board: &mut Board) {
        let body = json!({"instance_id": self.network, "capabilities": {}, "hints": {"wants_peers": true}});
        board.text(self.conn, &self.says("announce", Value::Null, body).to_string());
    }

    pub(crate) fn join(&self, board: &mut Board) {
        self.open(board);
        self.announce(board);
    }

    pub(crate) fn say(&self, board: &mut Board, kind: &str, to: &str, body: Value) -> String {
        let text = self.says(kind, to.into(), body).to_string();
        board.text(self.conn, &text);
        text
    }

    pub(crate) fn ping(&self, board: &mut Board) {
        board.text(self.conn, &self.says("ping", Value::Null, json!({"nonce": 1})).to_string());
    }

    /// The ids on the list that this page gets when it asks.
    pub(crate) fn discover(&self, board: &mut Board) -> Vec<String> {
        board.take(self.conn);
        let body = json!({"exclude_peers": [self.id], "limit": 10});
        board.text(self.conn, &self.says("discover", Value::Null, body).to_string());
        let lists = board.take(self.conn);
        assert_eq!(lists.len(), 1, "{lists:?}");
        listed(&lists[0])
    }
}

pub(crate) fn open_at(board: &mut Board, conn: u64, target: &str, grant: &Grant) {
    board.input(Input::Opened { conn: ConnId(conn), target, address: None, grant });
}

pub(crate) fn listed(list: &Value) -> Vec<String> {
    assert_eq!(list["type"], "peer_list");
    let peers = list["body"]["peers"].as_array().unwrap();
    let mut ids: Vec<String> = peers.iter().map(|peer| peer["peer_id"].as_str().unwrap().into()).collect();
    ids.sort();
    ids
}

/// The code of the only message that was sent to `conn`, an error.
pub(crate) fn only_code(board: &mut Board, conn: u64) -> String {
    let messages = board.take(conn);
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_eq!(messages[0]["type"], "error", "{messages:?}");
    for member in ["error", "reason"] {
        assert!(!messages[0]["body"][member].as_str().unwrap().is_empty());
    }
    messages[0]["body"]["code"].as_str().unwrap().to_owned()
}

/// A board with these pages in one room, of whom all know each other.
pub(crate) fn room<'a>(ids: &[&'a str]) -> (Board, Vec<Page<'a>>) {
    let mut board = Board::new(Limits::default());
    let pages: Vec<Page<'_>> = (1..).zip(ids).map(|(conn, id)| Page::new(conn, id)).collect();
    pages.iter().for_each(|page| page.join(&mut board));
    board.pass(2_500);
    pages.iter().for_each(|page| drop(board.take(page.conn)));
    (board, pages)
}
