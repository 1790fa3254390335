//! What is kept for peers that are absent, and for those that poll.

pub(crate) mod mailboxes;
pub(crate) mod poll_queue;
#[cfg(test)]
mod tests;
