//! The server under test, as a process.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;

pub use nix::sys::signal::Signal;

use crate::http::{self, Answer};
use crate::{PATIENCE, process, wait_until};

const BINARY: &str = "peerpigeon-server";
const LISTENING: &str = "listening on http://";
const FOR_OPERATORS: &str = "for operators: http://";

/// A running server. Killed when dropped; its log is shown when that happens in a panic.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    log: Arc<Log>,
    /// From the start of the process to its first answer.
    started_within: Duration,
}

impl Server {
    /// Starts one with the defaults, on a free port of the IPv4 loopback.
    ///
    /// # Panics
    ///
    /// When it does not answer `/health` within [`PATIENCE`].
    #[must_use]
    pub fn start() -> Server {
        Server::with(&[])
    }

    /// As [`Server::start`] with these environment variables.
    ///
    /// # Panics
    ///
    /// As [`Server::start`].
    #[must_use]
    pub fn with(settings: &[(&str, &str)]) -> Server {
        Server::launch(command(settings))
    }

    /// As [`Server::with`], by a shell that carries out `prelude` before it becomes the server.
    ///
    /// # Panics
    ///
    /// As [`Server::start`].
    #[must_use]
    pub fn under(prelude: &str, settings: &[(&str, &str)]) -> Server {
        Server::launch(in_shell(prelude, settings))
    }

    /// As [`Server::with`], of this program.
    ///
    /// # Panics
    ///
    /// As [`Server::start`].
    #[must_use]
    pub fn of(program: &Path, settings: &[(&str, &str)]) -> Server {
        raise_file_limit();
        let mut command = Command::new(program);
        configure(&mut command, settings);
        Server::launch(command)
    }

    /// As [`Server::with`], on a listener that it is handed over as by a service manager (`LISTEN_FDS`). The
    /// listener stays open here.
    ///
    /// # Panics
    ///
    /// As [`Server::start`].
    #[must_use]
    pub fn on(listener: &TcpListener, settings: &[(&str, &str)]) -> Server {
        let listener = listener.try_clone().expect("a descriptor more");
        Server::launch(handed(Stdio::null(), listener.into(), "LISTEN_FDS=1", settings))
    }

    /// As [`Server::on`], on two sockets with names (`LISTEN_FDNAMES`).
    ///
    /// # Panics
    ///
    /// As [`Server::start`].
    #[must_use]
    pub fn on_two(sockets: [OwnedFd; 2], names: [&str; 2], settings: &[(&str, &str)]) -> Server {
        let [first, second] = sockets;
        let variables = format!("LISTEN_FDS=2 LISTEN_FDNAMES={}", names.join(":"));
        Server::launch(handed(second.into(), first, &variables, settings))
    }

    /// As [`Server::with`], writing its log to `file`, so that nothing of it is seen here.
    ///
    /// # Panics
    ///
    /// As [`Server::start`].
    #[must_use]
    pub fn logging_to(file: &str, settings: &[(&str, &str)]) -> Server {
        let start = Instant::now();
        // It cannot say which port it has found.
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("a bound socket");
        drop(free);
        let mut command = in_shell(&format!("exec 2>{file}"), settings);
        let child = command.env("PORT", address.port().to_string()).spawn().expect("a shell");
        let mut server = Server { child, address, log: Arc::default(), started_within: Duration::MAX };
        wait_until("a listener", || std::net::TcpStream::connect(address).is_ok());
        server.started_within = start.elapsed();
        server
    }

    fn launch(mut command: Command) -> Server {
        let start = Instant::now();
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary runs");
        let log = Arc::new(Log::default());
        log.follow(child.stderr.take().expect("it is piped"));
        let Some(line) = log.wait_for(LISTENING) else {
            let status = child.try_wait();
            let _ = child.kill();
            let _ = child.wait();
            panic!("the server did not say that it is {LISTENING}…; status {status:?}, log:\n{}", log.text());
        };
        let mut server =
            Server { child, address: address_behind(LISTENING, &line), log, started_within: Duration::MAX };
        wait_until("an answer to /health", || server.health().status == 200);
        server.started_within = start.elapsed();
        server
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for operators.
    ///
    /// # Panics
    ///
    /// When it does not say so within [`PATIENCE`].
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        let line = self.log.wait_for(FOR_OPERATORS).expect("it was told to");
        address_behind(FOR_OPERATORS, &line)
    }

