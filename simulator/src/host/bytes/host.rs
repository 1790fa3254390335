//! What the world may ask of a server at byte level.

use std::fmt::Write as _;

use peerpigeon_core::{Census, ConnId, Time};

use super::line::{self, Line};
use super::{Arrival, ByteHost, Phase, breach, frames};
use crate::host::{Downward, Host, Upward};
use crate::record::Record;
use crate::transcript::Transcript;
use crate::watch::Breach;

impl Host for ByteHost {
    fn deadline(&self) -> Option<Time> {
        if self.is_over {
            return None;
        }
        let arrival = self.arrivals.first_key_value().map(|((at, _), _)| *at);
        let hungry = self.lines.values().filter_map(Line::next_bite).min();
        let until = self.draining;
        [arrival, hungry, self.wake, until].into_iter().flatten().min()
    }

    fn tick(&mut self, now: Time, record: &mut Record) -> Result<(), Breach> {
        self.server.net_mut().set_now(now);
        self.deliver(now);
        let hungry =
            |(conn, line): (&ConnId, &Line)| line.next_bite().is_some_and(|at| at <= now).then_some(*conn);
        let hungry: Vec<ConnId> = self.lines.iter().filter_map(hungry).collect();
        for conn in hungry {
            self.read(now, conn, record)?;
        }
        self.settle(now, record)?;
        self.wake = self.server.net_mut().wake();
        self.check(now)
    }

    fn up(&mut self, now: Time, conn: ConnId, upward: Upward, record: &mut Record) -> Result<(), Breach> {
        if self.is_over {
            let is_new = matches!(
                upward,
                Upward::Open { .. } | Upward::Raw { .. } | Upward::Post { .. } | Upward::Poll { .. }
            );
            self.outgoing.extend(is_new.then_some((conn, Downward::Lost)));
            return Ok(());
        }
        record.up(now, conn, &upward);
        match upward {
            Upward::Open { target, address } => {
                self.open(now, conn, address, line::handshake(&target).as_bytes());
            }
            Upward::Raw { bytes, address } => self.open(now, conn, address, &bytes),
            Upward::Post { body, address } => {
                self.ask(now, conn, address, false, &line::post(&body));
            }
            Upward::Poll { target } => self.ask(now, conn, None, true, &line::poll(&target)),
            Upward::Text(text) => {
                let text = &text;
                let whole = !self.random.chance(self.knobs.chop_percent.into());
                let write = if whole { frames::text } else { frames::fragments };
                let bytes = write(text, &mut self.random);
                self.send(now, conn, &bytes);
            }
            Upward::Pong => {
                let bytes = frames::pong(&mut self.random);
                self.send(now, conn, &bytes);
            }
            Upward::Frame(flaw) => {
                let bytes = frames::flawed(flaw, &mut self.random);
                self.send(now, conn, &bytes);
            }
            Upward::Gone(how) => self.gone(now, conn, how),
            Upward::Cut => {
                let bytes = frames::text(r#"{"type":"ping"}"#, &mut self.random);
                let length = self.random.index(bytes.len());
                self.send(now, conn, &bytes[..length]);
                self.put(now, conn, Arrival::Reset);
            }
            Upward::Stall(ms) => {
                if let Some(line) = self.lines.get_mut(&conn) {
                    line.busy_until = line.busy_until.max(now) + ms;
                }
            }
            Upward::Lose { upward } => {
                if let Some(line) = self.lines.get_mut(&conn) {
                    line.loses_up |= upward;
                    line.loses_down |= !upward;
                    line.was_patient = false;
                }
            }
            Upward::Slow(rate) => {
                if let Some(line) = self.lines.get_mut(&conn) {
                    line.slow_down(now, rate);
                }
            }
            // A queue gets full by itself.
            Upward::Choke => {}
        }
        // The work is done at the next tick, which is due now: several messages make one turn.
        Ok(())
    }

    fn reads(&mut self, conn: ConnId, reads: bool) {
        if let Some(line) = self.lines.get_mut(&conn) {
            line.reads = reads;
            line.is_hungry = reads;
            line.was_patient &= reads;
        }
    }

    fn drain(&mut self, now: Time, _: u64, record: &mut Record) -> Result<(), Breach> {
        record.inside(now, || "asked to shut down".to_owned());
        if self.draining.is_none() {
            self.draining = Some(now + self.config.shutdown_timeout_ms);
            self.server.net_mut().stop();
        }
        self.tick(now, record)
    }

    fn set_clock(&mut self, now: Time, by_ms: i64, record: &mut Record) -> Result<(), Breach> {
        self.server.net_mut().set_clock(now, by_ms);
        self.tick(now, record)
    }

    fn draining(&self) -> Option<Time> {
        self.draining
    }

    fn exhaust(&mut self, now: Time, ms: u64) {
        self.server.net_mut().exhaust(now + ms);
    }

    fn heal(&mut self, now: Time) {
        let mut broken = Vec::new();
        for (conn, line) in &mut self.lines {
            line.hurry();
            if line.loses_up || line.loses_down {
                (line.loses_up, line.loses_down) = (false, false);
                broken.push(*conn);
            }
        }
        for conn in broken {
            self.put(now, conn, Arrival::Reset);
            if let Some(line) = self.lines.get_mut(&conn).filter(|line| line.phase != Phase::Over) {
                line.phase = Phase::Over;
                self.outgoing.push((conn, Downward::Lost));
            }
        }
        self.server.net_mut().exhaust(now);
    }

    fn take_outgoing(&mut self) -> Vec<(ConnId, Downward)> {
        core::mem::take(&mut self.outgoing)
    }

    fn census(&self) -> Census {
        self.server.gauges()
    }

    fn inputs(&self) -> u64 {
        self.watch.inputs()
    }

    fn transcript(&self) -> Transcript {
        let mut whole = self.transcript;
        let written = write!(whole, "{:?}", self.server.peer_counters());
        debug_assert!(written.is_ok(), "hashing never fails");
        whole
    }

    fn calm(&mut self, now: Time) -> Result<(), Breach> {
        self.watch.calm(now)
    }

    fn empty(&mut self, now: Time) -> Result<(), Breach> {
        self.watch.empty(now)?;
        let (census, sockets) = (self.server.gauges(), self.server.sockets());
        let (opened, ended) = self.counted();
        let waiting = self.server.net_mut().waiting();
        let open =
            (0..self.server.net_mut().pipes()).filter(|pipe| !self.server.net_mut().is_closed(*pipe)).count();
        let empty =
            census == Census::default() && sockets == 0 && opened == ended && open == 0 && waiting == 0;
        if empty {
            return Ok(());
        }
        let what = format!(
            "{sockets} sockets, {open} pipes, {waiting} waiting, {opened} opened, {ended} ended, {census:?}"
        );
        Err(breach("everybody has left", what))
    }

    fn end(&mut self) -> Result<(), Breach> {
        self.watch.replay()
    }
}
