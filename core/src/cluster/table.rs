//! The places of the other nodes, and those who have said goodbye.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Nodes;
use super::link::Link;
use crate::worst_case::{grown, tree};
use crate::{NodeId, Time};

/// The place of another node in the table: used again once that node is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeKey(u8);

impl NodeKey {
    /// The lowest one.
    pub(super) const FIRST: NodeKey = NodeKey(0);

    #[cfg(test)]
    pub(super) const fn at(index: u8) -> NodeKey {
        NodeKey(index)
    }

    /// A number below [`Nodes::MOST`].
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Places, one bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NodeSet(u64);

impl NodeSet {
    pub(super) fn insert(&mut self, key: NodeKey) {
        self.0 |= 1 << key.0;
    }

    pub(super) fn remove(&mut self, key: NodeKey) {
        self.0 &= !(1 << key.0);
    }

    pub(super) fn contains(self, key: NodeKey) -> bool {
        self.0 & (1 << key.0) != 0
    }

    /// Takes the lowest one out.
    pub(super) fn pop(&mut self) -> Option<NodeKey> {
        let lowest = u8::try_from(self.0.trailing_zeros()).ok().filter(|_| self.0 != 0)?;
        self.0 &= self.0 - 1;
        Some(NodeKey(lowest))
    }
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) link: Link,
    /// When its last frame came.
    pub(super) heard: Time,
    /// It has been open at least once, so that there is somebody to whom its end matters.
    pub(super) was_open: bool,
    pub(super) is_draining: bool,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    /// By key.
    nodes: Vec<Option<Node>>,
    /// By key; of a place that is free, the last one that had it.
    ids: Vec<NodeId>,
    keys: BTreeMap<NodeId, NodeKey>,
}

impl Table {
    /// Nodes that are there.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn find(&self, id: NodeId) -> Option<NodeKey> {
        self.keys.get(&id).copied()
    }

    pub(super) fn get(&self, key: NodeKey) -> Option<&Node> {
        self.nodes.get(key.index())?.as_ref()
    }

    pub(super) fn get_mut(&mut self, key: NodeKey) -> Option<&mut Node> {
        self.nodes.get_mut(key.index())?.as_mut()
    }

    /// Who has the place, or had it last.
    pub(super) fn id(&self, key: NodeKey) -> Option<NodeId> {
        self.ids.get(key.index()).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeKey, &Node)> {
        (0..).map(NodeKey).zip(&self.nodes).filter_map(|(key, node)| Some((key, node.as_ref()?)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (NodeKey, &mut Node)> {
        (0..).map(NodeKey).zip(&mut self.nodes).filter_map(|(key, node)| Some((key, node.as_mut()?)))
    }

    /// A place for a node that has none; not one that is `taken`. There may be no more.
    pub(super) fn insert(&mut self, id: NodeId, node: Node, taken: NodeSet) -> Option<NodeKey> {
        let is_free = |key: &NodeKey| self.get(*key).is_none() && !taken.contains(*key);
        let key = (0..Nodes::MOST).filter_map(|key| u8::try_from(key).ok()).map(NodeKey).find(is_free)?;
        if self.nodes.len() <= key.index() {
            self.nodes.resize_with(key.index() + 1, || None);
            self.ids.resize(key.index() + 1, id);
        }
        *self.nodes.get_mut(key.index())? = Some(node);
        *self.ids.get_mut(key.index())? = id;
        self.keys.insert(id, key);
        Some(key)
    }

    pub(super) fn remove(&mut self, key: NodeKey) -> Option<Node> {
        let node = self.nodes.get_mut(key.index())?.take()?;
        self.keys.remove(self.ids.get(key.index())?);
        Some(node)
    }

    pub(super) fn worst_case() -> u64 {
        let each =
            grown(size_of::<Option<Node>>() + size_of::<NodeId>()) + tree(size_of::<(NodeId, NodeKey)>());
        Nodes::MOST as u64 * each
    }

    /// # Panics
    ///
    /// When an invariant does not hold.
    pub(super) fn check(&self) {
        assert!(self.len() <= Nodes::MOST);
        assert_eq!(self.len(), self.iter().count());
        for (id, key) in &self.keys {
            assert!(self.get(*key).is_some() && self.id(*key) == Some(*id));
        }
    }
}

/// The last ones who said goodbye: what still comes of them counts no more.
#[derive(Debug)]
pub(super) struct Left {
    ids: [Option<NodeId>; Left::MOST],
    next: usize,
}

impl Left {
    const MOST: usize = 64;

    pub(super) fn new() -> Left {
        Left { ids: [None; Left::MOST], next: 0 }
    }

    pub(super) fn contains(&self, id: NodeId) -> bool {
        self.ids.contains(&Some(id))
    }

    /// It takes the place of the one who left longest ago.
    pub(super) fn insert(&mut self, id: NodeId) {
        if !self.contains(id)
            && let Some(place) = self.ids.get_mut(self.next)
        {
            *place = Some(id);
            self.next = (self.next + 1) % Left::MOST;
        }
    }
}
