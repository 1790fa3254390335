//! A real Redis for the cluster, started on a free port, without persistence.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{PATIENCE, wait_until};

/// A running server. Killed when dropped; its log is shown when that happens in a panic.
#[derive(Debug)]
pub struct Redis {
    folder: PathBuf,
    port: u16,
    options: Vec<String>,
    child: Option<Child>,
}

impl Redis {
    /// Starts one on a free port of the IPv4 loopback, and on a Unix socket.
    ///
    /// # Panics
    ///
    /// When Debian's package `redis-server` is not installed, or it does not start.
    #[must_use]
    pub fn start() -> Redis {
        Redis::with(&[])
    }

    /// As [`Redis::start`], with these words on its command line.
    ///
    /// # Panics
    ///
    /// As [`Redis::start`].
    #[must_use]
    pub fn with(options: &[&str]) -> Redis {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("peerpigeon-redis-{}-{number}", std::process::id()));
        fs::create_dir(&folder).expect("a folder that is ours");
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("a bound socket").port();
        drop(free);
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut redis = Redis { folder, port, options, child: None };
        redis.resume_after_stop();
        redis
    }

    /// From the next start on it has these words on its command line, too.
    pub fn set(&mut self, options: &[&str]) {
        self.options.extend(options.iter().map(|option| (*option).to_owned()));
    }

    /// Where it is, as `CLUSTER` says it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its Unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join("redis.sock")
    }

    /// A folder that is gone with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Says one command, each word apart, and returns the first line of the answer.
    ///
    /// # Panics
    ///
    /// When it does not answer.
    pub fn say(&self, words: &[&str]) -> String {
        self.try_to_say(words).expect("an answer of Redis")
    }

    fn try_to_say(&self, words: &[&str]) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        let mut said = format!("*{}\r\n", words.len());
        for word in words {
            said.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        stream.write_all(said.as_bytes()).ok()?;
        let mut line = Vec::new();
        let mut byte = [0];
        while stream.read(&mut byte).ok()? == 1 && byte != [b'\n'] {
            line.push(byte[0]);
        }
        Some(String::from_utf8_lossy(&line).trim().to_owned()).filter(|line| !line.is_empty())
    }

    /// Ends it without a word.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            wait_until("the end of Redis", || child.try_wait().expect("a child of ours").is_some());
        }
    }

    /// Starts it again after [`Redis::stop`], where it was.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn resume_after_stop(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log"));
        let log = log.expect("a folder that is ours");
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"]);
        command.arg("--unixsocket").arg(self.socket());
        command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(&self.folder).args(&self.options);
        let child = command.stdin(Stdio::null()).stdout(log).stderr(Stdio::null()).spawn();
        self.child = Some(child.expect("Debian's package redis-server is installed"));
        // Who may do nothing without a password is told so.
        wait_until(&format!("Redis answers within {PATIENCE:?}"), || {
            self.try_to_say(&["PING"]).is_some_and(|said| said.starts_with('+') || said.contains("NOAUTH"))
        });
    }

    /// It stands still from now on.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// And goes on.
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.as_ref().map(Child::id).and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            eprintln!("the log of Redis:\n{log}");
        }
        self.resume();
        self.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
