//! The gauges of the core by name, and the most that each of them can show.

use peerpigeon_core::{Census, Limits};

/// Every gauge with its name. Taken apart without `..`, so that a new gauge of the core does not build until it has a
/// name here, and a limit in [`most`].
#[must_use]
pub fn named(census: &Census) -> [(&'static str, usize); 19] {
    let Census {
        nodes,
        remote_peers,
        connections,
        unregistered,
        held,
        held_bytes,
        peers,
        networks,
        members,
        rooms,
        acquaintances,
        mailboxes,
        mails,
        mail_bytes,
        shelved,
        shelved_bytes,
        polls,
        questions,
        timers,
    } = *census;
    [
        ("other nodes", nodes),
        ("remote peers", remote_peers),
        ("connections", connections),
        ("unregistered connections", unregistered),
        ("held connections", held),
        ("held bytes", held_bytes),
        ("announced peers", peers),
        ("networks", networks),
        ("members of rooms", members),
        ("rooms", rooms),
        ("pairs of acquaintances", acquaintances),
        ("mailboxes", mailboxes),
        ("mails", mails),
        ("bytes of mail", mail_bytes),
        ("messages in inboxes", shelved),
        ("bytes in inboxes", shelved_bytes),
        ("waiting requests", polls),
        ("questions to the store", questions),
        ("deadlines", timers),
    ]
}

/// The most that each gauge can show with these limits, whatever peers do.
#[must_use]
pub fn most(limits: &Limits) -> Census {
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let total = usize::try_from(limits.mailbox_total_bytes).unwrap_or(usize::MAX);
    let (admitted, held) = (count(limits.connections), count(limits.held_connections));
    let unregistered = count(limits.unregistered_connections);
    // Nobody is acquainted with itself.
    let each_knows = count(limits.acquaintances).min(admitted.saturating_sub(1));
    let mailboxes = if limits.message_ttl_ms == 0 { 0 } else { count(limits.mailboxes) };
    let has_cluster = limits.node_timeout_ms > 0;
    Census {
        nodes: if has_cluster { MOST_NODES } else { 0 },
        remote_peers: if has_cluster { count(limits.remote_peers) } else { 0 },
        // A connection is in one of the three; a peer without one takes a place, too.
        connections: admitted + held + unregistered,
        unregistered,
        held,
        held_bytes: held.saturating_mul(count(limits.held_bytes)),
        peers: admitted,
        // Each has at least one peer in it.
        networks: count(limits.networks).min(admitted),
        members: admitted,
        rooms: count(limits.networks).min(admitted),
        // Each pair is in the lists of two.
        acquaintances: admitted.saturating_mul(each_knows) / 2,
        mailboxes,
        mails: mailboxes.saturating_mul(count(limits.mailbox_messages)).min(total / BYTES_PER_MAIL),
        mail_bytes: mailboxes.saturating_mul(count(limits.mailbox_bytes)).min(total),
        // As many inboxes as peers.
        shelved: admitted.saturating_mul(count(limits.mailbox_messages)),
        shelved_bytes: admitted.saturating_mul(count(limits.mailbox_bytes)).min(total),
        // Of two that ask for the same peer, the older is answered.
        polls: admitted,
        questions: if limits.store_timeout_ms == 0 { 0 } else { Limits::STORE_QUESTIONS },
        timers: timers(admitted, admitted) + held + unregistered,
    }
}

/// The most deadlines of `admitted` connections of which so many wait for a message: the next one of each connection, and
/// the end of each request that waits; and for all together the next sweep, the next part of a drain,
/// the next task of rooms, the next answer of the store, and what is due between nodes.
pub(crate) fn timers(admitted: usize, polls: usize) -> usize {
    admitted + polls + 5
}

/// Other nodes that can be there at once.
const MOST_NODES: usize = 63;

/// The larger of each gauge.
pub(crate) fn peak(a: &Census, b: &Census) -> Census {
    Census {
        nodes: a.nodes.max(b.nodes),
        remote_peers: a.remote_peers.max(b.remote_peers),
        connections: a.connections.max(b.connections),
        unregistered: a.unregistered.max(b.unregistered),
        held: a.held.max(b.held),
        held_bytes: a.held_bytes.max(b.held_bytes),
        peers: a.peers.max(b.peers),
        networks: a.networks.max(b.networks),
        members: a.members.max(b.members),
        rooms: a.rooms.max(b.rooms),
        acquaintances: a.acquaintances.max(b.acquaintances),
        mailboxes: a.mailboxes.max(b.mailboxes),
        mails: a.mails.max(b.mails),
        mail_bytes: a.mail_bytes.max(b.mail_bytes),
        shelved: a.shelved.max(b.shelved),
        shelved_bytes: a.shelved_bytes.max(b.shelved_bytes),
        polls: a.polls.max(b.polls),
        questions: a.questions.max(b.questions),
        timers: a.timers.max(b.timers),
    }
}

/// What one mail counts at least, by docs/PROTOCOL.md.
const BYTES_PER_MAIL: usize = 256;
