//! The other nodes of a cluster: who is there, and one reliable ordered stream of events to and from each of them.
//!
//! The bus between nodes may lose frames, repeat them, bring them late or in another order, or be down. A [`link`] makes of it two
//! streams of bytes, one each way, as TCP does: numbered by the offset of their bytes, acknowledged, sent again. Either each event
//! arrives once and in order, or the link breaks and both sides begin anew.
//!
//! # The handshake
//!
//! Each side of a link has an epoch: a number that its process uses once, and a greater one for every new beginning. A frame
//! names the epoch of its sender, and that of its receiver as far as the sender knows it. Three rules follow:
//!
//! 1. A link is open when a frame came that names my current epoch. So each side knows that the other knows it, and a
//!    stream belongs to one pair of epochs; frames of any other pair say nothing about it.
//! 2. Who sees a greater epoch of the other learns it and, if its own has been used, begins anew with a fresh one. Whoever is
//!    opening keeps its own, so two that begin anew at the same time do not chase each other.
//! 3. Who is opening says so with each beat, and answers at once what shows that the other does not know its epoch.

pub(crate) mod events;
mod frame;
mod incoming;
mod link;
mod nodes;
mod outgoing;
pub(crate) mod replicas;
pub(crate) mod requests;
pub(crate) mod residents;
mod table;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use frame::FrameError;
pub(crate) use incoming::Received;
pub(crate) use nodes::{Change, NodeEnd, Nodes};
pub(crate) use replicas::is_remote;
pub(crate) use table::NodeKey;
pub(crate) use view::Cluster;
