//! What the peers of one address do together: how many there are, and how much they send.

use alloc::collections::{BTreeMap, BTreeSet};
use core::num::NonZero;

use slab::Slab;

use crate::peers::rate_limiter::{ADDRESS_SHARES, RateLimiter};
use crate::{AddressKey, Limits, Time};

/// The addresses of those who are here, and of those who have sent much lately.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    all: Slab<Address>,
    places: BTreeMap<AddressKey, usize>,
    /// Those without an admitted peer, the one that was left first before the others.
    deserted: BTreeSet<(Time, AddressKey)>,
}

/// The address of a peer, and where to find what is known of it: every message is charged to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Home {
    pub(crate) key: AddressKey,
    /// Counted from 1, so that a peer without one takes no more memory.
    place: NonZero<u32>,
}

impl Home {
    fn place(self) -> usize {
        self.place.get() as usize - 1
    }
}

#[derive(Debug)]
pub(crate) struct Address {
    /// Admitted connections.
    peers: u32,
    /// Since when there are none.
    deserted: Time,
    pub(crate) rate_limiter: RateLimiter,
}

impl Addresses {
    /// Addresses without a peer that are remembered: who comes back finds its buckets as it left them.
    pub(crate) const DESERTED: usize = 1_024;

    /// Admitted connections of an address.
    pub(crate) fn peers(&self, key: AddressKey) -> u32 {
        self.places.get(&key).map_or(0, |place| self.all[*place].peers)
    }

    /// A connection of this address is admitted.
    pub(crate) fn come(&mut self, key: AddressKey, now: Time, limits: &Limits) -> Home {
        let place = self.place_of(key, now, limits);
        let address = &mut self.all[place];
        address.peers += 1;
        self.deserted.remove(&(address.deserted, key));
        Home {
            key,
            place: u32::try_from(place)
                .map_or(NonZero::<u32>::MAX, |place| NonZero::<u32>::MIN.saturating_add(place)),
        }
    }

    /// An admitted connection of this address is over.
    pub(crate) fn go(&mut self, home: Home, now: Time) {
        let address = &mut self.all[home.place()];
        address.peers -= 1;
        if address.peers == 0 {
            address.deserted = now;
            self.deserted.insert((now, home.key));
        }
    }

    /// The buckets of an address that has a peer.
    pub(super) fn of_peers(&mut self, home: Home) -> &mut RateLimiter {
        &mut self.all[home.place()].rate_limiter
    }

    /// What is known of an address; from now on it is remembered.
    pub(crate) fn of(&mut self, key: AddressKey, now: Time, limits: &Limits) -> &mut Address {
        let place = self.place_of(key, now, limits);
        &mut self.all[place]
    }

    fn place_of(&mut self, key: AddressKey, now: Time, limits: &Limits) -> usize {
        if let Some(place) = self.places.get(&key) {
            return *place;
        }
        self.make_room(now, limits);
        self.deserted.insert((now, key));
        let place =
            self.all.insert(Address { peers: 0, deserted: now, rate_limiter: RateLimiter::default() });
        self.places.insert(key, place);
        place
    }

    /// Forgets deserted addresses of which nothing is to be remembered, and the oldest where there are too many.
    fn make_room(&mut self, now: Time, limits: &Limits) {
        while let Some((since, key)) = self.deserted.first().copied() {
            let place = self.places.get(&key).copied();
            let rests =
                place.is_none_or(|place| self.all[place].rate_limiter.rests(now, limits, ADDRESS_SHARES));
            if !rests && self.deserted.len() < Addresses::DESERTED {
                return;
            }
            self.deserted.remove(&(since, key));
            if let Some(place) = self.places.remove(&key) {
                self.all.remove(place);
            }
        }
    }

    /// # Panics
    ///
    /// When the peers of an address were not counted right, or a deserted one has no place.
    pub(crate) fn check(&self, peers: &BTreeMap<AddressKey, u32>) {
        assert_eq!(self.all.len(), self.places.len());
        for (key, place) in &self.places {
            let address = &self.all[*place];
            assert_eq!(address.peers, peers.get(key).copied().unwrap_or(0), "{key:?}");
            assert_eq!(address.peers == 0, self.deserted.contains(&(address.deserted, *key)));
        }
        assert!(peers.keys().all(|key| self.places.contains_key(key)));
        assert!(self.deserted.len() <= Addresses::DESERTED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::rate_limiter::Caused;

    fn busy(addresses: &mut Addresses, key: u64, now: Time, limits: &Limits) {
        let cost = Caused { messages: 1_000_000, bytes: 0 };
        addresses.of(AddressKey(key), now, limits).rate_limiter.charge(cost, now, limits, ADDRESS_SHARES);
    }

    #[test]
    fn who_leaves_in_debt_is_remembered_until_it_is_paid() {
        let limits = Limits::default();
        let mut addresses = Addresses::default();
        let home = addresses.come(AddressKey(1), Time(0), &limits);
        busy(&mut addresses, 1, Time(0), &limits);
        addresses.go(home, Time(0));
        addresses.of(AddressKey(2), Time(1_000), &limits);
        assert!(addresses.places.contains_key(&AddressKey(1)));
        addresses.of(AddressKey(3), Time(100_000), &limits);
        assert!(!addresses.places.contains_key(&AddressKey(1)));
        addresses.check(&BTreeMap::new());
    }

    #[test]
    fn of_too_many_deserted_ones_the_oldest_is_forgotten_and_none_that_has_peers() {
        let limits = Limits::default();
        let mut addresses = Addresses::default();
        addresses.come(AddressKey(0), Time(0), &limits);
        (0..3_000).for_each(|key| busy(&mut addresses, key, Time(0), &limits));
        assert_eq!(addresses.all.len(), 1 + Addresses::DESERTED);
        assert!(addresses.places.contains_key(&AddressKey(2_999)));
        addresses.check(&BTreeMap::from([(AddressKey(0), 1)]));
    }
}
