//! Every post is answered once and at once, every poll at most once and in time, and message ids are never used again.

use std::collections::BTreeMap;

use peerpigeon_core::{ConnId, ErrorCode, Event, Input, Limits, PeerId, Spelling};

use super::{Given, Law, Rest, Scene, Verdict, demand};
use crate::client::Frame;
use crate::watch::{Answer, Asked, Said, is_virtual};

#[derive(Debug, Default)]
pub(crate) struct Replies {
    /// What each message id was used for.
    used: BTreeMap<String, Given>,
    /// Of posted messages, the code of the last one that was refused.
    refused: Option<ErrorCode>,
    /// A post that was not answered yet.
    posted: Option<ConnId>,
    /// The peer that a request names is connected by WebSocket.
    conflict: bool,
    has_store: bool,
}

impl Replies {
    pub(crate) fn new(limits: &Limits) -> Replies {
        Replies { has_store: limits.store_timeout_ms > 0, ..Replies::default() }
    }
}

/// Whether a peer is connected by WebSocket.
fn is_connected(scene: Scene<'_>, peer: Option<&Spelling>) -> bool {
    peer.and_then(|peer| scene.ledger.by_peer.get(peer.id())).is_some_and(|conn| !is_virtual(*conn))
}

impl Law for Replies {
    fn name(&self) -> &'static str {
        "replies"
    }

    fn input(&mut self, scene: Scene<'_>, input: &Input<'_>, _: Option<&Said<'_>>) -> Verdict {
        (self.refused, self.posted, self.conflict) = (None, None, false);
        if let Input::Posted { conn, .. } | Input::Polled { conn, .. } = *input {
            match scene.ledger.asked.get(&conn) {
                Some(Asked::Post { speakers, batch }) => {
                    self.posted = Some(conn);
                    self.conflict = !batch && is_connected(scene, speakers.first().and_then(Option::as_ref));
                }
                Some(Asked::Poll { peer, .. }) => self.conflict = is_connected(scene, peer.as_ref()),
                None => {}
            }
        }
        Ok(())
    }

    fn named(&mut self, _: Scene<'_>, id: &str, given: Given) -> Verdict {
        let before = self.used.insert(id.to_owned(), given);
        let peer = |given: Option<Given>| -> Option<PeerId> {
            match given? {
                Given::Answer(peer) => peer,
                Given::Signal(peer) => Some(peer),
                Given::Other => None,
            }
        };
        let fits = match (before, given) {
            (None, _) => true,
            // A signal bears the id that its sender is told, for each of those who get it.
            (Some(Given::Signal(_)), Given::Answer(_) | Given::Signal(_))
            | (Some(Given::Answer(_)), Given::Signal(_)) => peer(before) == peer(Some(given)),
            (Some(_), _) => false,
        };
        demand!(fits, "the id {id} of {given:?} was used before, for {before:?}");
        Ok(())
    }

    fn answered(&mut self, scene: Scene<'_>, conn: Option<ConnId>, answer: &Answer<'_>) -> Verdict {
        let wall = scene.ledger.wall(scene.now);
        let told = answer.timestamp.is_none_or(|timestamp| timestamp == wall);
        demand!(told, "an acknowledgement at {wall} for {conn:?} says {:?}", answer.timestamp);
        Ok(())
    }

    fn fetched(&mut self, scene: Scene<'_>, me: Spelling, _: Option<ConnId>, frame: &Frame<'_>) -> Verdict {
        let wall = scene.ledger.wall(scene.now);
        let is_past = frame.timestamp <= wall || scene.ledger.clock.is_some();
        demand!(is_past, "{me} is told at {wall} what happened at {}", frame.timestamp);
        Ok(())
    }

    fn event(&mut self, _: Scene<'_>, event: Event) -> Verdict {
        if let Event::Refused { code, .. } = event {
            self.refused = Some(code);
        }
        Ok(())
    }

    fn replied(&mut self, scene: Scene<'_>, conn: ConnId, asked: &Asked, status: u16) -> Verdict {
        match asked {
            Asked::Post { batch, .. } => {
                demand!(self.posted.take() == Some(conn), "a post by {conn:?} was answered late, or twice");
                let fits = match self.refused.filter(|_| !batch) {
                    None => status == 200,
                    Some(ErrorCode::InvalidMessage) => [400, 409, 503].contains(&status),
                    Some(ErrorCode::TargetNotConnected) => [404, 503].contains(&status),
                    Some(ErrorCode::RateLimited) => status == 429,
                    Some(ErrorCode::Forbidden) => status == 403,
                    Some(
                        ErrorCode::InvalidJson
                        | ErrorCode::UnknownType
                        | ErrorCode::MissingTarget
                        | ErrorCode::OtherNetwork
                        | ErrorCode::NotAnnounced,
                    ) => status == 400,
                };
                demand!(fits, "a post was answered by {status}, refused as {:?}", self.refused);
                // What is wrong with the message may be told first.
                let told = if self.conflict { [400, 409].contains(&status) } else { status != 409 };
                demand!(told, "{status} for a post; connected by WebSocket: {}", self.conflict);
            }
            Asked::Poll { peer, party, at, wait_ms } => {
                let expected = match peer {
                    None => 400,
                    Some(_) if self.conflict && scene.now == *at && party.is_none() => 409,
                    Some(_) => 200,
                };
                demand!(status == expected, "{status} for a poll of {peer:?}, expected was {expected}");
                let waited = scene.now.since(*at.max(&scene.ledger.late));
                demand!(
                    waited <= (*wait_ms).clamp(1, Limits::POLL_MS),
                    "a poll for {wait_ms} ms was answered after {waited} ms"
                );
            }
        }
        Ok(())
    }

    fn rest(&mut self, scene: Scene<'_>, rest: &Rest) -> Verdict {
        demand!(self.posted.is_none(), "{:?} posted and got no answer", self.posted);
        let ledger = scene.ledger;
        if self.has_store {
            // Some wait for that, and not for a message.
            return Ok(());
        }
        demand!(
            ledger.asked.len() == rest.census.polls,
            "{} requests wait, the census says {}",
            ledger.asked.len(),
            rest.census.polls
        );
        if !rest.thorough {
            return Ok(());
        }
        let mut waiting = std::collections::BTreeSet::new();
        for (conn, asked) in &ledger.asked {
            let Asked::Poll { party, at, wait_ms, .. } = asked else { continue };
            let waited = scene.now.since(*at.max(&ledger.late));
            demand!(waited < *wait_ms, "the poll by {conn:?} for {wait_ms} ms waits for {waited} ms");
            demand!(party.is_some(), "the poll by {conn:?} waits for a peer that is not here");
            demand!(waiting.insert(*party), "two polls wait for {party:?}");
        }
        Ok(())
    }
}
