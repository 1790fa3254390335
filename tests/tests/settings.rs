//! Settings: environment variables and flags, what the server says of them, and what it refuses.

use peerpigeon_tests::{Peer, Server, http, id, refused_start};

#[test]
fn a_bad_value_ends_it_with_status_2_and_one_line_that_says_what_is_allowed() {
    for (variable, value) in [
        ("PORT", "70000"),
        ("PORT", "-1"),
        ("PORT", "http"),
        ("PORT", "3 000"),
        ("HOST", "no such host"),
        ("MAX_CONNECTIONS", "0"),
        ("MAX_CONNECTIONS", "many"),
        ("MAX_CONNECTIONS", "1.5"),
        ("CLEANUP_INTERVAL", "1s"),
        ("PEER_TIMEOUT", "-5"),
        ("CORS_ORIGIN", "not an origin"),
        ("MAX_MESSAGE_SIZE", "1MB"),
        ("INTRODUCTIONS", "0"),
        ("INTRODUCTIONS", "51"),
        ("REINTRODUCE_INTERVAL", "x"),
        ("DUPLICATE_PEER", "both"),
        ("PING_INTERVAL", "99999999999999999999"),
        ("SHUTDOWN_TIMEOUT", "soon"),
        ("MESSAGE_TTL", "0x10"),
        ("MESSAGE_RATE", "-1"),
        ("LIMIT_EXEMPT", "10.0.0.0/33"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
    ] {
        let (status, out, err) = refused_start(&[], &[(variable, value)]);
        assert_eq!(status, Some(2), "{variable}={value}: {err}");
        assert_eq!(out, "", "{variable}={value}");
        assert_eq!(err.trim_end().lines().count(), 1, "{variable}={value}: {err}");
        assert!(err.contains(variable) && err.contains(value), "{variable}={value}: {err}");
    }
}

#[test]
fn a_bad_flag_is_refused_in_the_same_way() {
    for (arguments, named) in [
        (&["--port", "x"][..], "x"),
        (&["--port=70000"], "70000"),
        (&["--port"], "--port"),
        (&["--max-connection", "5"], "--max-connection"),
        (&["--no-such-flag"], "--no-such-flag"),
        (&["stray"], "stray"),
    ] {
        let (status, out, err) = refused_start(arguments, &[]);
        assert_eq!(status, Some(2), "{arguments:?}: {err}");
        assert_eq!(out, "", "{arguments:?}");
        assert_eq!(err.trim_end().lines().count(), 1, "{arguments:?}: {err}");
        assert!(err.contains(named), "{arguments:?}: {err}");
    }
}

#[test]
fn help_lists_every_flag_and_tells_its_variable() {
    let (status, out, err) = refused_start(&["--help"], &[]);
    assert_eq!((status, err.as_str()), (Some(0), ""));
    assert!(out.contains("--max-connections 2000 is MAX_CONNECTIONS=2000"), "{out}");
    for variable in [
        "PORT",
        "HOST",
        "MAX_CONNECTIONS",
        "CLEANUP_INTERVAL",
        "PEER_TIMEOUT",
        "CORS_ORIGIN",
        "MAX_MESSAGE_SIZE",
        "INTRODUCTIONS",
        "REINTRODUCE_INTERVAL",
        "DUPLICATE_PEER",
        "PING_INTERVAL",
        "PONG_TIMEOUT",
        "HANDSHAKE_TIMEOUT",
        "SHUTDOWN_TIMEOUT",
        "MESSAGE_TTL",
        "MAILBOX_MESSAGES",
        "MAILBOX_BYTES",
        "MAILBOX_TOTAL_BYTES",
        "MESSAGE_RATE",
        "MESSAGE_BURST",
        "LOG_LEVEL",
        "LOG_FORMAT",
    ] {
        let flag = format!("--{} ", variable.to_lowercase().replace('_', "-"));
        assert!(out.contains(&flag), "{flag} is not in:\n{out}");
    }
}

#[test]
fn version_is_that_of_the_package() {
    let (status, out, _) = refused_start(&["--version"], &[]);
    assert_eq!(status, Some(0));
    assert!(out.contains(env!("CARGO_PKG_VERSION")), "{out}");
}

#[test]
fn a_flag_wins_over_its_variable() {
    let (status, _, err) = refused_start(&["--port", "bad-flag"], &[("PORT", "0")]);
    assert_eq!(status, Some(2));
    assert!(err.contains("bad-flag"), "{err}");
}

#[test]
fn a_port_in_use_is_said_plainly() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let (status, _, err) = refused_start(&[], &[("PORT", &port)]);
    assert!(status.is_some_and(|status| status != 0), "{err}");
    assert!(err.contains(&port), "{err}");
    assert!(!err.contains("panicked"), "{err}");
}

#[test]
fn the_default_host_is_the_loopback_of_both_families() {
    let server = Server::with(&[("HOST", "localhost")]);
    assert!(server.address().ip().is_loopback());
    let port = server.address().port();
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        let address = format!("[::1]:{port}").parse().expect("an address");
        assert_eq!(http::get(address, "/health").status, 200, "{}", server.log());
        let mut peer = Peer::upgrade(address, &id::target(&id::of('a')));
        peer.expect("connected");
    }
}

#[test]
fn log_lines_can_be_json() {
    let server = Server::with(&[("LOG_FORMAT", "json")]);
    drop(Peer::connect(&server, &id::of('a')));
    let log = server.log();
    assert!(!log.is_empty());
    for line in log.lines() {
        let line: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["level"].is_string() && line["msg"].is_string(), "{line}");
    }
}

#[test]
fn peers_come_and_go_without_a_line_unless_debugging() {
    let comings_and_goings = |server: &Server| {
        let mut a = Peer::announced(server, &id::of('a'), "net");
        let mut b = Peer::announced(server, &id::of('b'), "net");
        a.signal("offer", b.id(), "net", r#""secret""#);
        a.send("nonsense");
        a.settle();
        b.settle();
    };
    let quiet = Server::start();
    // The last line of a start.
    let _ = quiet.wait_for_log("memory at worst");
    let before = quiet.log().lines().count();
    comings_and_goings(&quiet);
    quiet.wait_for_peers(0);
    assert_eq!(quiet.log().lines().count(), before, "{}", quiet.log());

    let talkative = Server::with(&[("LOG_LEVEL", "debug")]);
    comings_and_goings(&talkative);
    talkative.wait_for_peers(0);
    for peer in [id::of('a'), id::of('b')] {
        let _ = talkative.wait_for_log(&format!("{peer} gone"));
    }
    let log = talkative.log();
    assert!(!log.contains("secret"), "{log}");
}
