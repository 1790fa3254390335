//! What is kept for peers without a connection: every entry ends exactly once, and nothing grows past its cap.

use std::collections::BTreeMap;

use peerpigeon_core::{ConnId, Event, Limits, MailEnd, PeerId, Spelling};

use super::{Law, Rest, Scene, Verdict, demand};
use crate::client::Frame;

#[derive(Debug)]
pub(crate) struct Shelves {
    limits: Limits,
    waiting: BTreeMap<PeerId, u64>,
    /// Entries that were told as delivered, and not seen in an answer yet.
    delivered: BTreeMap<PeerId, u64>,
}

impl Shelves {
    pub(crate) fn new(limits: Limits) -> Shelves {
        Shelves { limits, waiting: BTreeMap::new(), delivered: BTreeMap::new() }
    }

    fn ended(&mut self, to: PeerId, end: MailEnd) -> Verdict {
        let waiting = self.waiting.entry(to).or_default();
        demand!(*waiting > 0, "something for {to} was {end:?} that was not there");
        *waiting -= 1;
        match end {
            MailEnd::Delivered => *self.delivered.entry(to).or_default() += 1,
            MailEnd::Expired => {
                demand!(self.limits.message_ttl_ms > 0, "something for {to} expired without a time to live");
            }
            MailEnd::Dropped => {}
            MailEnd::Forgotten | MailEnd::Stored => {
                return Err(format!("something for {to} was {end:?}, which only mail is"));
            }
        }
        Ok(())
    }
}

impl Law for Shelves {
    fn name(&self) -> &'static str {
        "inboxes"
    }

    fn event(&mut self, _: Scene<'_>, event: Event) -> Verdict {
        if let Event::Shelved { to } = event {
            *self.waiting.entry(to).or_default() += 1;
        }
        if let Event::ShelfEnded { to, end } = event {
            self.ended(to, end)?;
        }
        Ok(())
    }

    fn fetched(
        &mut self,
        scene: Scene<'_>,
        me: Spelling,
        party: Option<ConnId>,
        frame: &Frame<'_>,
    ) -> Verdict {
        if party.is_none() {
            return Ok(());
        }
        let delivered = self.delivered.entry(*me.id()).or_default();
        demand!(*delivered > 0, "{me} got a `{}` that was not told as delivered", frame.kind);
        *delivered -= 1;
        // How old it is cannot be read from it once the clock was set.
        let age = scene.ledger.wall(scene.now).saturating_sub(frame.timestamp);
        let ttl = self.limits.message_ttl_ms;
        demand!(
            ttl == 0 || age < ttl || scene.ledger.clock.is_some(),
            "{me} got a `{}` that is {age} ms old, at most {ttl} allowed",
            frame.kind
        );
        Ok(())
    }

    fn rest(&mut self, scene: Scene<'_>, rest: &Rest) -> Verdict {
        let lost = self.delivered.iter().find(|(_, count)| **count > 0);
        demand!(lost.is_none(), "told as delivered and in no answer: {lost:?}");
        self.delivered.clear();
        self.waiting.retain(|_, count| *count > 0);
        let all: u64 = self.waiting.values().sum();
        demand!(
            usize::try_from(all) == Ok(rest.census.shelved),
            "{all} entries wait in inboxes, the census says {}",
            rest.census.shelved
        );
        for (peer, count) in &self.waiting {
            let most = u64::from(self.limits.mailbox_messages);
            demand!(*count <= most, "{count} entries wait for {peer}, at most {most} allowed");
            demand!(
                scene.ledger.by_peer.contains_key(peer),
                "{count} entries wait for {peer}, who is not here"
            );
        }
        let bytes = rest.census.shelved_bytes as u64;
        let each =
            u64::from(self.limits.mailbox_bytes) * u64::try_from(self.waiting.len()).unwrap_or(u64::MAX);
        demand!(bytes <= each.min(self.limits.mailbox_total_bytes), "{bytes} bytes wait in inboxes");
        Ok(())
    }
}
