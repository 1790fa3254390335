//! Instruments for testing the real binary from outside: as a process, over sockets.
//!
//! * [`Server`] starts and stops one process.
//! * [`Peer`] is one blocking WebSocket client that shows everything it gets.
//! * [`Crowd`] is thousands of them on one thread.
//! * [`Ring`] is hundreds of them that signal in the background and measure how long it takes.
//! * [`Healthy`] is a group of peers that signal in the background and tell whether anything disturbed them.
//! * [`http`] sends requests as raw bytes.
//! * [`tools`] runs programs of Debian: promtool, nginx and others.
//! * [`postgres`] runs a database for the mail store.
//! * [`redis`] runs a Redis for the cluster.
//! * [`conversation`] plays the transcripts in `golden/`.
//!
//! They panic with a message that says what was expected and what came: a test that uses them is a list of
//! sentences. Whatever waits, waits for a condition and at most for [`PATIENCE`].

use std::time::{Duration, Instant};

pub mod conversation;
mod crowd;
mod example;
mod healthy;
pub mod http;
pub mod id;
mod peer;
pub mod postgres;
pub mod process;
pub mod redis;
mod ring;
mod server;
pub mod tools;
pub mod websocket;

pub use crowd::{Crowd, News};
pub use example::example;
pub use healthy::Healthy;
pub use peer::{Peer, Received};
pub use ring::{Latency, Ring};
pub use server::{Server, Signal, refused_start};

/// How long anything may take that is expected to happen at once. Generous: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Asks `condition` again and again until it holds.
///
/// # Panics
///
/// When it does not within [`PATIENCE`].
pub fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    wait_at_most(PATIENCE, what, condition);
}

/// As [`wait_until`] with a deadline of one's own.
///
/// # Panics
///
/// When the condition does not hold by then.
pub fn wait_at_most(patience: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < patience, "not within {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
