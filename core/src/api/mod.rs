//! What goes in and what comes out: inputs, outputs, closes, events, limits, ids, time.

mod census;
mod cluster;
mod doors;
mod event;
mod id;
mod limits;
mod store;
mod time;

pub use census::Census;
pub use cluster::{Channel, NodeId};
pub use doors::{AddressKey, CloseReason, Gone, Input, Output};
pub use event::{Departure, ErrorCode, Event, Limit, MailEnd, NetworkId, Occasion, Signal, Verb};
pub use id::{ConnId, ParsePeerIdError, PeerId, Spelling};
pub use limits::{DuplicatePeer, LimitError, Limits, LiveLimits};
pub use store::{Letter, Question, QuestionId, StoreAnswer};
pub use time::{Time, UnixMillis, WallClock};
