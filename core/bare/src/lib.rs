//! The core in a program that has neither an operating system nor the standard library.
//!
//! It defines what `std` would define (the panic handler, the allocator): were `std` anywhere below, the compiler would find
//! both twice and refuse.
#![no_std]

use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;
use core::ptr::null_mut;
use peerpigeon_core::{ConnId, Grant, Input, Limits, Switchboard, Time, UnixMillis};

/// Has nothing to give: the program is built and looked at, not run.
struct NoMemory;

// SAFETY: null is always a right answer, and nothing is ever given back.
unsafe impl GlobalAlloc for NoMemory {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: NoMemory = NoMemory;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// What a driver does: everything that the core can be asked for is linked.
#[unsafe(no_mangle)]
pub extern "C" fn start(now: u64) -> usize {
    let Ok(mut switchboard) = Switchboard::new(Limits::default(), UnixMillis(now), now) else { return 0 };
    let target = "/?peerId=0123456789abcdef0123456789abcdef01234567";
    let conn = ConnId(1);
    switchboard.handle(Time(now), Input::Opened { conn, target, address: None, grant: &Grant::ANY });
    switchboard.handle(Time(now), Input::Text { conn, text: "{}" });
    let mut outputs = 0;
    while switchboard.poll_output().is_some() {
        outputs += 1;
    }
    outputs
}
