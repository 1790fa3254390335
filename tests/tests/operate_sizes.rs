//! How large the program and its packages are, how long it takes to start, and what it needs while nobody does anything.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::process::Command;

use peerpigeon_tests::tools::{packaged, succeed};
use peerpigeon_tests::{Crowd, Server, wait_until};

const MIB: u64 = 1024 * 1024;

fn bytes(name: &str) -> u64 {
    fs::metadata(packaged(name)).unwrap().len()
}

#[test]
fn sizes_are_measured() {
    let (program, package) = (bytes("peerpigeon-server"), bytes("peerpigeon-server.deb"));
    // An image made `FROM scratch` has one layer, which is this.
    let layer = std::env::temp_dir().join(format!("peerpigeon-layer-{}.tar.gz", std::process::id()));
    let folder = packaged("peerpigeon-server").parent().unwrap().to_owned();
    let mut tar = Command::new("tar");
    tar.args(["--create", "--gzip", "--file"]).arg(&layer).arg("--directory").arg(folder);
    succeed(tar.arg("peerpigeon-server"));
    let image = fs::metadata(&layer).unwrap().len();
    fs::remove_file(layer).unwrap();
    println!("static program: {program} bytes");
    println!("Debian package: {package} bytes");
    println!("image: {program} bytes and a tar header, {image} bytes compressed");
    assert!(program < 4 * MIB && package < 2 * MIB && image < 2 * MIB);
}

/// Of 4.1 MB of program the kernel keeps little more in memory than what runs; how much exactly depends on how it has read the
/// file. If this fails after a change of the compiler or of much of the code: scripts/startup-order.
#[test]
fn what_runs_at_the_start_lies_side_by_side() {
    let resident = Server::of(&packaged("peerpigeon-server"), &[]).resident_bytes();
    println!("memory at the start: {resident} bytes resident");
    assert!(resident < 2_600_000, "{resident}");
}

#[test]
fn start_and_memory_are_measured() {
    const PEERS: [usize; 3] = [0, 1_000, 4_000];
    let program = packaged("peerpigeon-server");
    let mut starts: Vec<_> = (0..5).map(|_| Server::of(&program, &[]).started_within()).collect();
    starts.sort();
    println!("start to the first answered /health: {:?} (median of {})", starts[2], starts.len());
    let server = Server::of(&program, &[("MAX_CONNECTIONS", "10000")]);
    let mut crowd = Crowd::new();
    let (mut connected, mut before) = (0, 0);
    for peers in PEERS {
        crowd.connect(&server, peers - connected);
        for member in connected..peers {
            crowd.announce(member, "net");
            // A few at a time, so that what waits to be sent does not count as what a peer costs.
            if member % 100 == 0 {
                crowd.settle_all(|_, _| {});
            }
        }
        crowd.settle_all(|_, _| {});
        server.wait_for_peers(peers as u64);
        // Buffers that are kept for the next messages are freed after a moment, but that of this answer.
        wait_until("few buffers", || server.health().json()["memory"]["buffers"].as_u64().unwrap() < 65_536);
        let resident = server.resident_bytes();
        println!("memory with {peers} announced peers: {resident} bytes resident");
        if connected > 0 {
            let each = resident.saturating_sub(before) / (peers - connected) as u64;
            println!("each peer above {connected}: {each} bytes");
            assert!(each < 4 * 1024);
        }
        assert!(resident < 32 * MIB);
        (connected, before) = (peers, resident);
    }
}
