//! `announce`: a peer makes itself discoverable in one network.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::String;

use crate::mail::questions::Taker;
use crate::mesh::networks::NetKey;
use crate::peers::{PeerSlot, Standing};
use crate::wire::{self, Refusal, Request};
use crate::{Departure, Event, Switchboard};

/// What is told to another node is known there by then.
const HOP_MS: u64 = 300;

impl Switchboard {
    /// Joins the network that the message names; again in the same network: takes the new `data` and
    /// introduces anew.
    pub(crate) fn announce(&mut self, slot: PeerSlot, request: &Request<'_>) -> Result<(), Refusal> {
        if !self.grants.of(self.peers[slot].conn()).allows_network(&request.network) {
            return Err(Refusal::NetworkNotGranted);
        }
        let data = announced_data(request.data, self.limits.announced_data_bytes)?;
        if self.networks.find(&request.network).is_none() && !self.make_room_for_network(slot) {
            return Err(Refusal::TooManyNetworks { networks: self.limits.networks });
        }
        let (network, is_new) = self.join(slot, &request.network);
        if let Some(announcement) = self.peers[slot].announcement_mut() {
            announcement.set_data(data);
        }
        let (conn, peer) = (self.peers[slot].conn(), *self.peers[slot].id());
        let id = self.networks.id(network);
        self.outbox.observe(Event::Announced { conn, peer, network: id });
        self.tell_of_announcement(slot, request.max_peers, is_new);
        self.introduce(slot, request.max_peers);
        if self.has_other_nodes() {
            // Whoever announces itself elsewhere at the same moment is not known yet, and does not know of it.
            self.look_within(slot, HOP_MS);
        }
        let caused = self.caused;
        self.deliver_mail(slot, network);
        // Whoever wrote that has paid for it.
        self.caused = caused;
        Ok(())
    }

    /// Returns the network, and whether it was not in there before.
    pub(crate) fn join(&mut self, slot: PeerSlot, name: &str) -> (NetKey, bool) {
        if let Some(network) = self.peers[slot].network() {
            if self.networks.name(network) == name {
                return (network, false);
            }
            self.leave(slot, Departure::Moved);
        }
        let holder = self.peers[slot].holder();
        let network = self.networks.acquire(name, holder);
        if self.networks.members(network).is_empty() {
            self.outbox.observe(Event::NetworkOpened { network: self.networks.id(network) });
        }
        let id = *self.peers[slot].id();
        self.networks.enter(network, id, slot);
        self.peers[slot].stand(Standing::Announced(network, Box::default()));
        (network, true)
    }

    /// Hands out what was kept for a peer while it was away; kept for another network it is lost, and kept for somebody who
    /// had proven this id it waits on.
    pub(crate) fn deliver_mail(&mut self, slot: PeerSlot, network: NetKey) {
        let id = *self.peers[slot].id();
        if !self.owns_mail(self.peers[slot].conn(), &id) {
            return;
        }
        let is_proven = self.grants.has_proven(self.peers[slot].conn(), &id);
        // What the store has is taken by the node that the peer is at.
        if !self.peers[slot].is_here() || !self.fetch_mail(id, Taker::Session { is_proven }) {
            self.hand_out_here(slot, network, &BTreeSet::new());
        }
    }
}

/// The members of the announced object but `peerId`, each with a comma before it and otherwise untouched: the
/// id that others are told is always the connection's own.
fn announced_data(raw: Option<&str>, max_bytes: u32) -> Result<Box<str>, Refusal> {
    let Some(raw) = raw.filter(|raw| *raw != "null") else { return Ok(Box::default()) };
    if raw.len() > max_bytes as usize {
        return Err(Refusal::DataTooLarge { bytes: max_bytes });
    }
    let mut members = String::new();
    wire::each_member(raw, u32::MAX, |member| {
        if !wire::says(member.key(), "peerId") {
            members.extend([",", member.key(), ":", member.value()]);
        }
    })
    .map_err(|_| Refusal::DataNotAnObject)?;
    Ok(members.into_boxed_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announced_data_is_kept_as_it_came_without_its_peer_id() {
        for (raw, kept) in [
            (r#"{"peerId":"x"}"#, ""),
            (r#"{"peer\u0049d":1,"a": 1e400 ,"b":{"peerId":2}}"#, r#","a":1e400,"b":{"peerId":2}"#),
            ("{}", ""),
            ("null", ""),
        ] {
            assert_eq!(announced_data(Some(raw), 100).as_deref(), Ok(kept), "{raw}");
        }
        assert_eq!(announced_data(None, 100).as_deref(), Ok(""));
    }

    #[test]
    fn announced_data_that_is_no_object_or_too_large_is_refused() {
        assert_eq!(announced_data(Some("[]"), 100), Err(Refusal::DataNotAnObject));
        assert_eq!(announced_data(Some("\"x\""), 100), Err(Refusal::DataNotAnObject));
        assert_eq!(announced_data(Some(r#"{"a":1}"#), 6), Err(Refusal::DataTooLarge { bytes: 6 }));
        assert!(announced_data(Some(r#"{"a":1}"#), 7).is_ok());
    }
}
