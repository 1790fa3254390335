//! What the peers of one address do together: how many there are, and how much they send.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::pace::{ADDRESS_SHARES, Caused, Pace, Verdict};
use crate::{AddressKey, Limits, Switchboard, Time};

/// The addresses of those who are here, and of those who have sent much lately.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    all: BTreeMap<AddressKey, Address>,
    /// Those without an admitted peer, the one that was left first before the others.
    deserted: BTreeSet<(Time, AddressKey)>,
}

#[derive(Debug)]
pub(crate) struct Address {
    /// Admitted connections.
    peers: u32,
    /// Since when there are none.
    deserted: Time,
    pub(crate) pace: Pace,
}

impl Addresses {
    /// Addresses without a peer that are remembered: who comes back finds its buckets as it left them.
    pub(crate) const DESERTED: usize = 1_024;

    /// Admitted connections of an address.
    pub(crate) fn peers(&self, key: AddressKey) -> u32 {
        self.all.get(&key).map_or(0, |address| address.peers)
    }

    /// A connection of this address is admitted.
    pub(crate) fn come(&mut self, key: AddressKey, now: Time, limits: &Limits) {
        let address = self.of(key, now, limits);
        address.peers += 1;
        let place = (address.deserted, key);
        self.deserted.remove(&place);
    }

    /// An admitted connection of this address is over.
    pub(crate) fn go(&mut self, key: AddressKey, now: Time) {
        let Some(address) = self.all.get_mut(&key) else { return };
        address.peers -= 1;
        if address.peers == 0 {
            address.deserted = now;
            self.deserted.insert((now, key));
        }
    }

    /// What is known of an address; from now on it is remembered.
    pub(crate) fn of(&mut self, key: AddressKey, now: Time, limits: &Limits) -> &mut Address {
        if !self.all.contains_key(&key) {
            self.make_room(now, limits);
            self.deserted.insert((now, key));
        }
        let fresh = || Address { peers: 0, deserted: now, pace: Pace::default() };
        self.all.entry(key).or_insert_with(fresh)
    }

    /// Forgets deserted addresses of which nothing is to be remembered, and the oldest where there are too many.
    fn make_room(&mut self, now: Time, limits: &Limits) {
        while let Some((since, key)) = self.deserted.first().copied() {
            let rests =
                self.all.get_mut(&key).is_none_or(|address| address.pace.rests(now, limits, ADDRESS_SHARES));
            if !rests && self.deserted.len() < Addresses::DESERTED {
                return;
            }
            self.deserted.remove(&(since, key));
            self.all.remove(&key);
        }
    }

    /// # Panics
    ///
    /// When the peers of an address were not counted right, or a deserted one has no place.
    pub(crate) fn check(&self, peers: &BTreeMap<AddressKey, u32>) {
        for (key, address) in &self.all {
            assert_eq!(address.peers, peers.get(key).copied().unwrap_or(0), "{key:?}");
            assert_eq!(address.peers == 0, self.deserted.contains(&(address.deserted, *key)));
        }
        assert!(peers.keys().all(|key| self.all.contains_key(key)));
        assert!(self.deserted.len() <= Addresses::DESERTED);
    }
}

impl Switchboard {
    /// Whether a peer may send a message of so many bytes now, by its own rates and by those of its address.
    pub(crate) fn admit(&mut self, slot: u32, bytes: usize) -> Verdict {
        let (peer, limits) = (&mut self.peers[slot], &self.limits);
        let address = peer.address.map(|key| &mut self.addresses.of(key, self.now, limits).pace);
        peer.pace.admit(address, bytes, self.now, limits)
    }

    /// Charges a peer, and its address.
    pub(crate) fn charge(&mut self, slot: u32, cost: Caused) {
        let peer = &mut self.peers[slot];
        peer.pace.charge(cost, self.now, &self.limits, 1);
        if let Some(key) = peer.address {
            self.addresses.of(key, self.now, &self.limits).pace.charge(
                cost,
                self.now,
                &self.limits,
                ADDRESS_SHARES,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy(addresses: &mut Addresses, key: u64, now: Time, limits: &Limits) {
        let cost = Caused { messages: 1_000_000, bytes: 0 };
        addresses.of(AddressKey(key), now, limits).pace.charge(cost, now, limits, ADDRESS_SHARES);
    }

    #[test]
    fn who_leaves_in_debt_is_remembered_until_it_is_paid() {
        let limits = Limits::default();
        let mut addresses = Addresses::default();
        addresses.come(AddressKey(1), Time(0), &limits);
        busy(&mut addresses, 1, Time(0), &limits);
        addresses.go(AddressKey(1), Time(0));
        addresses.of(AddressKey(2), Time(1_000), &limits);
        assert!(addresses.all.contains_key(&AddressKey(1)));
        addresses.of(AddressKey(3), Time(100_000), &limits);
        assert!(!addresses.all.contains_key(&AddressKey(1)));
        addresses.check(&BTreeMap::new());
    }

    #[test]
    fn of_too_many_deserted_ones_the_oldest_is_forgotten_and_none_that_has_peers() {
        let limits = Limits::default();
        let mut addresses = Addresses::default();
        addresses.come(AddressKey(0), Time(0), &limits);
        (0..3_000).for_each(|key| busy(&mut addresses, key, Time(0), &limits));
        assert_eq!(addresses.all.len(), 1 + Addresses::DESERTED);
        assert!(addresses.all.contains_key(&AddressKey(2_999)));
        addresses.check(&BTreeMap::from([(AddressKey(0), 1)]));
    }
}
