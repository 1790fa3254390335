//! Several processes that act as one server: nodes, and the bus between them.
//!
//! A bus carries frames of bytes to a channel, maybe: it may lose them, repeat them, bring them late or in another order. Every
//! node listens to two channels: the one of all, and its own. What [`Output::Publish`](crate::Output::Publish) says goes
//! out by it, and what comes by it goes in by [`Input::Frame`](crate::Input::Frame).

/// One process of a cluster, by a number that no other process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

/// Who gets what is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Every node, its publisher included.
    All,
    /// One node.
    Node(NodeId),
}
