//! The program from outside: what it says, where, and its exit status.

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::{Command, Output, Stdio};

/// With no variable but these.
fn program(environment: &[(&str, &str)], arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peerpigeon-server"));
    command.env_clear().envs(environment.iter().copied()).args(arguments).stdin(Stdio::null());
    command
}

fn run(environment: &[(&str, &str)], arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        program(environment, arguments).output().expect("the program runs");
    let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).expect("text"));
    (status.code().expect("an exit status"), stdout, stderr)
}

#[test]
fn what_is_asked_for_goes_to_standard_output_and_the_status_is_0() {
    for (arguments, beginning) in [
        (["--help"], "peerpigeon-server 0"),
        (["--version"], "peerpigeon-server 0"),
        (["--check"], "PORT=3000 "),
    ] {
        let (status, stdout, stderr) = run(&[], &arguments);
        assert_eq!((status, stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(stdout.starts_with(beginning) && stdout.ends_with('\n'), "{arguments:?}: {stdout}");
    }
}

#[test]
fn wrong_settings_give_one_line_on_standard_error_and_status_2() {
    for (environment, arguments, about) in [
        (vec![("PORT", "70000")], vec![], "PORT=\"70000\": allowed is "),
        (vec![("PORT", "7\n8")], vec!["--check"], "PORT=\"7\\n8\": allowed is "),
        (vec![], vec!["--port", "x"], "--port=\"x\": allowed is "),
        (vec![("PEERPIGEON_PROT", "1")], vec![], "PEERPIGEON_PROT: there is no such setting; did you mean "),
        (vec![], vec!["--nonsense"], "--nonsense: there is no such flag"),
        (vec![("PEER_TIMEOUT", "100")], vec![], "PEER_TIMEOUT=100 with PING_INTERVAL=25000: "),
        (vec![("AUTH_TOKEN", "a b")], vec![], "AUTH_TOKEN=(hidden): "),
    ] {
        let (status, stdout, stderr) = run(&environment, &arguments);
        assert_eq!((status, stdout.as_str()), (2, ""), "{environment:?} {arguments:?}");
        let rest =
            stderr.strip_prefix("peerpigeon-server: ").and_then(|rest| rest.strip_suffix('\n')).unwrap();
        assert!(rest.starts_with(about) && !rest.contains('\n'), "{stderr}");
    }
}

#[test]
fn a_full_disk_is_a_failure_for_what_is_asked_for_and_a_closed_pipe_is_none() {
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = program(&[], &["--check"]).stdout(full()).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(1));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = program(&[], &["--help"]).stdout(writer).status().unwrap();
    assert_eq!(status.code(), Some(0));
    let status = program(&[], &["--nonsense"]).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

#[test]
fn loopback_in_a_container_is_warned_about() {
    let pod = [("KUBERNETES_SERVICE_HOST", "10.0.0.1"), ("LOG_FORMAT", "json"), ("PORT", "0")];
    let mut child = program(&pod, &[]).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["level"], "warn");
    assert!(line["msg"].as_str().unwrap().starts_with("listening on loopback only"), "{line}");
}

/// The first that the program says that inherits this as its third descriptor.
fn inherit(third: OwnedFd, variables: &str) -> String {
    // Only the process itself knows its id before it runs.
    let prelude = format!("exec 3<&0 0</dev/null; export LISTEN_PID=$$ {variables}; exec \"$0\"");
    let mut command = Command::new("sh");
    command.args(["-c", &prelude, env!("CARGO_BIN_EXE_peerpigeon-server")]).env_clear().stdin(third);
    let mut child = command.stderr(Stdio::piped()).spawn().expect("a shell");
    let mut line = String::new();
    BufReader::new(child.stderr.take().expect("a pipe")).read_line(&mut line).expect("text");
    if !line.starts_with("peerpigeon-server: ") {
        // It serves.
        child.kill().expect("a child");
    }
    assert_eq!(child.wait().expect("a child").code(), Some(1), "{variables}: {line}");
    line
}

#[test]
fn what_is_inherited_and_cannot_be_served_is_named_with_what_it_must_be() {
    let listener = || TcpListener::bind("127.0.0.1:0").unwrap();
    let connection = || TcpStream::connect(listener().local_addr().unwrap()).unwrap();
    let datagrams = || UdpSocket::bind("127.0.0.1:0").unwrap();
    let unix = || std::os::unix::net::UnixStream::pair().unwrap().0;
    for (third, variables, expected) in [
        (
            OwnedFd::from(datagrams()),
            "LISTEN_FDS=1",
            "number 1 of 1 (\"\"): fd 3 is not a valid tcp socket; it must be a listening TCP or Unix socket",
        ),
        (
            connection().into(),
            "LISTEN_FDS=1",
            "number 1 of 1 (\"\"): it does not listen; it must be a listening TCP or Unix socket",
        ),
        (unix().into(), "LISTEN_FDS=1", "number 1 of 1 (\"\"): it does not listen; it must be"),
        (
            unix().into(),
            "LISTEN_FDS=1 LISTEN_FDNAMES=admin",
            "number 1 of 1 (\"admin\"): fd 3 is not a valid tcp socket; it must be a listening TCP socket",
        ),
        (listener().into(), "LISTEN_FDS=2 LISTEN_FDNAMES=a:b", "number 2 of 2 (\"b\"): fd 4 is not a socket"),
        (
            listener().into(),
            "LISTEN_FDS=1 LISTEN_FDNAMES=a:b",
            "LISTEN_FDNAMES has 2 names for the 1 sockets of LISTEN_FDS",
        ),
        (listener().into(), "LISTEN_FDS=one", "LISTEN_FDS=\"one\": allowed is a number of sockets"),
    ] {
        let said = inherit(third, variables);
        assert!(said.contains(expected), "{variables}: {said}");
    }
}