    /// From the start of the process to its first answer to `/health`.
    #[must_use]
    pub fn started_within(&self) -> Duration {
        self.started_within
    }

    /// What it answers to `GET /health`.
    #[must_use]
    pub fn health(&self) -> Answer {
        http::get(self.address, "/health")
    }

    /// One number of `/health` or `/stats`.
    ///
    /// # Panics
    ///
    /// When there is none of this name.
    #[must_use]
    pub fn gauge(&self, path: &str, name: &str) -> u64 {
        let answer = http::get(self.address, path).json();
        answer[name].as_u64().unwrap_or_else(|| panic!("no number {name} in {answer}"))
    }

    /// Waits until `/health` counts so many peers.
    ///
    /// # Panics
    ///
    /// When it does not within [`PATIENCE`].
    pub fn wait_for_peers(&self, peers: u64) {
        wait_until(&format!("{peers} peers in /health"), || self.gauge("/health", "peers") == peers);
    }

    /// Everything that it has written to standard error so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Waits until its log has a line with this text; gives the first one.
    ///
    /// # Panics
    ///
    /// When there is none within [`PATIENCE`].
    #[must_use]
    pub fn wait_for_log(&self, text: &str) -> String {
        self.log.wait_for(text).unwrap_or_else(|| panic!("no {text:?} in the log:\n{}", self.log.text()))
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its resident memory in bytes, as the kernel tells it.
    ///
    /// # Panics
    ///
    /// When the kernel does not.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        process::resident_bytes(self.pid())
    }

    /// Sends it a signal.
    ///
    /// # Panics
    ///
    /// When it is not there any more.
    pub fn signal(&self, signal: Signal) {
        nix::sys::signal::kill(pid_of(&self.child), signal).expect("the server is still there");
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// When it does not end within [`PATIENCE`].
    pub fn wait(&mut self) -> ExitStatus {
        wait_until("the end of the server", || self.has_ended());
        self.child.wait().expect("a child of ours")
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_some()
    }

    /// Stops it by SIGTERM.
    ///
    /// # Panics
    ///
    /// When it does not end with status 0 within [`PATIENCE`].
    pub fn stop(mut self) {
        self.signal(Signal::SIGTERM);
        let status = self.wait();
        assert!(status.success(), "{status}; its log:\n{}", self.log.text());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let ended = self.child.try_wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server ({ended:?} when dropped) had written:\n{}", self.log.text());
        }
    }
}

/// Runs the binary with arguments and variables that it must refuse or answer at once; gives status, standard
/// output and standard error.
///
/// # Panics
///
/// When it is still running after [`PATIENCE`].
#[must_use]
pub fn refused_start(arguments: &[&str], settings: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let child = command(settings)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let pid = pid_of(&child);
    let (tell, ended) = mpsc::channel();
    std::thread::spawn(move || tell.send(child.wait_with_output()));
    let Ok(output) = ended.recv_timeout(PATIENCE) else {
        let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
        panic!("{arguments:?} with {settings:?} was not refused: it runs");
    };
    let output = output.expect("what it wrote");
    (output.status.code(), http::lossy(&output.stdout), http::lossy(&output.stderr))
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a process id"))
}

/// The binary with these variables and no others.
fn command(settings: &[(&str, &str)]) -> Command {
    raise_file_limit();
    let mut command = Command::new(binary());
    configure(&mut command, settings);
    command
}

fn configure(command: &mut Command, settings: &[(&str, &str)]) {
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null());
    command.env("HOST", "127.0.0.1").env("PORT", "0");
    for (name, value) in settings {
        command.env(name, value);
    }
}

