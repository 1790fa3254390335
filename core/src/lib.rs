//! The PeerPigeon signaling protocol as a state machine.
//!
//! Bytes are the driver's business; this crate sees whole messages, and time comes in as data. It does no I/O, reads no
//! clock, draws no random numbers, starts no threads, writes no logs and needs no `std`. There are two doors, and every
//! driver is the same few lines:
//!
//! ```
//! use peerpigeon_core::{ConnId, Grant, Input, LimitError, Limits, Output, Switchboard, Time, UnixMillis};
//!
//! # fn main() -> Result<(), LimitError> {
//! let mut switchboard = Switchboard::new(Limits::default(), UnixMillis(1_700_000_000_000), 0)?;
//! let target = "/?peerId=0123456789abcdef0123456789abcdef01234567";
//! let opened = Input::Opened { conn: ConnId(1), target, address: None, grant: &Grant::ANY };
//! switchboard.handle(Time(0), opened);
//! while let Some(output) = switchboard.poll_output() {
//!     match output {
//!         Output::Send { conn, text } => println!("to {conn:?}: {text}"),
//!         Output::Reply { conn, status, text } => println!("{status} to {conn:?}: {text}"),
//!         Output::Ping { conn } => println!("ping {conn:?}"),
//!         Output::Close { conn, why } => println!("close {conn:?} with {}", why.code()),
//!         Output::Ask { id, question } => println!("{id:?} to the store: {question:?}"),
//!         Output::Publish { to, frame } => println!("{} bytes for {to:?}", frame.len()),
//!         Output::Observe(event) => println!("{event:?}"),
//!     }
//! }
//! if let Some((when, why)) = switchboard.poll_timeout() {
//!     println!("sleep until {when:?} at the latest, for {why:?}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! `examples/` has whole drivers: two peers that meet (`two_peers.rs`), and one that has no connection (`over_http.rs`).
//!
//! # The contract
//!
//! What the core promises:
//!
//! 1. [`Switchboard::handle`] never fails and never panics, whatever peers send: a refusal is an output.
//! 2. The same inputs at the same times give the same outputs, on every machine.
//! 3. Nothing grows past what [`Limits`] allows. [`Limits::worst_case`] adds it up.
//! 4. After [`Output::Close`] and after [`Input::Closed`] nothing is to be done for that connection any more.
//! 5. Every [`Event::Opened`] is followed by exactly one [`Event::Gone`].
//!
//! What the driver has to keep, and what happens where it does not:
//!
//! 1. **Drain [`Switchboard::poll_output`] to `None` before the next `handle`.** What is left stays, in front of what follows, and
//!    grows without a limit; in debug builds an assertion fails.
//! 2. **A [`ConnId`] is used once**, and lies below 2<sup>63</sup>. One that is used again while its connection lives gets
//!    what is meant for the other.
//! 3. **[`Time`] never goes back.** A time that lies before an earlier one counts as that earlier one.
//! 4. **Call `handle` when [`Switchboard::poll_timeout`] is due**, with [`Input::Tick`] if nothing else has happened. Who
//!    comes late delays what is due; a peer that had no chance to be heard meanwhile is not counted as silent.
//! 5. **Say [`Input::Closed`] once for every connection that ends outside.** One that is never said keeps its place until it
//!    has been silent for too long; one too many, or of a connection that the core has closed, is ignored.
//! 6. **Carry every output out, in order.** The core counts a [`Output::Send`] as sent. What does not fit is told by
//!    [`Input::QueueFull`], and how much waits by [`Input::Backlog`].
//! 7. **Refuse what is too long or no UTF-8 before it comes in**: the core has no limit of its own on the length of one
//!    message.
//! 8. **Answer every [`Output::Ask`] once**, if [`Limits::store_timeout_ms`] says that there is a store of mail. The core waits
//!    for no answer longer than that, and ignores what comes later; but of what the store may have done it gives out
//!    nothing itself. [`Input::Store`] says when it can be asked.
//!
//! 9. **Publish every [`Output::Publish`]**, if [`Limits::node_timeout_ms`] says that this is one node of several, say
//!    [`Input::Bus`] and [`Input::Frame`], and end every turn with [`Input::Flush`]: what waits for other nodes goes out then.
//!
//! [`Event`]s say what happened; the core itself neither logs nor counts.
//!
//! # Versions
//!
//! [`Event`], [`Output`] and [`Input`] are matched exhaustively on purpose: a driver that does not know one of them would not
//! carry it out, or not count it. A new variant is therefore a new version that breaks. The same holds for a new limit:
//! build [`Limits`] by `..Limits::default()`. `docs/api.txt` of the repository lists what is public; a test holds it.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod api;
#[allow(dead_code, unused_imports, reason = "the switchboard does not use it yet")]
mod cluster;
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
    AddressKey, Census, Channel, CloseReason, ConnId, Departure, DuplicatePeer, ErrorCode, Event, Gone,
    Input, Letter, Limit, LimitError, Limits, LiveLimits, MailEnd, NetworkId, NodeId, Occasion, Output,
    ParsePeerIdError, PeerId, Question, QuestionId, Signal, Spelling, StoreAnswer, Time, UnixMillis, Verb,
    WallClock,
};
pub use holders::{Holder, Holders};
pub use lobby::Grant;
pub use switchboard::Switchboard;
pub use timers::TimerKind;
pub use worst_case::Share;
