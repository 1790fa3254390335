//! What happened inside: the only source of metrics, log lines and the simulator's laws.

use crate::{CloseReason, ConnId, Gone, NodeId, PeerId};

/// One thing that happened. Carries ids, kinds and sizes, never content.
#[allow(missing_docs, reason = "fields whose name and type say it all")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A connection became known to the core. Followed by exactly one [`Event::Gone`] in the end.
    Opened { conn: ConnId },
    /// It is held without an answer, since its id is in use or the server is full.
    Held {
        conn: ConnId,
        /// What it will be told if it is not let in.
        why: CloseReason,
    },
    /// It got its `connected` and may speak.
    Admitted {
        conn: ConnId,
        /// The peer behind it.
        peer: PeerId,
    },
    /// The connection is over; the last event about it.
    Gone {
        conn: ConnId,
        /// The peer behind it; `None` where it never named one.
        peer: Option<PeerId>,
        cause: Departure,
    },
    /// A peer announced itself, for the first time or again.
    Announced {
        /// By which connection.
        conn: ConnId,
        peer: PeerId,
        network: NetworkId,
    },
    /// A peer is not in its network any more.
    Left {
        peer: PeerId,
        network: NetworkId,
        cause: Departure,
        /// How many acquaintances were told.
        told: u32,
    },
    /// A network got its first peer.
    NetworkOpened { network: NetworkId },
    /// A network lost its last peer.
    NetworkClosed { network: NetworkId },
    /// Two peers were told of each other.
    Introduced {
        /// For whose sake.
        newcomer: PeerId,
        other: PeerId,
        /// What for.
        occasion: Occasion,
    },
    /// A peer was told to forget another, who had refused its offer, or to whom it found no way: it was told that the other
    /// said goodbye, so that it dials others, and would listen if it were told of that one again.
    Struck {
        /// Who was told.
        peer: PeerId,
        /// Whom it was to forget.
        of: PeerId,
    },
    /// A signal was accepted from its sender. Exactly one of `Relayed`, `Withheld`, `Mailed`, `Refused` follows at once.
    Accepted {
        from: PeerId,
        signal: Signal,
        /// Size of its `data` in bytes.
        bytes: u32,
    },
    /// A signal went to its target.
    Relayed {
        from: PeerId,
        to: PeerId,
        signal: Signal,
        /// Size of the delivered message in bytes.
        bytes: u32,
    },
    /// A signal did not go to its target: a refusal, where the sender itself is dialling the target and the refusal would end
    /// just that; or an offer, where no link came of the one before.
    Withheld { from: PeerId, to: PeerId, signal: Signal },
    /// A frame of dialect PSP went from one member of a room to another.
    PassedOn {
        from: ConnId,
        to: ConnId,
        /// Its size in bytes.
        bytes: u32,
    },
    /// A list of peers was sent (dialect PSP).
    Listed {
        conn: ConnId,
        /// How many peers are on it.
        peers: u32,
    },
    /// A signal was put into the mailbox of an absent target.
    Mailed { from: PeerId, to: PeerId },
    /// A mail ended.
    MailEnded {
        /// Whose mailbox.
        to: PeerId,
        end: MailEnd,
    },
    /// A letter that the store of mail gave out ended: delivered, expired or dropped.
    LetterEnded {
        /// For whom it was.
        to: PeerId,
        end: MailEnd,
    },
    /// Something was put into the inbox of a peer without a connection.
    Shelved { to: PeerId },
    /// It ended: delivered, expired or dropped.
    ShelfEnded { to: PeerId, end: MailEnd },
    /// A message was refused; its sender got an `error`.
    Refused {
        /// Whose; of a peer that only posts its virtual one, or, where it is not known who posted, that of the request.
        conn: ConnId,
        /// With which code.
        code: ErrorCode,
    },
    /// A limit was met; which message, peer or connection did so is told by the event before.
    Limited {
        /// Whose; as in [`Event::Refused`].
        conn: ConnId,
        limit: Limit,
    },
    /// A message that is neither a signal nor refused was handled.
    Handled { conn: ConnId, verb: Verb },
    /// A signal came from a peer of another node, and went to its target.
    Arrived {
        from: PeerId,
        to: PeerId,
        signal: Signal,
        /// Size of the delivered message in bytes.
        bytes: u32,
    },
    /// Another node can be spoken to, for the first time or anew.
    NodeOpened { node: NodeId },
    /// Another node is over: it said so, or nothing was heard of it for too long.
    NodeClosed {
        node: NodeId,
        /// Whether it said so.
        said_bye: bool,
    },
    /// What came by the bus was no frame of a node, or one of an unknown version.
    FrameRefused,
    /// Expired state was swept.
    Swept {
        /// Mailboxes ended.
        mailboxes: u32,
        /// Mails that expired.
        mails: u32,
    },
}

