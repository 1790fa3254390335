//! What the loop asks of the machine that it runs on, sockets apart.

use peerpigeon_core::{Input, Time, UnixMillis};

/// Clocks, and what the system says of the process. The real ones are those that
/// [`MioNet`](crate::MioNet) asks; a simulator brings its own.
pub trait Host {
    /// Milliseconds since the start, never going back.
    fn now(&self) -> Time;

    /// Microseconds since the start, never going back: for measuring, not for deciding.
    fn micros(&self) -> u64 {
        self.now().0.saturating_mul(1_000)
    }

    /// What the clock on the wall shows, which may be set at any time; `None` where there is none: it goes on from the
    /// start as [`Host::now`] does.
    fn wall_time(&self) -> Option<UnixMillis> {
        None
    }

    /// What the system says of the process.
    fn process(&self) -> Process {
        Process::default()
    }

    /// Gives the system back what the allocator keeps of memory that was freed.
    fn give_back_memory(&mut self) {}

    /// Gets every input before the core does, in their order: together they are a trace that can be run again.
    fn note_input(&mut self, _now: Time, _input: &Input<'_>) {}
}

/// What the system says about the process; `None` where nobody can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Memory that it takes.
    pub resident_bytes: Option<u64>,
    /// Descriptors that are open.
    pub open_descriptors: Option<u64>,
    /// Descriptors that may be open.
    pub max_descriptors: Option<u64>,
    /// Processor time that it has used, in milliseconds.
    pub processor_ms: Option<u64>,
}
