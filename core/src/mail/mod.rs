//! What is kept for peers that are absent, and for those that poll.

pub(crate) mod inboxes;
pub(crate) mod mailboxes;
