//! Settings from a file, and read again while the server runs.

use std::fs;
use std::path::PathBuf;

use peerpigeon_tests::{Peer, Received, Server, Signal, http, id, refused_start, websocket};

/// A settings file that is gone after the test.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> File {
        let path = std::env::temp_dir().join(format!("peerpigeon-{name}-{}.conf", std::process::id()));
        let file = File(path);
        file.write(text);
        file
    }

    fn write(&self, text: &str) {
        fs::write(&self.0, text).expect("a place for temporary files");
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The status of an upgrade with these headers.
fn upgrade_status(server: &Server, target: &str, headers: &str) -> u16 {
    let request = websocket::upgrade(target).replacen("\r\n\r\n", &format!("\r\n{headers}\r\n"), 1);
    let bytes = http::exchange_and_end(server.address(), request.as_bytes());
    http::lossy(&bytes).split(' ').nth(1).and_then(|status| status.parse().ok()).expect("an answer")
}

#[test]
fn a_file_sets_what_variables_and_flags_do_not() {
    let file = File::new("effective", "MAX_CONNECTIONS = 7 # not a comment\n");
    let check = |environment: &[(&str, &str)], arguments: &[&str]| {
        refused_start(&[arguments, &["--check", "--config-file", file.path()]].concat(), environment)
    };
    let (status, _, said) = check(&[], &[]);
    assert_eq!(status, Some(2));
    assert!(
        said.contains(&format!("{}:1: MAX_CONNECTIONS=\"7 # not a comment\": allowed is", file.path())),
        "{said}"
    );

    file.write("# A comment.\nMAX_CONNECTIONS=7\nPEERPIGEON_LOG_LEVEL=\"debug\"\nMESSAGE_RATE='9'\n");
    let (status, said, _) =
        check(&[("MESSAGE_RATE", "10"), ("LOG_LEVEL", "warn")], &["--log-level", "error"]);
    assert_eq!(status, Some(0));
    let of = |name: &str| said.lines().find(|line| line.starts_with(name)).expect(name).to_owned();
    assert!(of("MAX_CONNECTIONS=").ends_with(&format!("# {}:2: MAX_CONNECTIONS", file.path())), "{said}");
    assert!(of("MESSAGE_RATE=").contains("=10 "), "a variable wins");
    assert!(of("LOG_LEVEL=").contains("=error "), "a flag wins over both");

    for (text, about) in [
        ("MAX_CONECTIONS=7\n", ":1: PEERPIGEON_MAX_CONECTIONS: there is no such setting; did you mean"),
        ("\nPORT 3000\n", ":2: expected NAME=value"),
        ("CONFIG_FILE=other\n", ":1: CONFIG_FILE cannot be set in this file"),
        ("PORT='3000\n", ":1: a quotation mark has no second one"),
    ] {
        file.write(text);
        let (status, _, said) = check(&[], &[]);
        assert_eq!((status, said.lines().count()), (Some(2), 1), "{said}");
        assert!(said.contains(&format!("{}{about}", file.path())), "{said}");
    }
    let (status, _, said) = refused_start(&["--config-file", "/nothing/there"], &[]);
    assert_eq!(status, Some(2));
    assert!(said.contains("/nothing/there: No such file"), "{said}");
}

#[test]
fn a_hangup_reads_the_file_again_and_nobody_is_disturbed() {
    let file = File::new("reload", "MAX_CONNECTIONS=2\nMESSAGE_RATE=1\nMESSAGE_BURST=1\n");
    let server = Server::with(&[("CONFIG_FILE", file.path())]);
    let mut first = Peer::connect(&server, &id::of('a'));
    let mut second = Peer::connect(&server, &id::of('b'));
    let mut waiting = Peer::upgrade(server.address(), &id::target(&id::of('c')));
    assert_eq!(http::get(server.address(), "/stats").status, 200);
    assert_eq!(upgrade_status(&server, &id::target(&id::of('d')), "Origin: https://app.example\r\n"), 101);

    file.write(
        "MAX_CONNECTIONS=100\nAUTH_TOKEN=s3cret\nCORS_ORIGIN=https://other.example\nMETRICS_TOKEN=t0ken\n\
         LOG_LEVEL=debug\nLOG_FORMAT=json\nPEER_TIMEOUT=0\nDEMO=off\n",
    );
    server.signal(Signal::SIGHUP);
    let said = server.wait_for_log("settings read again");
    for change in [
        "MAX_CONNECTIONS from 2 to 100",
        "AUTH_TOKEN from (not set) to (set)",
        "METRICS_TOKEN from (not set) to (set)",
        "CORS_ORIGIN from * to https://other.example",
        "MESSAGE_RATE from 1 to 200",
        "LOG_LEVEL from info to debug",
    ] {
        assert!(said.contains(change), "{change} in {said}");
    }
    assert!(!said.contains("s3cret") && !said.contains("LOG_FORMAT"), "{said}");
    let said = server.wait_for_log("wait for a restart");
    assert!(said.ends_with("PEER_TIMEOUT, LOG_FORMAT"), "{said}");

    // Who waited for a place has one, without a token: it was let in before.
    assert_eq!(waiting.json()["type"], "connected");
    // The limits of those who were there are the new ones.
    for _ in 0..20 {
        first.send(r#"{"type":"ping"}"#);
        first.expect("pong");
    }
    assert_eq!(second.settle(), Vec::<Received>::new());
    let target = id::target(&id::of('e'));
    assert_eq!(upgrade_status(&server, &target, ""), 401);
    let with_token = format!("{target}&token=s3cret");
    assert_eq!(upgrade_status(&server, &with_token, ""), 101);
    assert_eq!(upgrade_status(&server, &with_token, "Origin: https://app.example\r\n"), 403);
    assert_eq!(http::get(server.address(), "/stats").status, 401);
    assert_eq!(http::get(server.address(), "/demo").status, 404);
    let _ = server.wait_for_log("DEBUG");
    server.stop();
}

#[test]
fn a_file_that_is_wrong_changes_nothing() {
    let file = File::new("wrong", "AUTH_TOKEN=old\n");
    let server = Server::with(&[("CONFIG_FILE", file.path())]);
    file.write("AUTH_TOKEN=new\nMAX_CONNECTIONS=many\n");
    server.signal(Signal::SIGHUP);
    let said = server.wait_for_log("the settings stay as they are");
    assert!(said.contains("ERROR") && said.contains(":2: MAX_CONNECTIONS=\"many\": allowed is"), "{said}");
    let target = id::target(&id::of('a'));
    assert_eq!(upgrade_status(&server, &format!("{target}&token=old"), ""), 101);
    assert_eq!(upgrade_status(&server, &format!("{target}&token=new"), ""), 401);
}

#[test]
fn without_a_file_a_hangup_changes_nothing() {
    let server = Server::start();
    let mut peer = Peer::connect(&server, &id::of('a'));
    for _ in 0..3 {
        server.signal(Signal::SIGHUP);
    }
    let said = server.wait_for_log("settings read again");
    assert!(said.ends_with("changed: nothing"), "{said}");
    assert_eq!(peer.settle(), Vec::<Received>::new());
}

#[test]
fn a_file_that_cannot_be_read_to_its_end_stops_neither_the_service_nor_its_end() {
    let file = File::new("hangs", "AUTH_TOKEN=old\n");
    let mut server = Server::with(&[("CONFIG_FILE", file.path())]);
    // A pipe that nobody writes to, as a disk that hangs.
    fs::remove_file(file.path()).expect("it is there");
    let status = std::process::Command::new("mkfifo").arg(file.path()).status().expect("coreutils");
    assert!(status.success());
    for _ in 0..3 {
        server.signal(Signal::SIGHUP);
    }
    for _ in 0..20 {
        assert_eq!(server.health().status, 200);
    }
    server.signal(Signal::SIGTERM);
    assert!(server.wait().success());
    // A device that never ends.
    fs::remove_file(file.path()).expect("it is there");
    std::os::unix::fs::symlink("/dev/zero", file.path()).expect("a place for temporary files");
    let (status, _, said) = refused_start(&["--config-file", file.path()], &[]);
    assert_eq!(status, Some(2));
    assert!(said.contains("longer than 1048576 bytes"), "{said}");
}
