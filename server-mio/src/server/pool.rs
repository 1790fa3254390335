//! Buffers between two uses.

use peerpigeon_core::Time;

/// Keeps the buffers of emptied queues for the next ones, so that relaying allocates nothing. Those that
/// were not needed for a while are freed, so that a burst leaves nothing behind. Knows also when memory is to be given
/// back to the system.
#[derive(Debug, Default)]
pub(super) struct Pool {
    /// The last one put back is the next one taken: its memory is the warmest.
    buffers: Vec<Vec<u8>>,
    /// Bytes of all of them.
    bytes: usize,
    /// How many were never taken since the last trim: the ones at the front.
    unneeded: usize,
    /// Whether anything was freed since the last trim, here or elsewhere.
    has_freed: bool,
    /// When to trim next; `None` while there is nothing to trim.
    trim_at: Option<Time>,
}

impl Pool {
    pub(super) fn take(&mut self) -> Vec<u8> {
        let buffer = self.buffers.pop().unwrap_or_default();
        self.bytes -= buffer.capacity();
        self.unneeded = self.unneeded.min(self.buffers.len());
        buffer
    }

    pub(super) fn put(&mut self, buffer: Vec<u8>) {
        debug_assert!(buffer.is_empty(), "a pooled buffer holds nothing");
        let capacity = buffer.capacity();
        if capacity == 0 || capacity > MAX_BUFFER_BYTES || self.bytes + capacity > MAX_POOL_BYTES {
            self.has_freed |= capacity > 0;
            return;
        }
        self.bytes += capacity;
        self.buffers.push(buffer);
    }

    /// Notes that something else was freed.
    pub(super) fn note_freed(&mut self) {
        self.has_freed = true;
    }

    /// Frees what was not needed since the last call, every [`TRIM_INTERVAL_MS`]. Says whether memory was freed in this
    /// time, by anybody: an allocator should be asked now to give back what it keeps.
    #[must_use]
    pub(super) fn trim(&mut self, now: Time) -> bool {
        match self.trim_at {
            None if self.is_clean() => false,
            None => {
                self.trim_at = Some(now + TRIM_INTERVAL_MS);
                false
            }
            Some(when) if when > now => false,
            Some(_) => {
                let has_freed = std::mem::take(&mut self.has_freed) || self.unneeded > 0;
                for buffer in self.buffers.drain(..self.unneeded) {
                    self.bytes -= buffer.capacity();
                }
                self.unneeded = self.buffers.len();
                if self.buffers.is_empty() {
                    self.buffers = Vec::new();
                }
                self.trim_at = (!self.buffers.is_empty()).then_some(now + TRIM_INTERVAL_MS);
                has_freed
            }
        }
    }

    fn is_clean(&self) -> bool {
        self.buffers.is_empty() && !self.has_freed
    }

    /// When to call [`Pool::trim`] next: at once when something was put back or freed that no trim has seen, since the loop may
    /// have nothing else to wake up for.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.trim_at.or((!self.is_clean()).then_some(Time(0)))
    }

    /// Bytes of memory that it owns.
    pub(super) fn owned_bytes(&self) -> usize {
        self.bytes + self.buffers.capacity() * size_of::<Vec<u8>>()
    }
}

/// A larger one is freed at once. Large enough for what gathers for one receiver within a turn, with the half that a buffer
/// may have grown beyond it: an allocator that gives such a buffer back to the system costs a page fault for every 4 KiB of
/// the next one.
const MAX_BUFFER_BYTES: usize = 128 * 1024;

/// Bytes kept at most.
pub(crate) const MAX_POOL_BYTES: usize = 256 * 1024;

const TRIM_INTERVAL_MS: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_from_the_pool() {
        let mut pool = Pool::default();
        let mut buffer = pool.take();
        buffer.reserve(500);
        let capacity = buffer.capacity();
        pool.put(buffer);
        assert_eq!(pool.take().capacity(), capacity);
        assert_eq!(pool.take().capacity(), 0);
    }

    #[test]
    fn after_a_burst_only_what_is_still_in_use_stays() {
        let mut pool = Pool::default();
        for _ in 0..100 {
            pool.put(Vec::with_capacity(1000));
        }
        for now in 0..5_000 {
            let (one, other) = (pool.take(), pool.take());
            pool.put(one);
            pool.put(other);
            let _ = pool.trim(Time(now));
        }
        assert_eq!((pool.buffers.len(), pool.bytes), (2, 2000));
    }

    #[test]
    fn an_idle_pool_ends_empty_and_asks_for_no_more_time() {
        let mut pool = Pool::default();
        pool.put(Vec::with_capacity(1000));
        let (mut trims, mut frees) = (0, 0);
        while let Some(when) = pool.deadline() {
            frees += u32::from(pool.trim(when));
            trims += 1;
            assert!(trims < 5);
        }
        assert_eq!((pool.owned_bytes(), frees), (0, 1));
    }

    #[test]
    fn what_others_free_is_told_once_within_an_interval() {
        let mut pool = Pool::default();
        pool.note_freed();
        pool.put(Vec::with_capacity(MAX_BUFFER_BYTES + 1));
        assert_eq!(pool.deadline(), Some(Time(0)));
        assert!(!pool.trim(Time(100)));
        assert_eq!(pool.deadline(), Some(Time(100 + TRIM_INTERVAL_MS)));
        assert!(pool.trim(Time(100 + TRIM_INTERVAL_MS)));
        assert_eq!(pool.deadline(), None);
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes() {
        let mut pool = Pool::default();
        pool.put(Vec::with_capacity(MAX_BUFFER_BYTES + 1));
        assert_eq!(pool.bytes, 0);
        for _ in 0..1000 {
            pool.put(Vec::with_capacity(MAX_BUFFER_BYTES));
        }
        assert!(pool.bytes <= MAX_POOL_BYTES);
    }
}