/// A set of peers that may see each other, by number: never used again while the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkId(pub u64);

/// Why a peer left its network, or a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Departure {
    /// It said `goodbye`.
    Goodbye,
    /// It announced itself in another network.
    Moved,
    /// The driver reported the connection gone.
    Lost(Gone),
    /// The core closed it.
    Closed(CloseReason),
}

/// The limits that are met by messages, and by making acquaintances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// [`crate::Limits::message_rate_per_second`]
    MessageRate,
    /// [`crate::Limits::byte_rate_per_second`]
    ByteRate,
    /// [`crate::Limits::nesting_levels`]
    JsonDepth,
    /// [`crate::Limits::announced_data_bytes`]
    AnnouncedData,
    /// [`crate::Limits::network_name_bytes`]
    NetworkName,
    /// [`crate::Limits::networks`]
    Networks,
    /// [`crate::Limits::fan_out_bytes`]
    FanOut,
    /// [`crate::Limits::acquaintances`]: from now on the peer is passed over when newcomers are introduced.
    Acquaintances,
    /// [`crate::Limits::mailbox_bytes`] or [`crate::Limits::mailbox_total_bytes`]
    Mailbox,
    /// `capacity` of [`crate::Input::Backlog`]: the share of it that one sender has.
    Queue,
}

impl Limit {
    /// All of them.
    pub const ALL: [Limit; 10] = [
        Limit::MessageRate,
        Limit::ByteRate,
        Limit::JsonDepth,
        Limit::AnnouncedData,
        Limit::NetworkName,
        Limit::Networks,
        Limit::FanOut,
        Limit::Acquaintances,
        Limit::Mailbox,
        Limit::Queue,
    ];
}

/// What two peers were introduced for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Occasion {
    /// One of them announced itself, and a link between them is possible, or they knew each other.
    Announce,
    /// Whether a link is possible or not: in a network of a few, where everybody meets everybody, and where one would know nobody.
    Healing,
    /// They knew each other, and their pages have forgotten that by now.
    Again,
    /// A link between them has become possible: both have room, or one who is full will make room.
    Free,
}

impl Occasion {
    /// All of them.
    pub const ALL: [Occasion; 4] = [Occasion::Announce, Occasion::Healing, Occasion::Again, Occasion::Free];
}

/// How a mail ended: each does exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MailEnd {
    /// Its addressee announced again and got it.
    Delivered,
    /// It grew older than `MESSAGE_TTL`.
    Expired,
    /// It or its mailbox made room, or its addressee went to another network or said goodbye.
    Dropped,
    /// A `cleanup` asked for it.
    Forgotten,
    /// The store keeps it now.
    Stored,
}

/// The messages that are relayed from peer to peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// `offer`
    Offer,
    /// `answer`
    Answer,
    /// `ice-candidate`
    IceCandidate,
    /// `connection-rejected`
    ConnectionRejected,
    /// `renegotiation-offer`
    RenegotiationOffer,
    /// `renegotiation-answer`
    RenegotiationAnswer,
    /// `ice-restart-offer`
    IceRestartOffer,
    /// `ice-restart-answer`
    IceRestartAnswer,
    /// `recovery-offer`
    RecoveryOffer,
}

