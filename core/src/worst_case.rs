//! The most memory that a switchboard can take, computed from its limits alone.
//!
//! Each figure is an upper bound for what an attacker can fill, all of it at the same time. The allocator is assumed to
//! take [`ALLOCATION_BYTES`] more than asked for; what it does not give back to the system in between is not in here.

use crate::lobby::{Held, Unregistered};
use crate::mail::mailboxes::{Mail, Mailbox};
use crate::mail::poll_queue::PollQueue;
use crate::mesh::announcement::Announcement;
use crate::mesh::links::{SPARE_PLACES, Tie};
use crate::mesh::networks::Network;
use crate::outbox::{CROWDED_BYTES, Outbox};
use crate::peers::Peer;
use crate::peers::addresses::{Address, Addresses};
use crate::peers::backlogs::Backlog;
use crate::wire::MessageId;
use crate::{ConnId, Grant, Holder, Limits, PeerId, Time};

/// One part of the memory that can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// What takes it.
    pub what: &'static str,
    /// How much at most.
    pub bytes: u64,
}

impl Limits {
    /// The most memory that a [`crate::Switchboard`] with these limits takes, by what takes it.
    #[must_use]
    pub fn worst_case(&self) -> [Share; 7] {
        let share = |what, bytes| Share { what, bytes };
        [
            share("peers and what they announce", self.of_peers()),
            share("what tokens allow them", self.of_grants()),
            share("connections that wait", self.of_waiting()),
            share("networks", self.of_networks()),
            share("mail", self.of_mail()),
            share("inboxes of peers without a WebSocket", self.of_inboxes()),
            share("output of one input", self.of_output()),
        ]
    }

    /// Each with its slot, its places in the indexes, deadlines, announcement, acquaintances and links, and leaves of
    /// its own in the members of its network and in those that are free.
    fn of_peers(&self) -> u64 {
        let acquaintances = (u64::from(self.acquaintances) + u64::from(Limits::MAX_PEERS)) * 8;
        let links = (usize::from(Limits::MAX_PEERS) + SPARE_PLACES) * size_of::<Tie>();
        let each = grown(size_of::<Peer>() + 8)
            + 2 * grown(5)
            + 3 * tree(28)
            + tree(16)
            + boxed(size_of::<Announcement>() as u64)
            + boxed(acquaintances)
            + boxed(links as u64)
            + boxed(self.announced_data_bytes.into())
            + boxed(11 * 24 + 16)
            + tree(8)
            + boxed(11 * 8 + 16)
            + tree(8 + size_of::<Backlog>())
            + boxed((Backlog::SENDERS * size_of::<(ConnId, usize)>()) as u64);
        let address = tree(8 + size_of::<Address>());
        u64::from(self.connections) * (each + address) + Addresses::DESERTED as u64 * (address + tree(16))
    }

    fn of_grants(&self) -> u64 {
        let names = Grant::MAX_NETWORKS as u64 * (16 + boxed(self.network_name_bytes.into()));
        self.known() * (tree(8 + size_of::<Grant>()) + boxed(names))
    }

    fn of_waiting(&self) -> u64 {
        let kept = u64::from(self.held_messages) * (2 * 16 + ALLOCATION_BYTES) + u64::from(self.held_bytes);
        let charged = charged(size_of::<ConnId>());
        let held = tree(8 + size_of::<Held>()) + tree(28) + tree(24) + charged + kept;
        let unregistered = tree(8 + size_of::<Unregistered>()) + tree(24) + charged;
        u64::from(self.held_connections) * held + u64::from(self.unregistered_connections) * unregistered
    }

    /// A name is kept twice, and once as JSON, where each byte can be six.
    fn of_networks(&self) -> u64 {
        let name = u64::from(self.network_name_bytes);
        let each = grown(size_of::<Network>() + 8)
            + tree(16 + 4)
            + tree(8 + 4)
            + charged(size_of::<u64>())
            + 2 * boxed(name)
            + boxed(6 * name + 2);
        u64::from(self.networks) * each
    }

    /// Each mail counts [`Mail::OVERHEAD_BYTES`] within the limit, and takes more than that where it is alone in its box.
    fn of_mail(&self) -> u64 {
        let boxes = u64::from(self.mailboxes);
        let mails = self
            .mailbox_total_bytes
            .div_ceil(Mail::OVERHEAD_BYTES as u64)
            .min(boxes * u64::from(self.mailbox_messages));
        let alone = 4 * size_of::<Mail>() as u64
            + 2 * ALLOCATION_BYTES
            + tree(44)
            + charged(size_of::<(MessageId, PeerId)>());
        let each =
            tree(20 + size_of::<Mailbox>()) + tree(28) + tree(24) + charged(size_of::<(Time, PeerId)>());
        boxes * each + self.mailbox_total_bytes + mails * alone.saturating_sub(Mail::OVERHEAD_BYTES as u64)
    }

    fn of_inboxes(&self) -> u64 {
        let (peers, total) = (u64::from(self.connections), self.mailbox_total_bytes);
        let texts = (total / SHORTEST_TEXT_BYTES).min(peers * u64::from(self.mailbox_messages));
        peers * (boxed(size_of::<PollQueue>() as u64) + charged(size_of::<(Time, ConnId)>()))
            + total
            + texts * (2 * 24 + ALLOCATION_BYTES)
    }

