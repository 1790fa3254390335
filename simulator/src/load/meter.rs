//! What a stretch of work cost.

use super::process;
use super::report::Report;
use std::io;
use std::time::{Duration, Instant};

/// Begun at the start of a stretch.
#[derive(Debug)]
pub(super) struct Meter {
    /// The process under test, where it is known.
    pid: Option<u32>,
    start: Instant,
    server: Duration,
    own: Duration,
}

/// What it cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent {
    pub(super) wall: Duration,
    /// Processor time of the server, where it is known.
    pub(super) server: Option<Duration>,
    /// Processor time of the load generator.
    pub(super) own: Duration,
}

impl Meter {
    /// # Errors
    ///
    /// When the server's process cannot be looked at.
    pub(super) fn start(pid: Option<u32>) -> io::Result<Meter> {
        let server = pid.map_or(Ok(Duration::ZERO), process::cpu)?;
        Ok(Meter { pid, start: Instant::now(), server, own: process::cpu(std::process::id())? })
    }

    /// # Errors
    ///
    /// As [`Meter::start`].
    pub(super) fn spent(&self) -> io::Result<Spent> {
        let wall = self.start.elapsed();
        let server = self.pid.map(process::cpu).transpose()?;
        let own = process::cpu(std::process::id())?.saturating_sub(self.own);
        Ok(Spent { wall, server: server.map(|server| server.saturating_sub(self.server)), own })
    }
}

impl Spent {
    /// Adds what `count` of something cost each, the rate, and how busy both sides were.
    pub(super) fn put_into(&self, report: &mut Report, count: f64, one: &str, many: &str) {
        let wall = self.wall.as_secs_f64();
        report.put("seconds", wall);
        report.put(many, count);
        report.put(format!("{many}_per_second"), count / wall);
        if let Some(server) = self.server {
            report.put(format!("server_cpu_us_per_{one}"), server.as_secs_f64() * 1e6 / count);
            report.put("server_busy_percent", server.as_secs_f64() / wall * 100.0);
        }
        // Where this is more than the server's, it is the generator that is measured.
        report.put(format!("generator_cpu_us_per_{one}"), self.own.as_secs_f64() * 1e6 / count);
        report.put("generator_busy_percent", self.own.as_secs_f64() / wall * 100.0);
    }
}