/// The binary as what a shell becomes after `prelude`.
fn in_shell(prelude: &str, settings: &[(&str, &str)]) -> Command {
    raise_file_limit();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{prelude}; exec \"$0\"")]).arg(binary());
    configure(&mut command, settings);
    command
}

/// The binary with two descriptors, third and fourth, and the process id that only the process itself knows before it
/// runs.
fn handed(fourth: Stdio, third: OwnedFd, variables: &str, settings: &[(&str, &str)]) -> Command {
    let prelude = format!("exec 3<&0 4<&1 0</dev/null 1>&0; export LISTEN_PID=$$ {variables}");
    let mut command = in_shell(&prelude, settings);
    command.stdin(third).stdout(fourth);
    command
}

/// The binary of the profile that this test was built with; built if need be. `PEERPIGEON_BIN` overrides it.
fn binary() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| given().unwrap_or_else(|| built("--bin", BINARY)))
}

/// The binary that whoever runs the tests has built.
pub(crate) fn given() -> Option<PathBuf> {
    std::env::var_os("PEERPIGEON_BIN").map(PathBuf::from)
}

/// What Cargo makes of the server as `path` in the folder of the profile that this test was built with.
pub(crate) fn built(kind: &str, path: &str) -> PathBuf {
    // …/target/PROFILE/deps/THIS_TEST
    let this = std::env::current_exe().expect("Linux");
    let folder = this.ancestors().nth(2).expect("cargo's layout").to_path_buf();
    let profile = match folder.file_name().and_then(|name| name.to_str()).expect("cargo's layout") {
        "debug" => "dev",
        name => name,
    };
    let path = folder.join(path);
    let name = path.file_name().expect("a name");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", BINARY, "--profile", profile, kind])
        .arg(name)
        .status()
        .expect("cargo runs");
    assert!(status.success(), "{} does not build", name.display());
    path
}

/// Thousands of sockets are open at once, here and in the server, which inherits the limit.
fn raise_file_limit() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a known resource");
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("up to the hard limit is always allowed");
    });
}

/// The address in a line such as `… listening on http://127.0.0.1:3000 …`, in text or in JSON.
fn address_behind(words: &str, line: &str) -> SocketAddr {
    let (_, after) = line.split_once(words).expect("that is how it was found");
    let end = after.find(|c: char| !(c.is_ascii_hexdigit() || ".:[]".contains(c))).unwrap_or(after.len());
    after[..end].parse().unwrap_or_else(|error| panic!("{error}: no address in {line}"))
}

/// The lines of a stream, as they come.
#[derive(Debug, Default)]
struct Log {
    lines: Mutex<Lines>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<String>,
    ended: bool,
}

impl Log {
    /// Reads `stream` to its end on a thread of its own.
    fn follow(self: &Arc<Log>, stream: impl std::io::Read + Send + 'static) {
        let log = Arc::clone(self);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                log.lines.lock().unwrap_or_else(PoisonError::into_inner).lines.push(line);
                log.more.notify_all();
            }
            log.lines.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
            log.more.notify_all();
        });
    }

    /// The first line that contains `text`; `None` when the stream ends or [`PATIENCE`] is over before.
    fn wait_for(&self, text: &str) -> Option<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let is_missing =
            |lines: &mut Lines| !lines.ended && !lines.lines.iter().any(|line| line.contains(text));
        let (lines, _) =
            self.more.wait_timeout_while(lines, PATIENCE, is_missing).unwrap_or_else(PoisonError::into_inner);
        lines.lines.iter().find(|line| line.contains(text)).cloned()
    }

    fn text(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_text_and_in_json() {
        for (line, address) in [
            ("2026-01-01 INFO listening on http://127.0.0.1:3000", "127.0.0.1:3000"),
            (r#"{"level":"info","msg":"listening on http://127.0.0.1:65535"}"#, "127.0.0.1:65535"),
            ("INFO listening on http://[::1]:80 and more", "[::1]:80"),
        ] {
            assert_eq!(address_behind(LISTENING, line), address.parse().unwrap());
        }
    }
}
