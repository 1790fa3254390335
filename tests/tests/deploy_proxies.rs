//! The configurations in `deploy/` for nginx, HAProxy and Caddy, in front of the real server: peers get through, stay
//! connected while they are silent, and count as who they are.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use peerpigeon_tests::tools::{repository, tool};
use peerpigeon_tests::{PATIENCE, Peer, Received, Server, http, id, wait_until, websocket};

/// What the proxies cut silent connections after here, in place of the 60 s that they do by default.
const SILENCE: Duration = Duration::from_secs(3);

/// What they do by default.
const USUAL_SILENCE: Duration = Duration::from_secs(60);

/// So many pings, 640 ms apart at the least, take longer than twice [`SILENCE`].
const PINGS: u64 = 10;

/// The server as it is behind a proxy on the same machine, with pings that come as much too often as the proxies here
/// are impatient.
fn server() -> Server {
    // The next ping waits for the answer to the last one.
    Server::with(&[BEHIND, ("PING_INTERVAL", "800"), ("PONG_TIMEOUT", "800")])
}

const BEHIND: (&str, &str) = ("TRUSTED_PROXIES", "127.0.0.1");

/// Writes into a folder what the proxy at an address needs in front of a server, and gives the command. It cuts connections
/// after so much silence.
type Configure = fn(Duration, &Path, SocketAddr, SocketAddr) -> Command;

/// A proxy that runs until this is dropped.
struct Proxy {
    child: Child,
    folder: PathBuf,
    address: SocketAddr,
}

impl Proxy {
    /// In front of `server`; cuts connections that are silent for `silence`.
    fn start(name: &str, server: SocketAddr, silence: Duration, configure: Configure) -> Proxy {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let process = std::process::id();
        let folder = std::env::temp_dir().join(format!("peerpigeon-{name}-{process}-{}", address.port()));
        fs::create_dir_all(&folder).unwrap();
        let mut command = configure(silence, &folder, address, server);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let proxy = Proxy { child, folder, address };
        wait_until(name, || TcpStream::connect(address).is_ok());
        proxy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A file of `deploy/` with some of its text replaced, each of which must be there.
fn adapted(path: &str, changes: &[(&str, &str)]) -> String {
    let mut text = fs::read_to_string(repository().join("deploy").join(path)).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{path} has no {from:?}");
        text = text.replace(from, to);
    }
    text
}

/// The shipped file sets no time-out for silence, so what nginx has by default counts: here, a shorter one.
fn nginx(silence: Duration, folder: &Path, address: SocketAddr, server: SocketAddr) -> Command {
    let shown = folder.display();
    let upstream = format!("{shown}/upstream.conf");
    fs::write(&upstream, format!("server {server};\n")).unwrap();
    let listen = format!("listen {address};");
    let site = adapted(
        "nginx/peerpigeon.conf",
        &[
            ("    listen 80;", &format!("    {listen}")),
            ("    listen [::]:80;\n", ""),
            ("/etc/nginx/peerpigeon-upstream.conf", &upstream),
        ],
    );
    let millis = silence.as_millis();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {shown}/{kind};\n"))
        .concat();
    let main = format!(
        "daemon off; master_process off; pid {shown}/pid; error_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n\
         {temporary}proxy_read_timeout {millis}ms; proxy_send_timeout {millis}ms;\n{site}}}\n"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, main).unwrap();
    let mut command = tool("nginx");
    command.arg("-p").arg(folder).arg("-c").arg(file).args(["-e", "stderr"]);
    command
}

fn haproxy(silence: Duration, folder: &Path, address: SocketAddr, server: SocketAddr) -> Command {
    let file = folder.join("haproxy.cfg");
    let text = adapted(
        "haproxy/haproxy.cfg",
        &[
            ("    bind :80\n", &format!("    bind {address}\n")),
            ("    bind [::]:80 v6only\n", ""),
            // More than a process may have here, perhaps.
            ("maxconn 20000", "maxconn 200"),
            (" 60s\n", &format!(" {}ms\n", silence.as_millis())),
            ("127.0.0.1:3000", &server.to_string()),
        ],
    );
    fs::write(&file, text).unwrap();
    let mut command = tool("haproxy");
    command.arg("-db").arg("-f").arg(file);
    command
}

/// It bears any silence.
fn caddy(_silence: Duration, folder: &Path, address: SocketAddr, server: SocketAddr) -> Command {
    let file = folder.join("Caddyfile");
    let text = adapted(
        "caddy/Caddyfile",
        &[("signaling.example {", &format!("http://{address} {{")), ("127.0.0.1:3000", &server.to_string())],
    );
    fs::write(&file, format!("{{\n\tadmin off\n}}\n{text}")).unwrap();
    let mut command = tool("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file).env("HOME", folder);
    command.env("XDG_CONFIG_HOME", folder).env("XDG_DATA_HOME", folder).stderr(Stdio::null());
    command
}

fn connect(proxy: &Proxy, id: &str) -> Peer {
    let mut peer = Peer::upgrade(proxy.address, &id::target(id));
    peer.expect("connected");
    peer
}

/// Peers find each other, are silent for much longer than the proxy bears, and still signal.
fn silent_peers_stay(proxy: &Proxy, server: &Server) {
    let (a, b) = (id::of('a'), id::of('b'));
    let (mut first, mut second) = (connect(proxy, &a), connect(proxy, &b));
    for peer in [&mut first, &mut second] {
        peer.send(r#"{"type":"announce","networkName":"net"}"#);
        peer.settle();
    }
    // More than signals ever are.
    let large = format!("\"{}\"", "x".repeat(100_000));
    first.signal("offer", &b, "net", &large);
    while second.json()["type"] != "offer" {}
    let before = [first.pings(), second.pings()];
    wait_until("pings for twice the silence that the proxy bears", || {
        for peer in [&mut first, &mut second] {
            let end = peer.receive_within(Duration::from_millis(100)).filter(is_end);
            assert_eq!(end, None, "after {} pings", peer.pings());
        }
        [first.pings() - before[0], second.pings() - before[1]].iter().all(|pings| *pings >= PINGS)
    });
    first.signal("answer", &b, "net", "{}");
    while second.json()["type"] != "answer" {}
    assert_eq!(http::get(proxy.address, "/health").status, 200);
    server.wait_for_peers(2);
}

fn is_end(received: &Received) -> bool {
    !matches!(received, Received::Text(_))
}

/// What comes first to a client at `source`, which also claims to be somebody else.
fn first_frame(proxy: &Proxy, source: [u8; 4], id: &str) -> (TcpStream, String) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::from(source), 0)).into()).unwrap();
    socket.connect(&proxy.address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let claims = "\r\nX-Forwarded-For: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\n\r\n";
    let request = websocket::upgrade(&id::target(id)).replacen("\r\n\r\n", claims, 1);
    stream.write_all(request.as_bytes()).unwrap();
    let (mut text, mut room) = (String::new(), [0; 4096]);
    while !text.contains("connected") && !text.contains("Too many connections from this address") {
        let count = stream.read(&mut room).unwrap();
        assert!(count > 0, "the connection ended after {text:?}");
        text.push_str(&http::lossy(&room[..count]));
    }
    (stream, text)
}

