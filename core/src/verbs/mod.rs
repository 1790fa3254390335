//! What a peer can ask for: one file per verb.

mod announce;
mod cleanup;
mod goodbye;
mod ping;
pub(crate) mod psp;
mod signal;
