//! A log that nobody reads.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;

use peerpigeon_tests::{PATIENCE, Server, Signal, http};

/// A pipe with a name, gone after the test.
struct Pipe(PathBuf);

impl Pipe {
    fn new(name: &str) -> Pipe {
        let path = std::env::temp_dir().join(format!("peerpigeon-{name}-{}.pipe", std::process::id()));
        let status = Command::new("mkfifo").arg(&path).status().expect("coreutils");
        assert!(status.success());
        Pipe(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }

    /// Somebody who has it open, so that it can be written to.
    fn reader(&self) -> File {
        OpenOptions::new().read(true).write(true).custom_flags(O_NONBLOCK).open(&self.0).expect("a pipe")
    }

    /// Somebody who waits for what comes.
    fn lines(&self) -> mpsc::Receiver<String> {
        let file = OpenOptions::new().read(true).open(&self.0).expect("a pipe with somebody who writes");
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(file).lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        told
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

const O_NONBLOCK: i32 = 0o4000;

/// More requests than lines fit into a pipe and into the server's own backlog; each of them is a line at `debug`.
fn flood(server: &Server) {
    for _ in 0..4_000 {
        let answer = http::exchange(server.address(), b"GET / HTTP/1.1\r\n\r\n");
        assert!(answer.starts_with(b"HTTP/1.1 400 "), "{}", http::lossy(&answer));
    }
}

#[test]
fn a_log_that_nobody_reads_stops_neither_the_service_nor_its_end() {
    let pipe = Pipe::new("log");
    let reader = pipe.reader();
    let mut server =
        Server::logging_to(pipe.path(), &[("LOG_LEVEL", "debug"), ("CONNECTION_RATE_PER_IP", "0")]);
    flood(&server);
    assert_eq!(server.health().status, 200);
    // Somebody reads after all: what is there, how much is missing, and then what comes.
    let lines = pipe.lines();
    drop(reader);
    let next = || lines.recv_timeout(PATIENCE).expect("a line");
    let missing = loop {
        let line = next();
        if line.contains("log lines could not be written") {
            break line;
        }
    };
    let count = missing.split(' ').find_map(|word| word.parse::<u32>().ok().filter(|_| !word.contains('-')));
    assert!(count.is_some_and(|count| count > 500), "{missing}");
    let _ = http::exchange(server.address(), b"GET /x y HTTP/1.1\r\n\r\n");
    while !next().contains("Malformed request line") {}
    server.signal(Signal::SIGTERM);
    assert!(server.wait().success());
}

#[test]
fn a_server_whose_log_nobody_reads_ends_when_it_is_asked_to() {
    let pipe = Pipe::new("deaf");
    let _reader = pipe.reader();
    let mut server =
        Server::logging_to(pipe.path(), &[("LOG_LEVEL", "debug"), ("CONNECTION_RATE_PER_IP", "0")]);
    flood(&server);
    server.signal(Signal::SIGTERM);
    assert!(server.wait().success());
}
