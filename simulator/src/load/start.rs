//! How long a program needs from its start to its first answer.

use super::options::Options;
use super::report::Report;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Starts the command of `options` `count` times and asks it for `/health`.
///
/// # Errors
///
/// A command that cannot be started, or does not answer.
pub(super) fn run(options: &Options) -> io::Result<Report> {
    let [program, arguments @ ..] = &options.command[..] else {
        return Err(io::Error::new(ErrorKind::InvalidInput, "start: a command is needed after --"));
    };
    let mut millis = Vec::new();
    for _ in 0..options.count.max(1) {
        let start = Instant::now();
        let child = Command::new(program).args(arguments).spawn()?;
        let result = first_answer(options.remote, start);
        end(child)?;
        millis.push(result?.as_secs_f64() * 1e3);
    }
    millis.sort_by(f64::total_cmp);
    let mut report = Report::default();
    report.put("starts", millis.len() as f64);
    report.put("ms_to_first_answer", millis[millis.len() / 2]);
    Ok(report)
}

/// From `start` until `/health` is answered.
///
/// # Errors
///
/// When it is not answered within ten seconds.
pub(super) fn first_answer(remote: SocketAddr, start: Instant) -> io::Result<Duration> {
    loop {
        match ask(remote) {
            Ok(true) => return Ok(start.elapsed()),
            Ok(false) => return Err(io::Error::other("/health was not answered with 200")),
            Err(error) if start.elapsed() > PATIENCE => return Err(error),
            Err(_) => std::thread::sleep(STEP),
        }
    }
}

fn ask(remote: SocketAddr) -> io::Result<bool> {
    let mut stream = TcpStream::connect(remote)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(
        format!("GET /health HTTP/1.1\r\nHost: {remote}\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer.starts_with(b"HTTP/1.1 200 "))
}

/// Ends a process that was started here.
///
/// # Errors
///
/// When it cannot be ended.
pub(super) fn end(mut child: Child) -> io::Result<()> {
    child.kill()?;
    child.wait().map(|_| ())
}

/// Between two attempts; short against what is measured.
const STEP: Duration = Duration::from_micros(100);

const PATIENCE: Duration = Duration::from_secs(10);
