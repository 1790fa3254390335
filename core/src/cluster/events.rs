//! What nodes tell each other, and how it is written: a type, then fields of fixed size, little endian, and last what is left.
//!
//! A type that is not known is skipped, and so are fields behind those that are: a later version may add both.

mod writer;

pub(crate) use writer::Writer;

use crate::mesh::links::LinkStage;
use crate::peers::PeerSlot;
use crate::wire::Name;
use crate::{CloseReason, Departure, Gone, Grant, NodeId, Occasion, PeerId, Signal, Spelling};

/// What a peer is called between nodes: it has another number for each of its stays in a network, and no two peers of a node ever
/// have the same.
pub(crate) type Number = u64;

/// One thing that a node tells another. Numbers of peers are `own` where they are the teller's, and `other` where they are the
/// hearer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told<'a> {
    /// Everything follows that is known of the teller's peers.
    Begin,
    /// That was it: who was not named is not there any more.
    End,
    /// A peer is here that has not announced itself.
    Here {
        own: Number,
        /// Orders the sessions of one id: the latest counts.
        stamp: u64,
        spelling: Spelling,
        is_proven: bool,
        /// Whether it can be reached in the global network.
        is_reachable: bool,
    },
    /// It is in a network, and has another number from now on unless it was in there before.
    Announced { before: Number, own: Number, max_links: u8, network: &'a str, data: &'a str },
    /// It left its network, and has another number.
    Departed { before: Number, own: Number },
    /// It is not here any more.
    Gone { own: Number, cause: Departure },
    /// How its links stand, and how many acquaintances it has.
    Links { own: Number, is_full: bool, acquaintances: u16, ties: Ties<'a> },
    /// Whom of the hearer's peers it knows.
    Knows { own: Number, others: Numbers<'a> },
    /// The two are introduced to each other; mates, so that they link.
    Introduced { own: Number, other: Number, are_mates: bool, occasion: Occasion },
    /// The two do not know each other, whatever the hearer thinks.
    Parted { own: Number, other: Number },
    /// A page has given up its link to the other.
    Evicted { own: Number, other: Number },
    /// A signal for a peer.
    Signal {
        from: Spelling,
        other: Number,
        signal: Signal,
        name: Name,
        passage: Passed,
        data: Option<&'a str>,
    },
    /// A signal of the hearer's peer was refused.
    Refused { from: PeerId, why: Refused },
    /// Somebody wants the id of this peer: is it alive?
    Challenge { other: Number },
    /// It is.
    Alive { own: Number },
    /// Where is this peer? Its node tells of it anew.
    Ask { id: PeerId },
    /// An HTTP request of a peer that is the hearer's: one message or a batch.
    Posted { request: u64, body: &'a str, grant: ToldGrant<'a> },
    /// The same for what was sent to that peer: its request target.
    Polled { request: u64, target: &'a str, grant: ToldGrant<'a> },
    /// The answer to such a request of the hearer's.
    Replied { request: u64, status: u16, text: &'a str },
    /// Nobody waits for the answer any more.
    Abandoned { request: u64 },
    /// Mail that its sender does not want to be delivered: to one peer, or all of it.
    Cleanup { from: PeerId, to: Option<PeerId> },
}

/// How a signal comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// At once.
    Live,
    /// It was kept while its target was away.
    Mail,
    /// Only so that its hearer follows the link: it is not for the target.
    Withheld,
}

/// Why a signal was refused by another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    NotConnected,
    OtherNetwork,
    TooSlow,
    MailboxFull,
}

/// One of the links of a peer, as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ToldTie {
    /// Its other end; `None` of a link that has ended.
    pub(crate) other: Option<(NodeId, Number)>,
    pub(crate) is_linked: bool,
}

/// Links in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ties<'a>(&'a [u8]);

const TIE_BYTES: usize = 17;

impl Ties<'_> {
    pub(crate) fn iter(self) -> impl Iterator<Item = ToldTie> {
        self.0.as_chunks::<TIE_BYTES>().0.iter().filter_map(|bytes| {
            let mut reader = Reader(bytes);
            let (stage, node, number) = (reader.u8()?, NodeId(reader.u64()?), reader.u64()?);
            Some(ToldTie { other: (stage != ENDED).then_some((node, number)), is_linked: stage == LINKED })
        })
    }
}

