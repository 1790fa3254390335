//! The signaling server in virtual time.

pub mod client;
mod laws;
mod model;
pub mod random;
mod record;
pub mod scenario;
pub mod transcript;
mod watch;
