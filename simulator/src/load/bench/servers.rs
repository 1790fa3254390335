//! Who is measured, and how each is started.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::load::options::BenchOptions;

/// One of those that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Contestant {
    /// The server of this project.
    Ours,
    /// [`crate::load::limit`].
    Limit,
    /// Class `PeerPigeonServer` of the npm package.
    Node,
    /// `websocket-server/server.js` of the npm package.
    NodeScript,
}

impl Contestant {
    /// Its name in tables and results.
    pub(super) fn name(self) -> &'static str {
        match self {
            Contestant::Ours => "ours",
            Contestant::Limit => "limit",
            Contestant::Node => "node",
            Contestant::NodeScript => "node-script",
        }
    }

    /// Whether everything is there to start it.
    pub(super) fn is_there(self, options: &BenchOptions) -> bool {
        match self {
            Contestant::Ours | Contestant::Limit => true,
            Contestant::Node | Contestant::NodeScript => options.node.is_some(),
        }
    }

    fn command(self, options: &BenchOptions, port: u16) -> io::Result<Command> {
        let package = Path::new(options.node.as_deref().unwrap_or(OsStr::new(".")));
        // Pinned, so that server and load generator do not take turns on one processor.
        let mut command = Command::new("taskset");
        command.args(["-c", SERVER_CPU]);
        match self {
            Contestant::Ours => {
                command.arg(&options.server);
                // Without the limits that are there to stop what a load generator does.
                command.envs([("MESSAGE_RATE", "0"), ("BYTE_RATE", "0")]);
                command.envs([("MAX_CONNECTIONS", "100000"), ("LOG_LEVEL", "error")]);
            }
            Contestant::Limit => {
                command.arg(std::env::current_exe()?).args([
                    "load",
                    "limit-relay",
                    "--port",
                    &port.to_string(),
                ]);
            }
            Contestant::Node => {
                let module = package.join("server/index.js");
                let program = format!(
                    "import {{ PeerPigeonServer }} from {:?}; await new PeerPigeonServer({{ port: {port}, host: \
                     '127.0.0.1', maxConnections: 100000 }}).start();",
                    module.display().to_string()
                );
                command.args([
                    OsString::from("node"),
                    "--input-type=module".into(),
                    "-e".into(),
                    program.into(),
                ]);
            }
            Contestant::NodeScript => {
                command.arg("node").arg(package.join("websocket-server/server.js"));
            }
        }
        command.env("PORT", port.to_string()).env("HOST", Ipv4Addr::LOCALHOST.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(command)
    }
}

/// A process that is killed when it goes out of scope.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    pub(super) remote: SocketAddr,
    /// When it was started.
    pub(super) start: Instant,
}

impl Running {
    /// Starts it on a free port, without waiting for it.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub(super) fn spawn(contestant: Contestant, options: &BenchOptions) -> io::Result<Running> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command = contestant.command(options, port)?;
        let start = Instant::now();
        let child = command.spawn().map_err(|error| {
            io::Error::new(error.kind(), format!("{} cannot be started: {error}", contestant.name()))
        })?;
        Ok(Running { child, remote: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), start })
    }

    /// Waits until it accepts connections.
    ///
    /// # Errors
    ///
    /// When it ended, or does not within ten seconds.
    pub(super) fn wait_until_ready(mut self) -> io::Result<Running> {
        while TcpStream::connect(self.remote).is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("the server ended at once: {status}")));
            }
            if self.start.elapsed() > Duration::from_secs(10) {
                return Err(io::Error::new(ErrorKind::TimedOut, "the server does not accept connections"));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(self)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only for a process that has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const SERVER_CPU: &str = "0";
