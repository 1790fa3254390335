//! Conformance with RFC 9112, RFC 9110 and RFC 6455, case by case, as bytes on a socket.
//!
//! * `requests.rs`, `bodies.rs`, `upgrades.rs`: HTTP/1.1 and the WebSocket handshake, against the server.
//! * `frames.rs`: frames, against the server and against `examples/echo.rs`, which is built on the same decoder.
//! * `autobahn.rs`: the cases of the published Autobahn test suite's groups 1 to 7 and 10, by their numbers, against both.
//!
//! Every case is delivered in several ways (in one write, frame by frame, byte by byte), each on a connection of its own.
//! All of them run, whatever fails; then the count per section is printed, and what failed.

mod autobahn;
mod bodies;
mod exchange;
mod frames;
mod report;
mod requests;
mod script;
mod subject;
mod upgrades;

use exchange::Exchange;
use peerpigeon_tests::Server;
use report::Report;
use script::Script;
use subject::Subject;

/// Enough that waiting for the other side does not add up.
const WORKERS: usize = 8;

#[test]
fn every_case_is_answered_as_the_standards_say() {
    let report = Report::default();
    let server = Server::with(&[("MESSAGE_RATE", "0"), ("BYTE_RATE", "0"), ("MAX_CONNECTIONS", "1000")]);
    let impatient = Server::with(&[("HANDSHAKE_TIMEOUT", "300"), ("KEEP_ALIVE_TIMEOUT", "300")]);
    let echo = subject::Echo::start();
    let signaling = Subject::signaling(server.address());
    let echoing = Subject::echo(echo.address());

    exchange::run_slow(&requests::slow(), impatient.address(), &report);
    let exchanges: Vec<Exchange> = requests::all().into_iter().chain(upgrades::all()).collect();
    work(&exchanges, |case| case.run(server.address(), &report));
    let scripts: Vec<Script> = frames::all().into_iter().chain(autobahn::all()).collect();
    work(&scripts, |case| case.run(&signaling, &report));
    work(&scripts, |case| case.run(&echoing, &report));

    report.print();
    assert!(report.raw_cases() >= 200, "{} cases beside those of the suite", report.raw_cases());
    assert_eq!(report.suite_cases(), autobahn::CASES, "cases of the suite");
    let failures = report.failures();
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
    server.stop();
    impatient.stop();
}

/// Calls `run` for every case, on several threads.
fn work<C: Sync>(cases: &[C], run: impl Fn(&C) + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    run(case);
                }
            });
        }
    });
}
