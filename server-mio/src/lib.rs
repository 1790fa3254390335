//! The PeerPigeon signaling server: settings, logs, and who may come in.

pub mod access;
pub mod addresses;
pub mod container;
pub mod logging;
pub mod origins;
pub mod per_address;
pub mod settings;
pub mod timestamp;
