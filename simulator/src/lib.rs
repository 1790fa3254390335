//! The signaling server in virtual time.

pub mod client;
pub mod random;
pub mod scenario;
pub mod transcript;
