//! Acknowledgements that wait for the store, and those behind them: who sends by dialect B tells them apart by their order.

use alloc::collections::{BTreeMap, VecDeque};

use crate::ConnId;
use crate::wire::{MessageId, Outcome, Refusal};
use crate::worst_case::{grown, tree};

/// So many may wait for one connection. Then nobody waits for the store any more: what it does not have is kept here.
const MOST_WAITING: usize = 256;

#[derive(Debug)]
struct Receipt {
    id: MessageId,
    result: Result<Outcome, Refusal>,
    /// It may be given as soon as those before it have been.
    is_known: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Receipts(BTreeMap<ConnId, VecDeque<Receipt>>);

impl Receipts {
    /// Whether acknowledgements for this connection wait: then those that come later wait, too.
    pub(crate) fn is_waiting(&self, conn: ConnId) -> bool {
        self.0.contains_key(&conn)
    }

    /// One more waits.
    pub(crate) fn wait(
        &mut self,
        conn: ConnId,
        id: MessageId,
        result: Result<Outcome, Refusal>,
        is_known: bool,
    ) {
        let waiting = self.0.entry(conn).or_default();
        waiting.push_back(Receipt { id, result, is_known });
        if waiting.len() > MOST_WAITING {
            waiting.iter_mut().for_each(|receipt| receipt.is_known = true);
        }
    }

    /// It is known now what became of a message.
    pub(crate) fn known(&mut self, conn: ConnId, id: MessageId) {
        let waiting = self.0.get_mut(&conn).into_iter().flatten();
        waiting.filter(|receipt| receipt.id == id).for_each(|receipt| receipt.is_known = true);
    }

    /// Takes the next one that may be given.
    pub(crate) fn next(&mut self, conn: ConnId) -> Option<(MessageId, Result<Outcome, Refusal>)> {
        let waiting = self.0.get_mut(&conn)?;
        let receipt = waiting.pop_front_if(|receipt| receipt.is_known)?;
        if waiting.is_empty() {
            self.0.remove(&conn);
        }
        Some((receipt.id, receipt.result))
    }

    /// A connection is over.
    pub(crate) fn remove(&mut self, conn: ConnId) {
        self.0.remove(&conn);
    }

    /// The most memory that they take, where the acknowledgements of so many connections wait.
    pub(crate) fn worst_case(conns: usize) -> u64 {
        let each = tree(size_of::<(ConnId, VecDeque<Receipt>)>())
            + (MOST_WAITING as u64 + 1) * grown(size_of::<Receipt>());
        conns as u64 * each
    }

    /// # Panics
    ///
    /// When an invariant does not hold.
    pub(crate) fn check(&self, is_there: impl Fn(ConnId) -> bool) {
        for (conn, waiting) in &self.0 {
            assert!(is_there(*conn), "acknowledgements wait for nobody");
            assert!(waiting.len() <= MOST_WAITING, "too many acknowledgements wait");
            assert!(waiting.front().is_some_and(|receipt| !receipt.is_known), "one was to be given");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONN: ConnId = ConnId(1);

    fn given(receipts: &mut Receipts) -> alloc::vec::Vec<u64> {
        core::iter::from_fn(|| receipts.next(CONN)).map(|(id, _)| id.0).collect()
    }

    #[test]
    fn what_is_known_early_waits_for_what_came_before_it() {
        let mut receipts = Receipts::default();
        receipts.wait(CONN, MessageId(1), Ok(Outcome::Queued), false);
        receipts.wait(CONN, MessageId(2), Ok(Outcome::Done), true);
        receipts.wait(CONN, MessageId(3), Ok(Outcome::Queued), false);
        receipts.known(CONN, MessageId(3));
        receipts.known(ConnId(2), MessageId(1));
        assert_eq!(given(&mut receipts), [0; 0]);
        receipts.known(CONN, MessageId(1));
        assert_eq!(given(&mut receipts), [1, 2, 3]);
        assert!(!receipts.is_waiting(CONN));
    }

    #[test]
    fn where_too_many_wait_nobody_does() {
        let mut receipts = Receipts::default();
        for id in 0..MOST_WAITING as u64 {
            receipts.wait(CONN, MessageId(id), Ok(Outcome::Queued), false);
        }
        assert_eq!(given(&mut receipts).len(), 0);
        receipts.wait(CONN, MessageId(1_000), Ok(Outcome::Queued), false);
        assert_eq!(given(&mut receipts).len(), MOST_WAITING + 1);
    }
}
