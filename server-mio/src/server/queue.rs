//! Bytes on their way out.

/// What waits to be sent to one connection. Without anything waiting it owns no memory.
#[derive(Debug, Default)]
pub(super) struct Queue {
    bytes: Vec<u8>,
    /// How many of them the socket has taken.
    sent: usize,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Bytes of memory that it owns.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    pub(super) fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// The socket took so many.
    pub(super) fn advance(&mut self, taken: usize) {
        self.sent += taken;
        debug_assert!(self.sent <= self.bytes.len(), "a socket takes no more than it was given");
    }

    /// Where to append `additional` bytes.
    pub(super) fn room(&mut self, additional: usize) -> &mut Vec<u8> {
        let len = self.bytes.len();
        if self.bytes.capacity() - len < additional {
            // Moving what is left costs at most as much as was sent since the last time.
            if self.sent > len / 2 {
                self.bytes.drain(..self.sent);
                self.sent = 0;
            }
            self.bytes.reserve(additional);
        }
        &mut self.bytes
    }

    /// Whether a buffer must be given before anything is appended.
    pub(super) fn has_no_buffer(&self) -> bool {
        self.bytes.capacity() == 0
    }

    pub(super) fn give_buffer(&mut self, buffer: Vec<u8>) {
        debug_assert!(self.is_empty() && buffer.is_empty(), "a buffer comes empty and replaces none");
        self.bytes = buffer;
    }

    /// Empties the queue and gives its buffer away.
    pub(super) fn take_buffer(&mut self) -> Vec<u8> {
        self.sent = 0;
        let mut buffer = std::mem::take(&mut self.bytes);
        buffer.clear();
        buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_comes_out_once_and_in_order_whatever_the_socket_takes() {
        for step in 1..7 {
            let mut queue = Queue::default();
            let (mut out, mut expected) = (Vec::new(), Vec::new());
            for i in 0..200_u8 {
                let piece = vec![i; usize::from(i) % 11];
                expected.extend_from_slice(&piece);
                queue.room(piece.len()).extend_from_slice(&piece);
                let taken = queue.len().min(step);
                out.extend_from_slice(&queue.unsent()[..taken]);
                queue.advance(taken);
            }
            out.extend_from_slice(queue.unsent());
            assert_eq!(out, expected, "{step} bytes at a time");
        }
    }

    #[test]
    fn a_queue_that_never_runs_empty_does_not_grow_for_ever() {
        let mut queue = Queue::default();
        queue.room(1000).extend_from_slice(&[0; 1000]);
        for _ in 0..10_000 {
            queue.room(100).extend_from_slice(&[0; 100]);
            queue.advance(100);
        }
        assert_eq!(queue.len(), 1000);
        assert!(queue.capacity() <= 8192, "{}", queue.capacity());
    }

    #[test]
    fn an_empty_queue_owns_nothing() {
        let mut queue = Queue::default();
        queue.room(10).extend_from_slice(b"0123456789");
        let buffer = queue.take_buffer();
        assert!(buffer.is_empty() && buffer.capacity() >= 10);
        assert_eq!((queue.capacity(), queue.len()), (0, 0));
    }
}
