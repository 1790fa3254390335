//! What is kept for peers that are absent, and for those that poll.

pub(crate) mod mailboxes;
pub(crate) mod poll_queue;
pub(crate) mod questions;
pub(crate) mod receipts;
#[cfg(test)]
mod tests;
