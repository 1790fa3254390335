//! Who is here, to be drawn from by place.

use super::key::Key;

#[derive(Debug, Default)]
pub(super) struct Roll {
    keys: Vec<Key>,
    /// The place of each number that was ever here.
    places: Vec<u32>,
}

const GONE: u32 = u32::MAX;

impl Roll {
    /// Everybody, in no order that matters.
    pub(super) fn all(&self) -> &[Key] {
        &self.keys
    }

    pub(super) fn add(&mut self, key: Key) {
        let place = u32::try_from(self.keys.len()).unwrap_or(GONE);
        self.places.resize((key.index() + 1).max(self.places.len()), GONE);
        self.places[key.index()] = place;
        self.keys.push(key);
    }

    pub(super) fn remove(&mut self, key: Key) {
        let Some(place) = self.place(key) else { return };
        self.places[key.index()] = GONE;
        self.keys.swap_remove(place as usize);
        if let Some(moved) = self.keys.get(place as usize) {
            self.places[moved.index()] = place;
        }
    }

    pub(super) fn has(&self, key: Key) -> bool {
        self.place(key).is_some()
    }

    /// Where in [`Roll::all`] it stands.
    pub(super) fn place(&self, key: Key) -> Option<u32> {
        self.places.get(key.index()).copied().filter(|place| *place != GONE)
    }
}
