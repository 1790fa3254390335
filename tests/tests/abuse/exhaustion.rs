//! Nothing left of what the system gives: descriptors, room on a disk.

use crate::attacks::abort;
use crate::{HEALTHY, alone, check, settings, wait_for_the_end};
use peerpigeon_tests::websocket::{self, frame, opcode};
use peerpigeon_tests::{Peer, Ring, Server, http, id, process, wait_until};
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

/// Descriptors: those of the healthy, of the process itself, and a few more.
const FILES: usize = HEALTHY + 40;

/// Rounds of the healthy in which processor time is measured.
const ROUNDS: u32 = 10;

#[test]
fn without_descriptors_the_loop_does_not_spin_and_accepting_resumes() {
    let _alone = alone();
    let server = Server::with(&settings());
    // After the start, when the server has fitted itself into what it is allowed.
    let files = format!("--nofile={FILES}:{FILES}");
    let status = Command::new("prlimit").args(["--pid", &server.pid().to_string(), &files]).status();
    assert!(status.expect("util-linux").success());
    let mut ring = Ring::start(&server, HEALTHY);
    let _ = ring.lap(1);
    let (idle, undisturbed) = cpu_time_of(&server, || ring.lap(ROUNDS));
    eprintln!("{undisturbed}  undisturbed, {idle:.0?} of the processor");
    // More peers than can be let in; the rest waits in the kernel's queue.
    let waiting: Vec<TcpStream> = (0..60).map(|i| upgrading(&server, 2_000_000 + i)).collect();
    wait_until("it cannot accept", || server.log().contains("cannot accept"));
    let (busy, disturbed) = cpu_time_of(&server, || ring.lap(ROUNDS));
    check(&format!("without descriptors, {busy:.0?} of the processor"), &undisturbed, &disturbed);
    assert!(busy < 2 * idle + Duration::from_millis(200), "{busy:?} instead of {idle:?}: the loop spins");
    assert_eq!(server.log().matches("cannot accept").count(), 1, "it is said once:\n{}", server.log());
    drop(waiting);
    wait_for_the_end(&server);
    drop(Peer::connect(&server, &id::number(3_000_000)));
    wait_for_the_end(&server);
    ring.stop();
    server.stop();
}

#[test]
fn a_server_fits_itself_into_the_descriptors_that_it_may_have() {
    let _alone = alone();
    let number = |server: &Server, name: &str| {
        let metrics = http::get(server.address(), "/metrics").body;
        let line =
            metrics.lines().find(|line| line.starts_with(&format!("{name} "))).expect("a metric").to_owned();
        line.rsplit(' ').next().and_then(|number| number.parse::<u64>().ok()).expect("a number")
    };
    let server = Server::under("ulimit -n 100", &[]);
    assert_eq!(number(&server, "process_max_fds"), 100);
    let connections = number(&server, "peerpigeon_max_connections");
    let warning = server.wait_for_log("100 descriptors are allowed");
    assert!(warning.contains(&format!("{connections} connections instead of 1000")), "{warning}");
    let seated: Vec<Peer> = (0..connections)
        .map(|n| Peer::connect(&server, &id::number(usize::try_from(n).expect("few"))))
        .collect();
    let mut late = Peer::upgrade(server.address(), &id::target(&id::number(1_000)));
    assert_eq!(late.closed(), (1013, "Maximum connections reached".to_owned()));
    assert!(!server.log().contains("cannot accept"), "{}", server.log());
    drop(seated);
    server.stop();
    // What the system allows beyond the soft limit is taken.
    let server = Server::under("ulimit -Sn 100", &[]);
    assert!(number(&server, "process_max_fds") > 100);
    assert!(!server.log().contains("descriptors"), "{}", server.log());
    server.stop();
}

#[test]
fn a_full_disk_under_the_log_costs_nobody_anything() {
    let _alone = alone();
    let with_debug = [&settings()[..], &[("LOG_LEVEL", "debug")]].concat();
    let mut server = Server::logging_to("/dev/full", &with_debug);
    let mut ring = Ring::start(&server, HEALTHY);
    let _ = ring.lap(1);
    let undisturbed = ring.lap(ROUNDS);
    // Each of them would be a line or more.
    for i in 0..300 {
        let mut peer = Peer::connect(&server, &id::number(2_000_000 + i));
        peer.send_bytes(&frame(opcode::CONTINUATION, b"x"));
        abort(peer.stream().try_clone().expect("descriptors enough"));
    }
    check("with a full disk", &undisturbed, &ring.lap(ROUNDS));
    wait_for_the_end(&server);
    assert!(!server.has_ended());
    ring.stop();
    server.stop();
}

/// The handshake of this peer is on its way.
fn upgrading(server: &Server, number: usize) -> TcpStream {
    let mut socket = http::connect(server.address());
    socket
        .write_all(websocket::upgrade(&id::target(&id::number(number))).as_bytes())
        .expect("room in the kernel");
    socket
}

fn cpu_time_of<T>(server: &Server, act: impl FnOnce() -> T) -> (Duration, T) {
    let before = process::cpu_time(server.pid());
    let result = act();
    (process::cpu_time(server.pid()) - before, result)
}
