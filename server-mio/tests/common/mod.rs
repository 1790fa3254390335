//! The program as a process.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(missing_docs, reason = "names say it")]
#![allow(unreachable_pub, reason = "shared by several test crates")]

use std::io::{BufRead as _, BufReader, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tungstenite::{Error, Message, WebSocket};

/// Longer than anything takes that will happen at all.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Ends with its value.
pub struct Running {
    child: Child,
    log: Arc<Mutex<String>>,
    /// What it says behind `listening on `.
    pub listening: String,
}

impl Running {
    /// With no variable but these, on a free port.
    pub fn start(environment: &[(&str, &str)]) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peerpigeon-server"));
        command.env_clear().env("HOST", "127.0.0.1").env("PORT", "0").envs(environment.iter().copied());
        let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let mut running = Running { log: Arc::clone(&log), listening: String::new(), child };
        let stderr = running.child.stderr.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                *log.lock().unwrap() += &(line + "\n");
            }
        });
        // Not the warning about a container, which is `listening on loopback only`.
        wait_until("a listener", || {
            let log = running.log();
            let mut told =
                log.lines().filter_map(|line| line.split_once("listening on ")).map(|(_, rest)| rest);
            let told = told.rfind(|rest| !rest.starts_with("loopback")).unwrap_or_default();
            told.clone_into(&mut running.listening);
            !told.is_empty()
        });
        running
    }

    pub fn address(&self) -> SocketAddr {
        self.listening.split_once("://").unwrap().1.parse().unwrap()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Ends it as an operator does, and waits for that.
    pub fn stop(&mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    pub fn wait_for_log(&self, text: &str) {
        wait_until(&format!("{text:?} in the log"), || self.log().contains(text));
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// Exit status and first line of both outputs of the subcommand `healthcheck`.
pub fn healthcheck(environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peerpigeon-server"));
    let output = command.arg("healthcheck").env_clear().envs(environment.iter().copied()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap().lines().next().unwrap_or_default().to_owned())
}

pub fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_true() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What comes next as text, or `CODE REASON` of the close frame.
pub fn next(socket: &mut WebSocket<impl std::io::Read + std::io::Write>) -> String {
    loop {
        // A read with a time limit is not resumed by the kernel when a signal comes (signal(7)).
        let message = match socket.read() {
            Err(Error::Io(error)) if error.kind() == ErrorKind::Interrupted => continue,
            message => message.unwrap(),
        };
        match message {
            Message::Text(text) => return text.to_string(),
            Message::Close(Some(frame)) => return format!("{} {}", u16::from(frame.code), frame.reason),
            Message::Ping(_) => {}
            other @ (Message::Binary(_) | Message::Pong(_) | Message::Close(None) | Message::Frame(_)) => {
                panic!("{other:?}")
            }
        }
    }
}

/// Sends a request and reads all that comes until the end.
pub fn exchange(mut stream: impl std::io::Read + std::io::Write, request: &str) -> String {
    let mut answer = Vec::new();
    // Who is refused before it has sent all sees a reset; behind the answer that is as good an end as any.
    let _ = stream.write_all(request.as_bytes());
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}