    /// What is there when the rest begins to wait, and the largest step after that: while a buffer grows, the old one
    /// and one of twice its size are there.
    fn of_output(&self) -> u64 {
        let introduction =
            u64::from(self.announced_data_bytes) + 6 * u64::from(self.network_name_bytes) + 512;
        let announce = 4 * u64::from(Limits::MAX_PEERS) * introduction + u64::from(self.mailbox_bytes);
        let broadcast = u64::from(self.fan_out_bytes) + u64::from(self.acquaintances) * 1_024;
        let farewell = u64::from(self.acquaintances) * 2 * 1_024;
        let text = CROWDED_BYTES as u64 + broadcast.max(announce).max(farewell);
        let entries = text / SHORTEST_TEXT_BYTES * 2 * Outbox::ENTRY_BYTES as u64;
        3 * text + 2 * entries
    }

    /// Connections that the core knows.
    fn known(&self) -> u64 {
        u64::from(self.connections)
            + u64::from(self.held_connections)
            + u64::from(self.unregistered_connections)
    }
}

/// No message to a peer is shorter: type, ids, network and time are in each.
const SHORTEST_TEXT_BYTES: u64 = 150;

/// What an allocation takes beside what was asked for: the allocator's own header, and rounding.
const ALLOCATION_BYTES: u64 = 32;

fn boxed(bytes: u64) -> u64 {
    bytes + ALLOCATION_BYTES
}

/// An entry that is charged to a [`Holder`] who has no other.
fn charged(entry: usize) -> u64 {
    tree(size_of::<Holder>() + entry)
        + tree(size_of::<Holder>() + size_of::<usize>())
        + tree(size_of::<usize>() + entry)
}

/// An entry of a table that grows by doubling.
fn grown(bytes: usize) -> u64 {
    2 * bytes as u64
}

/// An entry of a B-tree whose nodes are as empty as they can be (5 of 11), with its share of the nodes above.
fn tree(bytes: usize) -> u64 {
    3 * bytes as u64 + 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_fit_a_small_machine_beside_its_queues() {
        let shares = Limits::default().worst_case();
        let all: u64 = shares.iter().map(|share| share.bytes).sum();
        assert!(all < 114 * 1024 * 1024, "{all}: {shares:?}");
    }

    /// The same sums done by hand, with what each thing takes on a machine of 64 bits: whoever makes one larger sees here
    /// what that costs at worst.
    #[test]
    fn the_shares_are_the_sums_of_everything_that_can_be_there() {
        let small = Limits {
            connections: 3,
            acquaintances: 5,
            announced_data_bytes: 7,
            network_name_bytes: 11,
            networks: 13,
            held_connections: 2,
            unregistered_connections: 17,
            held_messages: 19,
            held_bytes: 23,
            mailboxes: 2,
            mailbox_messages: 10,
            mailbox_bytes: 29,
            mailbox_total_bytes: 3_000,
            fan_out_bytes: 31,
            ..Limits::default()
        };
        // Here the largest step of the output is a farewell, and boxes are what mails have too few of.
        let known = Limits { acquaintances: 10_000, fan_out_bytes: 0, mailboxes: 7, ..Limits::default() };
        for (limits, shares) in [
            (
                Limits::default(),
                [10_812_992, 8_793_792, 18_140_160, 6_824_000, 37_606_912, 22_257_216, 14_585_664],
            ),
            (small, [226_501, 45_584, 12_374, 10_010, 6_960, 5_680, 9_476_655]),
            (known, [88_764_992, 8_793_792, 18_140_160, 6_824_000, 16_949_920, 22_257_216, 96_630_144]),
        ] {
            assert_eq!(limits.worst_case().map(|share| share.bytes), shares);
        }
    }

    #[test]
    fn every_limit_counts_and_nothing_else_does() {
        let all = |limits: &Limits| limits.worst_case().iter().map(|share| share.bytes).sum::<u64>();
        let usual = Limits::default();
        for (name, more) in [
            ("connections", Limits { connections: 2_000, ..usual.clone() }),
            ("unregistered_connections", Limits { unregistered_connections: 2_000, ..usual.clone() }),
            ("held_connections", Limits { held_connections: 2_000, ..usual.clone() }),
            ("held_messages", Limits { held_messages: 2_000, ..usual.clone() }),
            ("held_bytes", Limits { held_bytes: 200_000, ..usual.clone() }),
            ("acquaintances", Limits { acquaintances: 2_000, ..usual.clone() }),
            ("announced_data_bytes", Limits { announced_data_bytes: 20_000, ..usual.clone() }),
            ("network_name_bytes", Limits { network_name_bytes: 2_000, ..usual.clone() }),
            ("networks", Limits { networks: 20_000, ..usual.clone() }),
            ("fan_out_bytes", Limits { fan_out_bytes: 20_000_000, ..usual.clone() }),
            ("mailbox_messages", Limits { mailbox_messages: 2_000, ..usual.clone() }),
            ("mailbox_total_bytes", Limits { mailbox_total_bytes: 200_000_000, ..usual.clone() }),
            ("mailboxes", Limits { mailboxes: 200_000, ..usual.clone() }),
        ] {
            assert!(all(&more) > all(&usual), "{name}");
        }
        let rates = Limits {
            message_rate_per_second: 0,
            byte_rate_per_second: 0,
            introductions: 50,
            ..usual.clone()
        };
        assert_eq!(all(&rates), all(&usual));
    }
}