impl Signal {
    /// All of them.
    pub const ALL: [Signal; 9] = [
        Signal::Offer,
        Signal::Answer,
        Signal::IceCandidate,
        Signal::ConnectionRejected,
        Signal::RenegotiationOffer,
        Signal::RenegotiationAnswer,
        Signal::IceRestartOffer,
        Signal::IceRestartAnswer,
        Signal::RecoveryOffer,
    ];

    /// The `type` on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Signal::Offer => "offer",
            Signal::Answer => "answer",
            Signal::IceCandidate => "ice-candidate",
            Signal::ConnectionRejected => "connection-rejected",
            Signal::RenegotiationOffer => "renegotiation-offer",
            Signal::RenegotiationAnswer => "renegotiation-answer",
            Signal::IceRestartOffer => "ice-restart-offer",
            Signal::IceRestartAnswer => "ice-restart-answer",
            Signal::RecoveryOffer => "recovery-offer",
        }
    }

    /// The signal with this `type` on the wire.
    #[must_use]
    pub fn named(name: &str) -> Option<Signal> {
        // In the order of how often they come.
        Some(match name {
            "ice-candidate" => Signal::IceCandidate,
            "offer" => Signal::Offer,
            "answer" => Signal::Answer,
            _ => return Signal::ALL.into_iter().find(|signal| signal.name() == name),
        })
    }
}

/// The messages that the server handles itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// `announce`
    Announce,
    /// `goodbye`
    Goodbye,
    /// `ping`
    Ping,
    /// `cleanup`
    Cleanup,
    /// `cleanup-all`
    CleanupAll,
    /// `discover`, of dialect PSP only
    Discover,
}

impl Verb {
    /// All of them.
    pub const ALL: [Verb; 6] =
        [Verb::Announce, Verb::Goodbye, Verb::Ping, Verb::Cleanup, Verb::CleanupAll, Verb::Discover];

    /// The `type` on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Verb::Announce => "announce",
            Verb::Goodbye => "goodbye",
            Verb::Ping => "ping",
            Verb::Cleanup => "cleanup",
            Verb::CleanupAll => "cleanup-all",
            Verb::Discover => "discover",
        }
    }
}

/// The `code` of an `error` message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorCode {
    /// The text is not JSON.
    InvalidJson,
    /// It is JSON, but a field is missing or of a wrong kind; the message names it.
    InvalidMessage,
    /// The server knows no such `type`.
    UnknownType,
    /// A signal without `targetPeerId`.
    MissingTarget,
    /// Nobody here has that id, or its mailbox cannot take more.
    TargetNotConnected,
    /// The message or its target belongs to another network than its sender.
    OtherNetwork,
    /// The sender has said goodbye and not announced itself since.
    NotAnnounced,
    /// The token of the sender is bound to another id, or to other networks.
    Forbidden,
    /// More messages than `MESSAGE_RATE` and `MESSAGE_BURST` allow.
    RateLimited,
}

impl ErrorCode {
    /// All of them.
    pub const ALL: [ErrorCode; 9] = [
        ErrorCode::InvalidJson,
        ErrorCode::InvalidMessage,
        ErrorCode::UnknownType,
        ErrorCode::MissingTarget,
        ErrorCode::TargetNotConnected,
        ErrorCode::OtherNetwork,
        ErrorCode::NotAnnounced,
        ErrorCode::Forbidden,
        ErrorCode::RateLimited,
    ];

    /// The code on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ErrorCode::InvalidJson => "invalid-json",
            ErrorCode::InvalidMessage => "invalid-message",
            ErrorCode::UnknownType => "unknown-type",
            ErrorCode::MissingTarget => "missing-target",
            ErrorCode::TargetNotConnected => "target-not-connected",
            ErrorCode::OtherNetwork => "other-network",
            ErrorCode::NotAnnounced => "not-announced",
            ErrorCode::Forbidden => "forbidden",
            ErrorCode::RateLimited => "rate-limited",
        }
    }
}
