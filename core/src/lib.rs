//! The PeerPigeon signaling protocol as a state machine.
//!
//! Bytes are the driver's business; this crate sees whole messages, and time comes in as data. There are
//! two doors, and every driver is the same few lines:
//!
//! ```
//! use peerpigeon_core::{ConnId, Grant, Input, Limits, Output, Switchboard, Time, UnixMillis};
//!
//! let mut switchboard = Switchboard::new(Limits::default(), UnixMillis(1_700_000_000_000), 0);
//! let target = "/?peerId=0123456789abcdef0123456789abcdef01234567";
//! let opened = Input::Opened { conn: ConnId(1), target, address: None, grant: &Grant::ANY };
//! switchboard.handle(Time(0), opened);
//! while let Some(output) = switchboard.poll_output() {
//!     match output {
//!         Output::Send { conn, text } => println!("to {conn:?}: {text}"),
//!         Output::Reply { conn, status, text } => println!("{status} to {conn:?}: {text}"),
//!         Output::Ping { conn } => println!("ping {conn:?}"),
//!         Output::Close { conn, why } => println!("close {conn:?} with {}", why.code()),
//!         Output::Observe(event) => println!("{event:?}"),
//!     }
//! }
//! if let Some((when, why)) = switchboard.poll_timeout() {
//!     println!("sleep until {when:?} at the latest, for {why:?}");
//! }
//! ```
//!
//! * [`Switchboard::handle`] never fails: a refusal is an output. Nothing that a peer sends can panic.
//! * Drain [`Switchboard::poll_output`] to `None` before the next `handle`.
//! * [`Event`]s say what happened; the core itself neither logs nor counts.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod api;
mod holders;
mod lobby;
mod mail;
mod mesh;
mod outbox;
mod peers;
mod rooms;
mod switchboard;
mod timers;
mod verbs;
mod wire;
mod worst_case;

pub use api::{
    AddressKey, Census, CloseReason, ConnId, Departure, DuplicatePeer, ErrorCode, Event, Gone, Input, Limit,
    Limits, LiveLimits, MailEnd, NetworkId, Occasion, Output, PeerId, Signal, Spelling, Time, UnixMillis,
    Verb, WallClock,
};
pub use holders::{Holder, Holders};
pub use lobby::Grant;
pub use switchboard::Switchboard;
pub use timers::TimerKind;
pub use worst_case::Share;
