//! What the server takes, counted: allocations, system calls, bytes. Nothing here depends on the machine.
#![allow(clippy::cast_possible_truncation, clippy::unwrap_used, reason = "lengths of test messages; tests")]

mod clients;
mod net;

use allocation_counter::measure;
use clients::{ANNOUNCE, frame, offer, target, upgrade};
use net::{Calls, CountingNet};
use peerpigeon_core::{ConnId, Gone, Grant, Input, Limits, Switchboard, Time, UnixMillis};
use peerpigeon_server::{AllowAll, Config, Server};
fn limits(peers: usize) -> Limits {
    Limits {
        connections: peers as u32,
        message_rate_per_second: 0,
        byte_rate_per_second: 0,
        ..Limits::default()
    }
}

/// Hands one input to the core; what comes out is thrown away.
fn feed(board: &mut Switchboard, input: Input<'_>) {
    board.handle(Time(1), input);
    while board.poll_output().is_some() {}
}

fn board(peers: usize) -> Switchboard {
    let mut board = Switchboard::new(limits(peers + 1), UnixMillis(1_700_000_000_000), 0).unwrap();
    for peer in 0..peers {
        visit(&mut board, peer, &target(peer));
    }
    board
}

fn visit(board: &mut Switchboard, peer: usize, target: &str) {
    let conn = ConnId(peer as u64);
    feed(board, Input::Opened { conn, target, address: None, grant: &Grant::ANY });
    feed(board, Input::Text { conn, text: ANNOUNCE });
}

fn server(peers: usize) -> Server<CountingNet> {
    let mut config = Config::new(limits(peers));
    config.memory_budget_bytes = usize::MAX;
    Server::new(CountingNet::with_room_for(peers), config, Box::new(AllowAll), UnixMillis(1_700_000_000_000))
        .unwrap()
}

/// Connects so many peers more, a few in each turn.
fn connect(server: &mut Server<CountingNet>, peers: std::ops::Range<usize>) {
    for peer in peers {
        server.net_mut().connect();
        server.turn().unwrap();
        server.net_mut().arrive(peer, &upgrade(peer));
        server.turn().unwrap();
    }
}

fn announce(server: &mut Server<CountingNet>, peers: std::ops::Range<usize>) {
    let announce = frame(ANNOUNCE);
    for peer in peers {
        server.net_mut().arrive(peer, &announce);
        server.turn().unwrap();
    }
}

/// Every peer sends `window` offers to its partner, all in one turn.
fn relay(server: &mut Server<CountingNet>, offers: &[Vec<u8>]) {
    for (peer, offers) in offers.iter().enumerate() {
        server.net_mut().arrive(peer, offers);
    }
    server.turn().unwrap();
}

fn offers(peers: usize, window: usize, bytes: usize) -> Vec<Vec<u8>> {
    (0..peers).map(|peer| frame(&offer(peer ^ 1, bytes)).repeat(window)).collect()
}

/// Sees to it that buffers which were kept for the next burst are given back.
fn rest(server: &mut Server<CountingNet>) {
    for _ in 0..10 {
        let now = server.net_mut().now;
        server.net_mut().now = now + 1_000;
        server.turn().unwrap();
    }
}

#[test]
fn relaying_allocates_nothing_in_the_core() {
    let mut board = board(100);
    let offers: Vec<String> = (0..100).map(|peer| offer(peer ^ 1, 1_000)).collect();
    let mut relay = |rounds| {
        for _ in 0..rounds {
            for (peer, text) in offers.iter().enumerate() {
                feed(&mut board, Input::Text { conn: ConnId(peer as u64), text });
            }
        }
    };
    relay(2);
    assert_eq!(measure(|| relay(10)).count_total, 0);
}

#[test]
fn relaying_allocates_nothing_in_the_whole_server() {
    for (window, bytes) in [(1, 250), (16, 250), (4, 2_500)] {
        let mut server = server(200);
        connect(&mut server, 0..200);
        announce(&mut server, 0..200);
        let offers = offers(200, window, bytes);
        (0..3).for_each(|_| relay(&mut server, &offers));
        let before = server.peer_counters().messages();
        let allocated = measure(|| (0..10).for_each(|_| relay(&mut server, &offers)));
        assert_eq!(allocated.count_total, 0, "{window} messages of {bytes} bytes at a time");
        assert_eq!(server.peer_counters().messages() - before, 10 * 200 * window as u64);
        assert_eq!(server.peer_counters().refusals(), 0);
    }
}