/// Two connections from one address are allowed; whoever they say that they are.
fn everybody_counts_as_who_they_are(name: &str, configure: Configure) {
    let server = Server::with(&[BEHIND, ("LIMIT_EXEMPT", "none"), ("MAX_CONNECTIONS_PER_IP", "2")]);
    // Who is not admitted waits a while, in case there is room again; meanwhile nobody may be cut.
    let proxy = &Proxy::start(name, server.address(), USUAL_SILENCE, configure);
    wait_until("a page by the proxy", || http::get(proxy.address, "/health").status == 200);
    let is_admitted = |(_, text): &(TcpStream, String)| text.contains("\"connected\"");
    let open: Vec<_> = (0..3).map(|n| first_frame(proxy, [127, 0, 0, 2], &id::number(n))).collect();
    assert_eq!(open.iter().map(is_admitted).collect::<Vec<_>>(), [true, true, false]);
    let other = first_frame(proxy, [127, 0, 0, 3], &id::number(9));
    assert!(is_admitted(&other), "{}", other.1);
}

#[test]
fn nginx_keeps_silent_peers_because_they_are_pinged() {
    let server = server();
    let proxy = Proxy::start("nginx", server.address(), SILENCE, nginx);
    silent_peers_stay(&proxy, &server);
    everybody_counts_as_who_they_are("nginx", nginx);
}

#[test]
fn without_pings_nginx_would_cut_silent_peers() {
    let server = Server::with(&[BEHIND, ("PING_INTERVAL", "0")]);
    let proxy = Proxy::start("nginx", server.address(), SILENCE, nginx);
    let mut peer = connect(&proxy, &id::of('a'));
    assert_eq!(peer.receive(), Received::Lost);
}

#[test]
fn haproxy_keeps_silent_peers_because_they_are_pinged() {
    let server = server();
    let proxy = Proxy::start("haproxy", server.address(), SILENCE, haproxy);
    wait_until("the check of health", || http::get(proxy.address, "/health").status == 200);
    silent_peers_stay(&proxy, &server);
    everybody_counts_as_who_they_are("haproxy", haproxy);
}

#[test]
fn without_pings_haproxy_would_cut_silent_peers() {
    let server = Server::with(&[BEHIND, ("PING_INTERVAL", "0")]);
    let proxy = Proxy::start("haproxy", server.address(), SILENCE, haproxy);
    wait_until("the check of health", || http::get(proxy.address, "/health").status == 200);
    let mut peer = connect(&proxy, &id::of('a'));
    assert_eq!(peer.receive(), Received::Lost);
}

#[test]
fn caddy_keeps_silent_peers() {
    let server = server();
    let proxy = Proxy::start("caddy", server.address(), SILENCE, caddy);
    silent_peers_stay(&proxy, &server);
    everybody_counts_as_who_they_are("caddy", caddy);
}

#[test]
fn caddy_waits_for_a_server_that_is_restarted() {
    let first = server();
    let (address, port) = (first.address(), first.address().port().to_string());
    let proxy = Proxy::start("caddy", address, SILENCE, caddy);
    drop(connect(&proxy, &id::of('a')));
    first.stop();
    let early = std::thread::spawn({
        let address = proxy.address;
        move || http::get(address, "/health").status
    });
    let _second = Server::with(&[("PORT", &port)]);
    assert_eq!(early.join().unwrap(), 200);
}
