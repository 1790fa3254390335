//! Pages that tell nothing about the server, one file each. Those about it are in [`crate::observe`].

pub(super) mod client;
pub(super) mod demo;
pub(super) mod relays;
pub(super) mod root;