#[test]
fn messages_of_one_turn_cost_one_read_per_sender_and_one_write_per_receiver() {
    for window in [1, 16] {
        let mut server = server(200);
        connect(&mut server, 0..200);
        announce(&mut server, 0..200);
        let before = server.net_mut().calls;
        relay(&mut server, &offers(200, window, 250));
        let after = server.net_mut().calls;
        let spent = Calls {
            waits: after.waits - before.waits,
            reads: after.reads - before.reads,
            writes: after.writes - before.writes,
        };
        assert_eq!(spent, Calls { waits: 1, reads: 200, writes: 200 }, "{window} at a time");
    }
}

#[test]
fn a_visit_allocates_little_however_large_the_network_is() {
    for residents in [1_000, 20_000] {
        let mut board = board(residents);
        let targets: Vec<String> = (0..300).map(|visitor| target(residents + visitor)).collect();
        let mut visit_and_leave = |visitor: usize| {
            visit(&mut board, residents + visitor, &targets[visitor]);
            let conn = ConnId((residents + visitor) as u64);
            feed(&mut board, Input::Text { conn, text: r#"{"type":"goodbye"}"# });
            feed(&mut board, Input::Closed { conn, cause: Gone::Closed });
        };
        (0..100).for_each(&mut visit_and_leave);
        let allocated = measure(|| (100..300).for_each(&mut visit_and_leave));
        let each = allocated.count_total as f64 / 200.0;
        println!("{each} allocations for a visit among {residents}");
        assert!(each <= MOST_ALLOCATIONS_PER_VISIT, "{each} among {residents}");
    }
}

#[test]
fn a_hundred_thousand_idle_peers_take_little_and_after_a_burst_no_more() {
    const PEERS: usize = 100_000;
    let mut server = server(PEERS);
    // What is measured is the memory of the server, not that of its clients.
    server.net_mut().kept_bytes = 0;
    let each = |bytes: i64| bytes / PEERS as i64;
    let connected = each(
        measure(|| {
            connect(&mut server, 0..PEERS);
            rest(&mut server);
        })
        .bytes_current,
    );
    let announced = connected
        + each(
            measure(|| {
                announce(&mut server, 0..PEERS);
                rest(&mut server);
            })
            .bytes_current,
        );
    let after = announced
        + each(
            measure(|| {
                burst(&mut server, PEERS);
                rest(&mut server);
            })
            .bytes_current,
        );
    println!("bytes per peer: {connected} connected, {announced} announced, {after} after a burst");
    assert_eq!(server.gauges().peers, PEERS);
    for row in [format!("| connected | {connected} |"), format!("| announced | {announced} |")] {
        assert!(DOCUMENT.contains(&row), "docs/FOOTPRINT.md has no row {row}");
    }
    assert!(connected <= MOST_BYTES_CONNECTED, "{connected}");
    assert!(announced <= MOST_BYTES_ANNOUNCED, "{announced}");
    assert!(after <= announced + announced / 10, "{announced} before the burst, {after} after it");
}

/// Each peer relays a message of 64 KiB and gets one.
fn burst(server: &mut Server<CountingNet>, peers: usize) {
    let before = server.peer_counters().messages();
    for peer in 0..peers {
        server.net_mut().arrive(peer, &frame(&offer(peer ^ 1, 65_536)));
        if peer % 64 == 63 || peer == peers - 1 {
            // Such a message is longer than one read.
            (0..3).for_each(|_| server.turn().unwrap());
        }
    }
    assert_eq!(server.peer_counters().messages() - before, peers as u64);
}

/// Coming, announcing, goodbye and going, in the core: one of them is for the links that may come.
const MOST_ALLOCATIONS_PER_VISIT: f64 = 5.5;

const DOCUMENT: &str = include_str!("../../../docs/FOOTPRINT.md");

/// Requested from the allocator, with all tables at their size for 100,000.
const MOST_BYTES_CONNECTED: i64 = 300;

/// The same with its acquaintances, and with the links that may come of having met them.
const MOST_BYTES_ANNOUNCED: i64 = 640;
