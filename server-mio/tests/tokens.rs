//! Who may come in with which token: the program from outside.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Running, exchange, next};
use std::net::TcpStream;
use std::process::{Command, Output};
use tungstenite::{WebSocket, client};

const SECRET: &str = "the secret of these tests, 32 bytes";
const ID: &str = "0123456789abcdef0123456789abcdef01234567";
const OTHER: &str = "fedcba9876543210fedcba9876543210fedcba98";

fn run(environment: &[(&str, &str)], arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peerpigeon-server"));
    let command = command.env_clear().envs(environment.iter().copied()).args(arguments);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (status.code().unwrap(), stdout, stderr)
}

/// What `peerpigeon-server token` prints.
fn token(arguments: &[&str]) -> String {
    let (status, stdout, stderr) = run(&[("AUTH_JWT_SECRET", SECRET)], &[&["token"], arguments].concat());
    assert_eq!((status, stderr.as_str()), (0, ""));
    stdout.strip_suffix('\n').unwrap().to_owned()
}

/// A WebSocket, or the status that refuses it.
fn open(server: &Running, query: &str) -> Result<WebSocket<TcpStream>, u16> {
    let url = format!("ws://{}/?{query}", server.address());
    match client(url, server.connect()) {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(answer))) => {
            Err(answer.status().as_u16())
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_minted_token_lets_its_peer_into_its_networks_and_nobody_into_others() {
    let server = Running::start(&[("AUTH_JWT_SECRET", SECRET), ("LOG_LEVEL", "trace")]);
    let good = token(&["--peer-id", ID, "--network", "n", "--network", "m", "--expires-in", "90s"]);
    let mut first = open(&server, &format!("peerId={ID}&token={good}")).unwrap();
    assert!(next(&mut first).starts_with(r#"{"type":"connected""#));
    first.send(r#"{"type":"announce","networkName":"other"}"#.into()).unwrap();
    assert!(next(&mut first).contains(r#""code":"forbidden""#));
    first.send(r#"{"type":"announce","networkName":"n"}"#.into()).unwrap();
    first.send(r#"{"type":"ping"}"#.into()).unwrap();
    assert!(next(&mut first).starts_with(r#"{"type":"pong""#));

    let mut stranger = open(&server, &format!("peerId={OTHER}&token={good}")).unwrap();
    assert_eq!(next(&mut stranger), "1008 Token is for another peerId");

    let mut second = open(&server, &format!("peerId={ID}&token={good}")).unwrap();
    assert!(next(&mut second).starts_with(r#"{"type":"connected""#));
    assert_eq!(next(&mut first), "4001 Replaced by a newer connection");

    let signature = good.rsplit_once('.').unwrap().1;
    server.wait_for_log("Replaced");
    assert!(!server.log().contains(signature), "a token in the log");
}

#[test]
fn tokens_name_networks_as_long_as_the_server_takes() {
    let name = "n".repeat(200);
    let longest = ["--max-network-name", "200"];
    let good = token(&[&["--network", &name][..], &longest].concat());
    let server = Running::start(&[("AUTH_JWT_SECRET", SECRET), ("MAX_NETWORK_NAME", "200")]);
    let mut peer = open(&server, &format!("peerId={ID}&token={good}")).unwrap();
    assert!(next(&mut peer).starts_with(r#"{"type":"connected""#));
    peer.send(format!(r#"{{"type":"announce","networkName":"{name}"}}"#).into()).unwrap();
    peer.send(r#"{"type":"ping"}"#.into()).unwrap();
    assert!(next(&mut peer).starts_with(r#"{"type":"pong""#));
}

#[test]
fn no_token_and_a_bad_one_are_refused_before_the_upgrade() {
    let server = Running::start(&[("AUTH_JWT_SECRET", SECRET)]);
    let good = token(&[]);
    let (signed, _) = good.rsplit_once('.').unwrap();
    for bad in [String::new(), "&token=x".into(), format!("&token={signed}."), format!("&token={good}x")] {
        assert_eq!(open(&server, &format!("peerId={ID}{bad}")).map(|_| ()), Err(401), "{bad}");
    }
    assert!(open(&server, &format!("peerId={ID}&token={good}")).is_ok());
    let head = "GET /signaling?peerId=x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ";
    let answer = exchange(server.connect(), &format!("{head}{signed}.\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("\r\nWWW-Authenticate: Bearer\r\n"));
    assert!(answer.ends_with("The token has a wrong signature"), "{answer}");
    let answer = exchange(server.connect(), &format!("{head}{good}\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[test]
fn a_shared_token_and_a_json_web_token_are_each_enough() {
    let server = Running::start(&[("AUTH_JWT_SECRET", SECRET), ("AUTH_TOKEN", "shared")]);
    for good in ["shared", &token(&[])] {
        assert!(open(&server, &format!("peerId={ID}&token={good}")).is_ok());
    }
    assert_eq!(open(&server, &format!("peerId={ID}&token=other")).map(|_| ()), Err(401));
}

#[test]
fn requests_without_a_web_socket_are_bound_by_their_token_too() {
    let server = Running::start(&[("AUTH_JWT_SECRET", SECRET)]);
    let good = token(&["--peer-id", ID, "--network", "n"]);
    let post = |peer: &str, network: &str| {
        let body =
            format!(r#"{{"type":"announce","peerId":"{peer}","data":{{}},"networkName":"{network}"}}"#);
        let head = format!("POST /signaling?token={good} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
        let length = body.len();
        exchange(server.connect(), &format!("{head}Content-Length: {length}\r\n\r\n{body}"))
    };
    assert!(post(ID, "n").starts_with("HTTP/1.1 200 "));
    assert!(post(ID, "m").starts_with("HTTP/1.1 403 "));
    assert!(post(OTHER, "n").contains("The token does not allow this peerId"));
}

#[test]
fn what_cannot_be_minted_is_refused_in_one_line() {
    let secret = [("AUTH_JWT_SECRET", SECRET)];
    for (environment, arguments, expected) in [
        (&[][..], &["token"][..], "AUTH_JWT_SECRET: not set; a token is signed with it"),
        (
            &secret,
            &["token", "--peer-id", " "],
            "--peer-id=\" \": allowed is an id of 1 to 128 bytes, for most clients 40 hexadecimal digits",
        ),
        (
            &secret,
            &["token", "--expires-in", "1w"],
            "--expires-in=\"1w\": allowed is a time such as 90s, 15m, 12h or 30d, up to 3650d",
        ),
        (&secret, &["token", "--network", ""], "--network=\"\": allowed is a network name, 32 times at most"),
        (
            &secret,
            &["token", "--network", "seventeen letters", "--max-network-name", "16"],
            "--network=\"seventeen letters\": it is longer than 16 bytes (MAX_NETWORK_NAME); allowed is a network name, \
             32 times at most",
        ),
        (&secret, &["token", "--network"], "--network: needs a value, a network name, 32 times at most"),
        (&secret, &["token", "token"], "\"token\": belongs to no flag; see --help"),
        (&secret, &["--peer-id", ID], "--peer-id: there is no such flag; see --help"),
        (
            &[("AUTH_JWT_SECRET", "short")],
            &["token"],
            "AUTH_JWT_SECRET=(hidden): it is shorter than 32 bytes; allowed is a text of 32 bytes at least, or the absolute \
             path of a file with it",
        ),
    ] {
        let (status, stdout, stderr) = run(environment, arguments);
        assert_eq!((status, stdout.as_str()), (2, ""), "{arguments:?}");
        assert_eq!(stderr, format!("peerpigeon-server: {expected}\n"));
    }
}
