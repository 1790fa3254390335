//! PSP 1.0, the protocol of PeerPigeon V4, case by case: raw envelopes on sockets, against the real binary.
//!
//! | file | what |
//! | --- | --- |
//! | `opening.rs` | which requests are PSP, and who may come in |
//! | `envelopes.rs` | what an envelope is, and what is refused |
//! | `messages.rs` | what each type does |
//! | `acks.rs` | acks, pongs and errors |
//! | `lists.rs` | who is listed, to whom and when |
//! | `clocks.rs` | time stamps and leases |
//! | `relaying.rs` | what peers tell each other |
//! | `identity.rs` | moves, forged ids, duplicates, withdrawals by others |
//! | `mail.rs` | what waits for whom |
//! | `limits.rs` | closes, sizes and rates |
//! | `endpoints.rs` | HTTP |
//! | `rooms.rs` | whole rooms, and the conversations of real clients |
//!
//! Where nothing may come, a ping is sent, and its pong must come first. Nothing waits for luck: what has to happen is waited
//! for, and time that has to pass by the protocol is waited for at least as long as it says.

mod acks;
mod client;
mod clocks;
mod endpoints;
mod envelopes;
mod identity;
mod limits;
mod lists;
mod mail;
mod messages;
mod opening;
mod relaying;
mod rooms;
