//! The most memory that a switchboard can take, computed from its limits alone.
//!
//! Each machine tells what it takes itself; here it is summed up. Each figure is an upper bound for what an attacker can fill, all of it at the same time. The allocator is assumed to
//! take [`ALLOCATION_BYTES`] more than asked for; what it does not give back to the system in between is not in here.

use crate::cluster::Cluster;
use crate::lobby::{Grants, Lobby};
use crate::mail::mailboxes::Mailboxes;
use crate::mail::poll_queue::PollQueues;
use crate::mail::questions::Questions;
use crate::mesh::announcement::Announcement;
use crate::mesh::networks::Networks;
use crate::outbox::Outbox;
use crate::peers::Peers;
use crate::rooms::Rooms;
use crate::{Holder, Limits};

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
    pub fn worst_case(&self) -> [Share; 9] {
        let share = |what, bytes| Share { what, bytes };
        [
            share("peers and what they announce", Peers::worst_case(self) + Announcement::worst_case(self)),
            share("what tokens allow them", Grants::worst_case(self, self.known())),
            share("connections that wait", Lobby::worst_case(self)),
            share("networks", Networks::worst_case(self)),
            share("rooms", Rooms::worst_case(self, Announcement::worst_case(self))),
            share("mail", Mailboxes::worst_case(self) + Questions::worst_case(self)),
            share("inboxes of peers without a WebSocket", PollQueues::worst_case(self)),
            share("other nodes and their peers", Cluster::worst_case(self)),
            share("output of one input", Outbox::worst_case(self)),
        ]
    }

    /// Connections that the core knows.
    fn known(&self) -> u64 {
        u64::from(self.connections)
            + u64::from(self.held_connections)
            + u64::from(self.unregistered_connections)
    }
}

/// No message to a peer is shorter: type, ids, network and time are in each.
pub(crate) const SHORTEST_TEXT_BYTES: u64 = 150;

/// What an allocation takes beside what was asked for: the allocator's own header, and rounding.
pub(crate) const ALLOCATION_BYTES: u64 = 32;

pub(crate) fn boxed(bytes: u64) -> u64 {
    bytes + ALLOCATION_BYTES
}

/// An entry that is charged to a [`Holder`] who has no other.
pub(crate) fn charged(entry: usize) -> u64 {
    tree(size_of::<Holder>() + entry)
        + tree(size_of::<Holder>() + size_of::<usize>())
        + tree(size_of::<usize>() + entry)
}

/// An entry of a table that grows by doubling.
pub(crate) fn grown(bytes: usize) -> u64 {
    2 * bytes as u64
}

/// An entry of a B-tree whose nodes are as empty as they can be (5 of 11), with its share of the nodes above.
pub(crate) const fn tree(bytes: usize) -> u64 {
    3 * bytes as u64 + 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_fit_a_small_machine_beside_its_queues() {
        let shares = Limits::default().worst_case();
        let all: u64 = shares.iter().map(|share| share.bytes).sum();
        assert!(all < 126 * 1024 * 1024, "{all}: {shares:?}");
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
                [
                    10_812_992, 8_999_424, 18_140_160, 6_824_000, 11_782_440, 37_606_912, 22_257_216, 0,
                    14_585_664,
                ],
            ),
            (small, [226_501, 48_576, 12_374, 10_010, 27_313, 6_960, 5_680, 0, 9_476_655]),
            (
                known,
                [
                    88_764_992, 8_999_424, 18_140_160, 6_824_000, 9_394_352, 16_949_920, 22_257_216, 0,
                    96_630_144,
                ],
            ),
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