const ENDED: u8 = 0;
const COMING: u8 = 1;
const LINKED: u8 = 2;

/// Numbers in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers<'a>(&'a [u8]);

impl Numbers<'_> {
    pub(crate) fn iter(self) -> impl Iterator<Item = Number> {
        self.0.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes))
    }
}

/// What the token of a request allows, in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ToldGrant<'a> {
    peer: Option<&'a str>,
    /// Texts one after the other; `None`: all networks.
    networks: Option<&'a [u8]>,
}

impl ToldGrant<'_> {
    pub(crate) fn grant(self) -> Grant {
        let networks = self.networks.map(|networks| {
            let mut reader = Reader(networks);
            core::iter::from_fn(|| reader.text()).take(Grant::MAX_NETWORKS).map(Into::into).collect()
        });
        Grant { peer: self.peer.map(Into::into), networks }
    }
}

const BEGIN: u8 = 1;
const END: u8 = 2;
const HERE: u8 = 3;
const ANNOUNCED: u8 = 4;
const DEPARTED: u8 = 5;
const GONE: u8 = 6;
const LINKS: u8 = 7;
const KNOWS: u8 = 8;
const INTRODUCED: u8 = 9;
const PARTED: u8 = 10;
const EVICTED: u8 = 11;
const SIGNAL: u8 = 12;
const REFUSED: u8 = 13;
const CHALLENGE: u8 = 14;
const ALIVE: u8 = 15;
const CLEANUP: u8 = 16;
const ASK: u8 = 17;
const POSTED: u8 = 18;
const POLLED: u8 = 19;
const REPLIED: u8 = 20;
const ABANDONED: u8 = 21;

