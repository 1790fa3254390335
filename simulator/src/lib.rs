//! The signaling server in virtual time.
//!
//! A run is a [`scenario::Scenario`]: knobs and steps, plain data, drawn from a seed or read from a file. [`run`] plays
//! it: virtual peers, which behave as the real client does, connect to the real core through virtual sockets, while the
//! laws of the protocol are checked after every input. What breaks a law is made small by [`shrink`] and drawn by
//! [`diagram`]. The same scenario gives the same transcript, on every machine.
//!
//! The [`client`] is the counterpart of the server's core and of use on its own: the signaling client as a state machine
//! without I/O, for programs in Rust.
//!
//! The command is `simulate`; see docs/SIMULATION.md.

pub mod client;
mod diagram;
mod found;
pub mod gauges;
mod host;
mod html;
mod laws;
pub mod load;
pub mod mesh;
mod model;
mod page;
mod queue;
pub mod random;
mod record;
mod run;
pub mod scenario;
mod shrink;
mod sweep;
pub mod transcript;
mod watch;
mod world;

pub use found::blame;
pub use html::html;
pub use run::{Place, Report, Violation, diagram, run};
pub use shrink::{Small, shrink};
pub use sweep::{Failure, check, sweep};
pub use watch::Breach;
