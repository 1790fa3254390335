//! What is still to happen around the server.

use peerpigeon_core::{ConnId, PeerId};

use crate::host::{Downward, Upward};

/// Something that happens at its time.
#[derive(Debug)]
pub(super) enum Due {
    /// Something reaches the server.
    Up(ConnId, Upward),
    /// What a page that speaks HTTP has to say sets out.
    Post(ConnId),
    /// It asks for what was said to it.
    Poll(ConnId),
    /// Something reaches a page.
    Down(ConnId, Downward),
    /// The page learns that its socket could not be opened: slot and attempt.
    Failed(usize, u64),
    /// A page wanted to be woken.
    Wake(usize),
    /// Somebody opens the page.
    Come(usize),
    /// The page is opened or closed, as it goes.
    Churn(usize),
    /// The page of a slot notices that its link to a peer is dead.
    LinkLost(usize, PeerId),
}
