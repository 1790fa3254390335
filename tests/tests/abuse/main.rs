//! Abuse: five hundred healthy peers lose no signal, none of theirs takes long, and nothing is left behind.

mod attacks;
mod budget;
mod exhaustion;
mod wall_clock;

use peerpigeon_tests::{Latency, Ring, Server, process, wait_until};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Peers that signal all the time.
const HEALTHY: usize = 500;

/// Some places are left.
const MAX_CONNECTIONS: usize = HEALTHY + 60;

/// Beside five times what the slowest signal takes undisturbed; attackers, peers and server share a few processors.
const MORE_AT_MOST: Duration = Duration::from_secs(1);

/// Rounds of the healthy that an attack lasts at least, and those after it.
const ROUNDS: u32 = 5;

fn settings() -> [(&'static str, &'static str); 9] {
    [
        ("MAX_CONNECTIONS", "560"),
        ("HANDSHAKE_TIMEOUT", "1000"),
        ("REINTRODUCE_INTERVAL", "0"),
        // What is kept for those who went away is gone soon.
        ("MESSAGE_TTL", "1000"),
        ("CLEANUP_INTERVAL", "1000"),
        ("MAX_MESSAGE_SIZE", "65536"),
        ("MAX_QUEUE_SIZE", "262144"),
        // Who sends to peers that do not read has the kernel's buffers to fill first, some MB for each.
        ("BYTE_RATE", "16777216"),
        ("BYTE_BURST", "134217728"),
    ]
}

/// Waits until only the healthy are left.
fn wait_for_the_end(server: &Server) {
    wait_until("the attackers are gone", || server.gauge("/health", "connections") == HEALTHY as u64);
}

fn bound(undisturbed: &Latency) -> Duration {
    MORE_AT_MOST + 5 * undisturbed.slowest
}

fn check(what: &str, undisturbed: &Latency, disturbed: &Latency) {
    eprintln!("{disturbed}  {what}");
    let bound = bound(undisturbed);
    assert!(disturbed.slowest < bound, "{what}: {disturbed}; at most {bound:?}");
}

/// Held by each test: another one beside it would be measured, too.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn nobody_notices_the_attacks_and_nothing_of_them_is_left() {
    let _alone = alone();
    let server = Server::with(&settings());
    let mut ring = Ring::start(&server, HEALTHY);
    let _ = ring.lap(ROUNDS);
    let undisturbed = ring.lap(2 * ROUNDS);
    let before = server.resident_bytes();
    let own = process::anonymous_bytes(server.pid());
    eprintln!("memory: {before} bytes resident, {own} of them its own, before");
    eprintln!("{undisturbed}  undisturbed; at most {:.1?}", bound(&undisturbed));
    for (name, attack) in attacks::ALL {
        let _ = ring.lap(1);
        attack(&server);
        check(name, &undisturbed, &ring.lap(ROUNDS));
        wait_for_the_end(&server);
    }
    attacks::stop_and_continue(&server);
    let disturbed = ring.lap(ROUNDS);
    eprintln!("{disturbed}  stopped for {:.1?}", attacks::STOPPED);
    assert!(disturbed.slowest < bound(&undisturbed) + attacks::STOPPED, "{disturbed}");
    let after = process::anonymous_bytes(server.pid());
    eprintln!("memory: {} bytes resident, {after} of them its own, after", server.resident_bytes());
    // Buffers and freed blocks are given back in steps of a second.
    wait_until("the memory of before", || server.resident_bytes() <= before + before / 10);
    // Of the heap alone: the tables had to make room for an eighth more peers, and what was freed lies between what was not.
    // It does not grow when the same attacks come again.
    wait_until("the heap of before", || process::anonymous_bytes(server.pid()) <= own + own / 2);
    let (after, own) = (server.resident_bytes(), process::anonymous_bytes(server.pid()));
    eprintln!("memory: {after} bytes resident, {own} of them its own, after");
    ring.stop();
    server.stop();
}