impl<'a> Told<'a> {
    /// Reads what another node has told; `None` of what this version does not know, or what is damaged.
    pub(crate) fn read(event: &'a [u8]) -> Option<Told<'a>> {
        let (&kind, rest) = event.split_first()?;
        let mut from = Reader(rest);
        Some(match kind {
            BEGIN => Told::Begin,
            END => Told::End,
            HERE => {
                let (own, stamp, spelling) = (from.u64()?, from.u64()?, from.spelling()?);
                let flags = from.u8()?;
                Told::Here { own, stamp, spelling, is_proven: flags & 1 > 0, is_reachable: flags & 2 > 0 }
            }
            ANNOUNCED => {
                let (before, own, max_links) = (from.u64()?, from.u64()?, from.u8()?);
                Told::Announced { before, own, max_links, network: from.text()?, data: from.text()? }
            }
            DEPARTED => Told::Departed { before: from.u64()?, own: from.u64()? },
            GONE => Told::Gone { own: from.u64()?, cause: cause_of(from.u8()?)? },
            LINKS => {
                let (own, is_full, acquaintances) = (from.u64()?, from.u8()? > 0, from.u16()?);
                let ties = usize::from(from.u8()?) * TIE_BYTES;
                Told::Links { own, is_full, acquaintances, ties: Ties(from.take(ties)?) }
            }
            KNOWS => {
                let (own, count) = (from.u64()?, from.u32()? as usize);
                Told::Knows { own, others: Numbers(from.take(count.checked_mul(8)?)?) }
            }
            INTRODUCED => {
                let (own, other, are_mates) = (from.u64()?, from.u64()?, from.u8()? > 0);
                let occasion = Occasion::ALL.get(usize::from(from.u8()?)).copied()?;
                Told::Introduced { own, other, are_mates, occasion }
            }
            PARTED => Told::Parted { own: from.u64()?, other: from.u64()? },
            EVICTED => Told::Evicted { own: from.u64()?, other: from.u64()? },
            SIGNAL => {
                let (spelling, other) = (from.spelling()?, from.u64()?);
                let signal = Signal::ALL.get(usize::from(from.u8()?)).copied()?;
                let name = Name::from_parts(from.u64()?, from.u64()?);
                let passage = [Passed::Live, Passed::Mail, Passed::Withheld];
                let passage = passage.get(usize::from(from.u8()?)).copied()?;
                let has_data = from.u8()? > 0;
                let data = from.text()?;
                let data = has_data.then_some(data);
                Told::Signal { from: spelling, other, signal, name, passage, data }
            }
            REFUSED => {
                let (id, why) = (from.id()?, usize::from(from.u8()?));
                Told::Refused { from: id, why: Refused::ALL.get(why).copied()? }
            }
            CHALLENGE => Told::Challenge { other: from.u64()? },
            ALIVE => Told::Alive { own: from.u64()? },
            POSTED => Told::Posted { request: from.u64()?, body: from.text()?, grant: from.grant()? },
            POLLED => Told::Polled { request: from.u64()?, target: from.text()?, grant: from.grant()? },
            REPLIED => Told::Replied { request: from.u64()?, status: from.u16()?, text: from.text()? },
            ABANDONED => Told::Abandoned { request: from.u64()? },
            ASK => Told::Ask { id: from.id()? },
            CLEANUP => {
                let (sender, has_target) = (from.id()?, from.u8()? > 0);
                let to = from.id()?;
                Told::Cleanup { from: sender, to: has_target.then_some(to) }
            }
            _ => return None,
        })
    }
}

impl Refused {
    const ALL: [Refused; 4] =
        [Refused::NotConnected, Refused::OtherNetwork, Refused::TooSlow, Refused::MailboxFull];
}

/// Reads fields; `None` where there are not as many bytes.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn id(&mut self) -> Option<PeerId> {
        self.array().map(PeerId)
    }

    fn spelling(&mut self) -> Option<Spelling> {
        self.array().map(Spelling::unpack)
    }

    fn grant(&mut self) -> Option<ToldGrant<'a>> {
        let (flags, peer) = (self.u8()?, self.text()?);
        let length = self.u32()? as usize;
        let networks = self.take(length)?;
        Some(ToldGrant {
            peer: (flags & 1 > 0).then_some(peer),
            networks: (flags & 2 > 0).then_some(networks),
        })
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.u32()? as usize;
        core::str::from_utf8(self.take(length)?).ok()
    }
}

fn short(number: usize) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

/// The causes of a departure, by their numbers between nodes. New ones are added at the end.
const CAUSES: [Departure; 17] = [
    Departure::Goodbye,
    Departure::Moved,
    Departure::Lost(Gone::Closed),
    Departure::Lost(Gone::Reset),
    Departure::Lost(Gone::ProtocolError),
    Departure::Lost(Gone::TooBig),
    Departure::Closed(CloseReason::ShuttingDown),
    Departure::Closed(CloseReason::InactiveTimeout),
    Departure::Closed(CloseReason::InvalidPeerId),
    Departure::Closed(CloseReason::PeerNotGranted),
    Departure::Closed(CloseReason::PeerAlreadyConnected),
    Departure::Closed(CloseReason::RateLimitExceeded),
    Departure::Closed(CloseReason::MaximumConnections),
    Departure::Closed(CloseReason::TooManyFromAddress),
    Departure::Closed(CloseReason::TooSlow),
    Departure::Closed(CloseReason::Replaced),
    Departure::Closed(CloseReason::PeerStillConnected),
];

fn code_of(cause: Departure) -> u8 {
    short(CAUSES.iter().position(|known| *known == cause).unwrap_or(usize::MAX))
}

fn cause_of(code: u8) -> Option<Departure> {
    CAUSES.get(usize::from(code)).copied()
}

impl ToldTie {
    /// How far the link is, as the hearer follows it: whoever may have offered it is not told.
    pub(crate) fn stage(self, own: PeerSlot) -> LinkStage {
        match self {
            ToldTie { other: None, .. } => LinkStage::Ended,
            ToldTie { is_linked: true, .. } => LinkStage::Linked,
            ToldTie { .. } => LinkStage::Offered { by: own },
        }
    }
}

#[cfg(test)]
mod tests;
