//! A PostgreSQL server of our own, for tests of the mail store.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};

use crate::tools::succeed;
use crate::wait_until;

/// A cluster in a folder of its own, with one database, `mail`, and its owner, `pigeon`. Ended and removed when dropped.
///
/// PostgreSQL does not run as root: where the tests do, it runs as `nobody`.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    port: u16,
    options: Vec<String>,
    child: Option<Child>,
}

/// Of `pigeon`.
pub const PASSWORD: &str = "correct horse";

impl Postgres {
    /// Starts one on a free port of the IPv4 loopback, and on a Unix socket.
    ///
    /// # Panics
    ///
    /// When Debian's package `postgresql` is not installed, or it does not start.
    #[must_use]
    pub fn start() -> Postgres {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("peerpigeon-postgres-{}-{number}", std::process::id()));
        fs::create_dir(&folder).expect("a folder that is ours");
        give_away(&folder);
        succeed(program("initdb").arg("--pgdata").arg(folder.join("data")).args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]));
        let rules = "local all postgres trust\nlocal all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n";
        fs::write(folder.join("data/pg_hba.conf"), rules).expect("a folder that is ours");
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("a bound socket").port();
        drop(free);
        let mut postgres = Postgres { folder, port, options: Vec::new(), child: None };
        postgres.resume_after_stop();
        postgres.sql("postgres", &format!("CREATE ROLE pigeon LOGIN PASSWORD '{PASSWORD}'"));
        postgres.sql("postgres", "CREATE DATABASE mail OWNER pigeon");
        postgres
    }

    /// Where `pigeon` reaches its database, by TCP and without TLS.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("pigeon", PASSWORD, "mail?sslmode=disable")
    }

    /// As [`Postgres::url`], for somebody else, or otherwise.
    #[must_use]
    pub fn url_of(&self, user: &str, password: &str, rest: &str) -> String {
        format!("postgres://{user}:{}@127.0.0.1:{}/{rest}", password.replace(' ', "%20"), self.port)
    }

    /// The folder of its Unix socket.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its port, by TCP and of its Unix socket.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Lets its superuser carry out `statements`; what they give, a line for each row, its columns apart by `|`.
    ///
    /// # Panics
    ///
    /// When that fails.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        let mut psql = program("psql");
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
        psql.args(["--username=postgres", "--dbname", database, "--command", statements]);
        psql.arg("--host").arg(&self.folder).args(["--port", &self.port.to_string()]);
        succeed(&mut psql).trim_end().to_owned()
    }

    /// Puts a file into its data folder, for nobody but itself, and gives its path.
    ///
    /// # Panics
    ///
    /// When the file cannot be written.
    pub fn put_file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, text).expect("a folder that is ours");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a file that is ours");
        give_away(&path);
        path
    }

    /// Ends it as an operator does who is in a hurry: whoever is connected is cut off.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // A process that is paused hears nothing.
            self.signal_all(child.id(), Signal::SIGCONT);
            let _ = kill(pid_of(child.id()), Signal::SIGINT);
            wait_until("the end of PostgreSQL", || child.try_wait().expect("a child of ours").is_some());
        }
    }

    /// Starts it again after [`Postgres::stop`], where it was.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn resume_after_stop(&mut self) {
        let mut command = program("postgres");
        command.arg("-D").arg(self.folder.join("data")).args(["-p", &self.port.to_string()]);
        command.arg("-k").arg(&self.folder);
        for setting in
            ["listen_addresses=127.0.0.1", "fsync=off", "max_connections=20", "shared_buffers=16MB"]
        {
            command.args(["-c", setting]);
        }
        for setting in &self.options {
            command.args(["-c", setting]);
        }
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log"));
        let log = log.expect("a folder that is ours");
        self.child = Some(
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("postgres runs"),
        );
        let socket = self.folder.join(format!(".s.PGSQL.{}", self.port));
        wait_until(&format!("PostgreSQL takes connections; its log:\n{}", self.log()), || {
            let mut ready = program("pg_isready");
            ready.arg("--quiet").arg("--host").arg(&self.folder).args(["--port", &self.port.to_string()]);
            socket.exists() && ready.status().is_ok_and(|status| status.success())
        });
    }

    /// From the next start on it has these settings, too.
    pub fn set(&mut self, settings: &[&str]) {
        self.options.extend(settings.iter().map(|setting| (*setting).to_owned()));
    }

    /// It and all its processes stand still from now on.
    pub fn pause(&self) {
        self.signal_all(self.pid(), Signal::SIGSTOP);
    }

    /// And go on.
    pub fn resume(&self) {
        self.signal_all(self.pid(), Signal::SIGCONT);
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    fn signal_all(&self, pid: u32, signal: Signal) {
        let _ = kill(pid_of(pid), signal);
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            let _ = kill(pid_of(child), signal);
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the log of PostgreSQL:\n{}", self.log());
        }
        self.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// One of its programs, as a user that it likes.
fn program(name: &str) -> Command {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut programs: Vec<PathBuf> = versions.map(|version| version.path().join("bin").join(name)).collect();
    programs.retain(|program| program.exists());
    programs.sort();
    let program = programs.pop().expect("Debian's package postgresql is installed");
    let mut command = match somebody_else() {
        Some(_) => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.current_dir("/").env("LC_ALL", "C");
    command
}

fn give_away(path: &Path) {
    if let Some(user) = somebody_else() {
        chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("root may");
    }
}

fn somebody_else() -> Option<User> {
    let is_root = nix::unistd::geteuid().is_root();
    is_root.then(|| User::from_name("nobody").ok().flatten().expect("every system has nobody"))
}

fn pid_of(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).expect("a process id"))
}
