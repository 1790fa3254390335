//! What happened in a run, for reports and diagrams. Kept only where asked for: a run that is found wanting is
//! simply run again with the recorder on.

use peerpigeon_core::{Census, ConnId, Event, Input, Output, Time};

use crate::client::Frame;
use crate::host::Upward;

/// The recorder.
#[derive(Debug, Default)]
pub(crate) struct Record {
    lines: Option<Vec<Line>>,
    last: Option<Census>,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: Time,
    pub(crate) what: Happening,
}

#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// A step of the scenario begins.
    Step(usize, String),
    /// A connection is to the left, the server to the right.
    Up(u64, String),
    Down(u64, String),
    /// Within the server.
    Inside(String),
    Told(Event),
    /// These are different from now on; for curves, not for diagrams.
    Gauges(Census),
}

impl Record {
    pub(crate) fn on() -> Record {
        Record { lines: Some(Vec::new()), last: None }
    }

    pub(crate) fn lines(self) -> Vec<Line> {
        self.lines.unwrap_or_default()
    }

    pub(crate) fn step(&mut self, at: Time, index: usize, step: impl FnOnce() -> String) {
        self.note(at, || Happening::Step(index, step()));
    }

    pub(crate) fn input(&mut self, at: Time, input: &Input<'_>) {
        self.note(at, || match *input {
            Input::Opened { conn, target, .. } => Happening::Up(conn.0, format!("opens {target}")),
            Input::Text { conn, text } => Happening::Up(conn.0, clip(text)),
            Input::Posted { conn, body, .. } => Happening::Up(conn.0, format!("POST {}", clip(body))),
            Input::Polled { conn, target, .. } => Happening::Up(conn.0, format!("GET {target}")),
            Input::Heard { conn } => Happening::Up(conn.0, "(pong)".to_owned()),
            Input::Closed { conn, cause } => Happening::Up(conn.0, format!("is over: {cause:?}")),
            Input::Backlog { conn, waiting, .. } => {
                Happening::Up(conn.0, format!("does not read {waiting} bytes"))
            }
            Input::QueueFull { conn } => Happening::Up(conn.0, "does not read".to_owned()),
            Input::Drain { until } => Happening::Inside(format!("shut down until {} ms", until.0)),
            Input::Adjust { limits } => Happening::Inside(format!("from now on {limits:?}")),
            Input::ClockSet { wall } => Happening::Inside(format!("the clock on the wall shows {}", wall.0)),
            Input::Store { is_up } => {
                Happening::Inside(format!("the store is {}", if is_up { "up" } else { "down" }))
            }
            Input::Answered { id, answer } => Happening::Inside(format!("{answer:?} to {}", id.0)),
            Input::Bus { is_up } => {
                Happening::Inside(format!("the bus is {}", if is_up { "up" } else { "down" }))
            }
            Input::Frame { frame } => Happening::Inside(format!("a frame of {} bytes", frame.len())),
            Input::Flush => Happening::Inside("flush".to_owned()),
            Input::Tick => Happening::Inside("tick".to_owned()),
        });
    }

    pub(crate) fn output(&mut self, at: Time, output: &Output<'_>) {
        self.note(at, || match *output {
            Output::Send { conn, text } => Happening::Down(conn.0, brief(text)),
            Output::Reply { conn, status, text } => {
                Happening::Down(conn.0, format!("{status} {}", clip(text)))
            }
            Output::Ping { conn } => Happening::Down(conn.0, "(ping)".to_owned()),
            Output::Close { conn, why } => {
                Happening::Down(conn.0, format!("close {} {}", why.code(), why.text()))
            }
            Output::Ask { id, question } => Happening::Inside(format!("asks {}: {question:?}", id.0)),
            Output::Publish { to, frame } => {
                Happening::Inside(format!("publishes {} bytes to {to:?}", frame.len()))
            }
            Output::Observe(event) => Happening::Told(*event),
        });
    }

    /// The gauges after an input.
    pub(crate) fn gauges(&mut self, at: Time, census: Census) {
        if self.last != Some(census) && self.lines.is_some() {
            self.last = Some(census);
            self.note(at, || Happening::Gauges(census));
        }
    }

    /// A message reaches a page.
    pub(crate) fn down(&mut self, at: Time, conn: ConnId, text: &str) {
        self.note_down(at, conn, || brief(text));
    }

    /// Something else reaches a page.
    pub(crate) fn note_down(&mut self, at: Time, conn: ConnId, what: impl FnOnce() -> String) {
        self.note(at, || Happening::Down(conn.0, what()));
    }

    /// Something reaches the server's machine.
    pub(crate) fn up(&mut self, at: Time, conn: ConnId, upward: &Upward) {
        self.note(at, || {
            let what = match upward {
                Upward::Open { target, .. } => format!("opens {target}"),
                Upward::Post { body, .. } => format!("POST {}", clip(body)),
                Upward::Poll { target } => format!("GET {target}"),
                Upward::Raw { bytes, .. } => format!("sends {}", clip(&String::from_utf8_lossy(bytes))),
                Upward::Text(text) => clip(text),
                Upward::Pong => "(pong)".to_owned(),
                Upward::Gone(cause) => format!("ends: {cause:?}"),
                Upward::Choke => "does not read".to_owned(),
                Upward::Frame(flaw) => format!("frame: {flaw:?}"),
                Upward::Stall(ms) => format!("stalls for {ms} ms"),
                Upward::Cut => "is cut in the middle of a frame".to_owned(),
                Upward::Lose { upward: true } => "is not heard any more".to_owned(),
                Upward::Lose { upward: false } => "hears nothing any more".to_owned(),
                Upward::Slow(rate) => format!("reads {rate} bytes per second"),
            };
            Happening::Up(conn.0, what)
        });
    }

    /// Something happens within the server.
    pub(crate) fn inside(&mut self, at: Time, what: impl FnOnce() -> String) {
        self.note(at, || Happening::Inside(what()));
    }

    fn note(&mut self, at: Time, what: impl FnOnce() -> Happening) {
        if let Some(lines) = &mut self.lines {
            lines.push(Line { at, what: what() });
        }
    }
}

/// A message of the server without what every one has.
fn brief(text: &str) -> String {
    let Some(frame) = Frame::parse(text) else { return clip(text) };
    let data = frame.data.map_or("", |data| data.get());
    let from = if frame.from == "system" { String::new() } else { format!(" from {}", short(&frame.from)) };
    clip(&format!("{}{from} in {} {data}", frame.kind, frame.network))
}

fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// At most 160 characters.
fn clip(text: &str) -> String {
    let mut clipped: String = text.chars().take(160).collect();
    if clipped.len() < text.len() {
        clipped.push('…');
    }
    clipped
}
