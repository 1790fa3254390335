//! A virtual peer: what runs in one browser page.

mod mesh;

use peerpigeon_core::{PeerId, Signal, Spelling, Time};

use crate::client::{self, Client, Settings};
pub(crate) use mesh::Mesh;

/// A page with its signaling client and its WebRTC links.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) client: Client,
    pub(crate) mesh: Mesh,
    /// Whether it builds links by itself.
    lively: bool,
}

/// What a page wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Dial { attempt: u64, target: String },
    Send { attempt: u64, text: String },
    HangUp,
}

/// Where the virtual server is; the target of an upgrade is what follows.
const SERVER: &str = "ws://server";

impl Page {
    pub(crate) fn new(me: Spelling, seed: u64, capacity: u8, lively: bool) -> Page {
        let client = Client::new(me, Settings::observed(format!("{SERVER}/")), seed);
        Page { client, mesh: Mesh::new(me, capacity.into()), lively }
    }

    /// Gives the client an input and lets the page act on what it is told.
    pub(crate) fn handle(&mut self, now: Time, input: client::Input<'_>) -> Vec<Want> {
        let mut wants = Vec::new();
        self.client.handle(now, input);
        self.settle(now, &mut wants);
        self.mesh.tick(now);
        self.act(now, &mut wants);
        wants
    }

    /// The link to a peer broke.
    pub(crate) fn link_lost(&mut self, now: Time, peer: PeerId) -> Vec<Want> {
        let mut wants = Vec::new();
        self.mesh.lost(now, peer);
        self.act(now, &mut wants);
        wants
    }

    pub(crate) fn timeout(&self) -> Option<Time> {
        let mesh = if self.lively { self.mesh.timeout() } else { None };
        self.client.poll_timeout().into_iter().chain(mesh).min()
    }

    fn settle(&mut self, now: Time, wants: &mut Vec<Want>) {
        while let Some(output) = self.client.poll_output() {
            match output {
                client::Output::Dial { attempt, url } => {
                    let target = url.strip_prefix(SERVER).unwrap_or(&url).to_owned();
                    wants.push(Want::Dial { attempt, target });
                }
                client::Output::Send { attempt, text } => wants.push(Want::Send { attempt, text }),
                client::Output::HangUp { .. } => wants.push(Want::HangUp),
                client::Output::Tell(event) if self.lively => self.told(now, &event),
                client::Output::Tell(_) => {}
            }
        }
    }

    fn told(&mut self, now: Time, event: &client::Event) {
        match event {
            client::Event::Discovered { peer, .. } => self.mesh.discovered(now, *peer),
            client::Event::Goodbye { peer } => self.mesh.goodbye(now, *peer.id()),
            client::Event::Signal { from, signal, .. } => self.mesh.signal(now, *from, *signal),
            // Every version of the real client ignores it: a link may live without the server.
            client::Event::Disconnected { .. }
            | client::Event::Connected { .. }
            | client::Event::Pong
            | client::Event::Refused { .. }
            | client::Event::Away { .. }
            | client::Event::Unsent { .. }
            | client::Event::GaveUp
            | client::Event::Dropped { .. } => {}
        }
    }

    /// Sends what the mesh wants said.
    fn act(&mut self, now: Time, wants: &mut Vec<Want>) {
        if !self.lively {
            return;
        }
        for (to, signal) in self.mesh.take_words() {
            let out_of_turn = signal == Signal::ConnectionRejected && self.mesh.dials(to);
            let data = if out_of_turn { OUT_OF_TURN } else { words(signal) };
            self.client.handle(now, client::Input::Signal { to: &to, signal, data });
        }
        self.client.handle(now, client::Input::Links { count: self.mesh.links().count() });
        self.settle(now, wants);
    }
}

/// What a page says to one that should have waited for its offer.
const OUT_OF_TURN: &str = r#"{"reason":"initiator_role_conflict"}"#;

/// What a page says: short, for there are many.
fn words(signal: Signal) -> &'static str {
    match signal {
        Signal::Offer => r#"{"type":"offer","sdp":"v=0\r\n"}"#,
        Signal::Answer => r#"{"type":"answer","sdp":"v=0\r\n"}"#,
        Signal::IceCandidate => r#"{"candidate":"candidate:1 1 udp 2113937151 0.0.0.0 9 typ host"}"#,
        Signal::ConnectionRejected => r#"{"reason":"max_peers_reached"}"#,
        Signal::RenegotiationOffer
        | Signal::RenegotiationAnswer
        | Signal::IceRestartOffer
        | Signal::IceRestartAnswer
        | Signal::RecoveryOffer => "{}",
    }
}
