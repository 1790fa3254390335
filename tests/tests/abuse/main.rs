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

/// Bytes by which what the C library keeps differs from one round to the next.
const KEPT_BY_CHANCE: u64 = 1024 * 1024;

/// Rounds of the healthy that an attack lasts at least, and those after it.
const ROUNDS: u32 = 5;

fn settings() -> [(&'static str, &'static str); 7] {
    [
        ("MAX_CONNECTIONS", "560"),
        ("HANDSHAKE_TIMEOUT", "1000"),
        ("REINTRODUCE_INTERVAL", "0"),
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
    let (anonymous, resident) = (process::anonymous_bytes(server.pid()), server.resident_bytes());
    eprintln!("memory: {anonymous} bytes of its own, {resident} resident, before");
    eprintln!("{undisturbed}  undisturbed; at most {:.1?}", bound(&undisturbed));
    // What the first round leaves is what the C library keeps of blocks that were freed, and uses again: two MB or three.
    let mut left = [0; 2];
    for left in &mut left {
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
        // The buffers that are kept for the next ones are freed in steps of a second.
        wait_until("no buffers", || buffers(&server) < 1_000_000);
        *left = process::anonymous_bytes(server.pid());
    }
    let [before, second] = left;
    eprintln!("memory: {before} bytes after the first round, {second} after the second");
    // How much of the largest transient load the C library keeps varies by what lay above it when it was freed.
    let at_most = before + (before / 10).max(KEPT_BY_CHANCE);
    wait_until("the memory of before", || process::anonymous_bytes(server.pid()) <= at_most);
    let after = process::anonymous_bytes(server.pid());
    let resident = server.resident_bytes();
    eprintln!("memory: {after} bytes at the end, {resident} resident");
    ring.stop();
    server.stop();
}

fn buffers(server: &Server) -> u64 {
    server.health().json()["memory"]["buffers"].as_u64().expect("a number")
}
