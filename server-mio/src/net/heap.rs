//! What the allocator keeps.

/// Gives the system back every whole page that is free in the heap.
///
/// The C library gives back by itself only what lies at the end of the heap: after a burst one small block that was
/// allocated late keeps everything below it resident (glibc's `malloc_trim` does what is needed, malloc_trim(3)). Other
/// libraries give back by themselves, or cannot.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the one function of the C library that nobody has wrapped; see below")]
pub(super) fn give_back() {
    // SAFETY: takes a number and touches nothing but free memory; safe to call at any time from any thread.
    unsafe { libc::malloc_trim(0) };
}

/// Gives the system back every whole page that is free in the heap, where the C library has a function for it.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn give_back() {}
