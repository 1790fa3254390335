//! The memory budget holds when everything is filled at once.

use crate::alone;
use peerpigeon_tests::websocket::{append_frame, opcode};
use peerpigeon_tests::{Peer, Received, Server, id, process};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const MIB: u64 = 1024 * 1024;
/// `MEMORY_BUDGET`: queues and incomplete messages.
const BUDGET: u64 = 24 * MIB;
const MAX_MESSAGE: usize = 1024 * 1024;
/// `MAILBOX_TOTAL_BYTES`.
const MAIL: u64 = 4 * MIB;

/// What the settings allow, beside what the process takes before anybody has come.
fn worst_case() -> u64 {
    // Kept for the next queues, whatever the budget.
    let pool = 8 * MIB;
    // One message of each who wait for their id or for a place: 256 of them, 64 KiB each.
    let held = 256 * 65_536;
    // What a socket, a peer with its announcement and a mailbox take beside: an upper bound.
    let peers = 400 * 16 * 1024;
    // A queue that grows is two for a moment, twice as long as needed, before the budget is looked at.
    let growing = 3 * 2 * MIB;
    BUDGET + MAIL * 2 + pool + held + peers + growing
}

#[test]
fn an_attack_that_fills_everything_stays_below_what_the_settings_allow() {
    let _alone = alone();
    let settings = [
        ("MEMORY_BUDGET", BUDGET.to_string()),
        ("MAX_MESSAGE_SIZE", MAX_MESSAGE.to_string()),
        ("MAX_QUEUE_SIZE", (2 * MAX_MESSAGE).to_string()),
        ("MAILBOX_BYTES", (64 * 1024).to_string()),
        ("MAILBOX_TOTAL_BYTES", MAIL.to_string()),
        ("MESSAGE_RATE", "0".to_owned()),
        ("BYTE_RATE", "0".to_owned()),
        ("REINTRODUCE_INTERVAL", "0".to_owned()),
    ];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = Server::with(&settings);
    let empty = process::anonymous_bytes(server.pid());
    let (peak, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                peak.fetch_max(process::anonymous_bytes(server.pid()), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let full = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| fill(&server)));
        is_over.store(true, Ordering::Relaxed);
        if let Err(panic) = full {
            std::panic::resume_unwind(panic);
        }
    });
    let (peak, allowed) = (peak.load(Ordering::Relaxed) - empty, worst_case());
    eprintln!("memory: {empty} bytes at first, at most {peak} more; {allowed} allowed");
    assert!(peak > BUDGET, "the attack does not fill the budget: {peak} bytes");
    assert!(peak < allowed, "{peak} bytes of {allowed}");
    assert_eq!(server.health().status, 200);
    server.stop();
}

/// Mailboxes, half messages, and queues of peers that do not read, until the budget sheds them.
fn fill(server: &Server) {
    let mut sender = Peer::announced(server, &id::number(0), "net");
    let mail = format!("\"{}\"", "m".repeat(60_000));
    for i in 1..=80 {
        let _ = Peer::announced(server, &id::number(i), "net").settle();
        server.wait_for_peers(1);
        sender.signal("ice-candidate", &id::number(i), "net", &mail);
    }
    let _ = sender.settle();

    let mut half = Vec::new();
    append_frame(&mut half, 0x80 | opcode::TEXT, &[b'x'; MAX_MESSAGE]);
    half.truncate(half.len() - 1);
    let mut halves: Vec<Peer> = Vec::new();
    for i in 100..150 {
        let mut peer = Peer::connect(server, &id::number(i));
        peer.send_bytes(&half);
        halves.push(peer);
    }
    let deaf: Vec<Peer> = (200..250).map(|i| Peer::announced(server, &id::number(i), "net")).collect();
    let filler = format!("\"{}\"", "x".repeat(200_000));
    for _ in 0..40 {
        for target in 200..250 {
            sender.signal("ice-candidate", &id::number(target), "net", &filler);
        }
        for received in sender.settle() {
            assert!(matches!(received, Received::Text(_)), "the sender reads, and is ended: {received:?}");
        }
        if server.gauge("/health", "peers") < 25 {
            break;
        }
    }
    let attackers = halves.len() + deaf.len();
    let lost = attackers + 1 - usize::try_from(server.gauge("/health", "connections")).expect("a few");
    eprintln!("  {lost} of {attackers} attackers were shed");
    assert!(lost > 0);
}
