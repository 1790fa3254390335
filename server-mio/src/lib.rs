//! The PeerPigeon signaling server: settings, logs, and who may come in.

pub mod access;
pub mod addresses;
pub mod origins;
pub mod per_address;
pub mod settings;
