//! An HTTP case: the bytes of one or more requests, and what must be answered.

use crate::report::{Label, Level, Report};
use crate::subject::{Got, Socket};
use peerpigeon_tests::http::Answer;
use peerpigeon_tests::websocket::{self, Frame, opcode};
use std::net::SocketAddr;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// A case.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    label: Label,
    bytes: Vec<u8>,
    replies: Vec<Reply>,
    /// Header fields of the last answer.
    fields: Vec<(&'static str, &'static str)>,
    /// Header fields that the last answer must not have.
    no_fields: Vec<&'static str>,
    after: After,
}

/// One answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// With this status.
    Status(u16),
    /// With this status, to a HEAD request.
    Head(u16),
}

/// What becomes of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
enum After {
    /// It serves another request.
    Stays,
    /// The server ends it, without waiting for the client, and says so in its last answer.
    Ends,
    /// The server ends it since nothing came any more.
    EndsLater,
    /// It is a WebSocket, on which first of all these frames come.
    Switches(Vec<Frame>),
    /// It is a WebSocket, on which a close frame with this code comes, and the end.
    SwitchesAndEnds(u16),
}

/// A whole request; `fields` are whole lines.
pub(crate) fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n")
}

impl Exchange {
    /// A case that sends these bytes.
    pub(crate) fn new(section: &'static str, level: Level, what: &str, bytes: &str) -> Exchange {
        let label = Label { section, level, what: what.to_owned(), is_of_the_suite: false };
        let (bytes, replies) = (bytes.as_bytes().to_vec(), Vec::new());
        Exchange { label, bytes, replies, fields: Vec::new(), no_fields: Vec::new(), after: After::Stays }
    }

    /// Something behind the request: a body, or another request.
    pub(crate) fn then(mut self, bytes: impl AsRef<[u8]>) -> Exchange {
        self.bytes.extend_from_slice(bytes.as_ref());
        self
    }

    /// Answered so, and the connection goes on.
    pub(crate) fn stays(self, status: u16) -> Exchange {
        self.all_stay(&[Reply::Status(status)])
    }

    /// As that, several times.
    pub(crate) fn all_stay(self, replies: &[Reply]) -> Exchange {
        Exchange { replies: replies.to_vec(), ..self }
    }

    /// Answered so, and the connection ends.
    pub(crate) fn ends(self, status: u16) -> Exchange {
        self.all_end(&[Reply::Status(status)])
    }

    /// As that, after several answers.
    pub(crate) fn all_end(self, replies: &[Reply]) -> Exchange {
        Exchange { replies: replies.to_vec(), after: After::Ends, ..self }
    }

    /// Answered so, and ended when nothing followed.
    pub(crate) fn ends_later(self, replies: &[Reply]) -> Exchange {
        Exchange { replies: replies.to_vec(), after: After::EndsLater, ..self }
    }

    /// It becomes a WebSocket.
    pub(crate) fn switches(self) -> Exchange {
        self.switches_after(&[], Vec::new())
    }

    /// It becomes a WebSocket after these answers; then these frames come.
    pub(crate) fn switches_after(self, replies: &[Reply], frames: Vec<Frame>) -> Exchange {
        Exchange { replies: replies.to_vec(), after: After::Switches(frames), ..self }
    }

    /// It becomes a WebSocket that is closed with this code.
    pub(crate) fn switches_and_fails(self, code: u16) -> Exchange {
        Exchange { after: After::SwitchesAndEnds(code), ..self }
    }

    /// The last answer has this header field.
    pub(crate) fn with_field(mut self, name: &'static str, value: &'static str) -> Exchange {
        self.fields.push((name, value));
        self
    }

    /// The last answer does not have this header field.
    pub(crate) fn without_field(mut self, name: &'static str) -> Exchange {
        self.no_fields.push(name);
        self
    }

    /// Plays it: in one write, and byte by byte.
    pub(crate) fn run(&self, address: SocketAddr, report: &Report) {
        for (how, size) in [("in one write", usize::MAX), ("in pieces", self.piece_bytes())] {
            let mut socket = Socket::connect(address);
            socket.send_in_pieces(&self.bytes, size);
            report.note(&self.label, how, self.check(&mut socket));
        }
    }

    /// A byte; of long requests more, since each piece is a system call for both sides.
    fn piece_bytes(&self) -> usize {
        if self.bytes.len() > 2_048 { 997 } else { 1 }
    }

    fn check(&self, socket: &mut Socket) -> Result<(), String> {
        let mut last = None;
        for reply in &self.replies {
            let (Reply::Status(status) | Reply::Head(status)) = *reply;
            let answer = socket.answer(*reply == Reply::Head(status))?;
            let answer = answer.ok_or_else(|| format!("the end instead of {status}"))?;
            if answer.status != status {
                return Err(format!("{answer:?} instead of {status}"));
            }
            check_answer(&answer)?;
            last = Some(answer);
        }
        if let Some(answer) = &last {
            self.check_fields(&answer.headers)?;
            let says_close = answer.headers.iter().any(|(name, value)| {
                name == "connection" && value.split(", ").any(|option| option == "close")
            });
            // RFC 9112 section 9.6.
            if says_close != (self.after == After::Ends) {
                return Err(format!("Connection: close or not, in {answer:?}"));
            }
        }
        match &self.after {
            After::Stays => check_stays(socket),
            After::Ends | After::EndsLater => match socket.answer(false)? {
                None => Ok(()),
                Some(answer) => Err(format!("{answer:?} after the last answer")),
            },
            After::Switches(frames) => {
                self.check_switch(socket)?;
                frames.iter().try_for_each(|frame| expect_frame(socket, frame))?;
                socket.send(&websocket::frame(opcode::PING, b"are you there?"));
                expect_frame(socket, &Frame::Pong(b"are you there?".to_vec()))
            }
            After::SwitchesAndEnds(code) => {
                self.check_switch(socket)?;
                expect_close(socket, *code)
            }
        }
    }

    fn check_switch(&self, socket: &mut Socket) -> Result<(), String> {
        let head = socket.head()?;
        websocket::check_accepted(&head)?;
        let fields = head.lines().filter_map(|line| line.split_once(':'));
        let fields: Vec<(String, String)> =
            fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        self.check_fields(&fields)?;
        // RFC 6455 section 4.2.2.
        for (name, value) in [("upgrade", "websocket"), ("connection", "upgrade")] {
            if !fields.iter().any(|(other, got)| other == name && got.eq_ignore_ascii_case(value)) {
                return Err(format!("no {name}: {value} in {head}"));
            }
        }
        Ok(())
    }

    fn check_fields(&self, headers: &[(String, String)]) -> Result<(), String> {
        for (name, value) in &self.fields {
            if !headers.iter().any(|(other, got)| other == name && got == value) {
                return Err(format!("no {name}: {value} in {headers:?}"));
            }
        }
        match self.no_fields.iter().find(|name| headers.iter().any(|(other, _)| other == *name)) {
            Some(name) => Err(format!("{name} in {headers:?}")),
            None => Ok(()),
        }
    }
}

/// Plays requests that never become whole: after the bytes of each, one more comes again and again.
pub(crate) fn run_slow(cases: &[Exchange], address: SocketAddr, report: &Report) {
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(move || {
                let mut socket = Socket::connect(address);
                socket.send(&case.bytes);
                // The trickle ends when the other end of this channel goes.
                let (checking, over) = mpsc::channel::<()>();
                std::thread::scope(|scope| {
                    if case.after == After::Ends {
                        let mut trickle = socket.try_clone();
                        scope.spawn(move || {
                            while over.recv_timeout(TRICKLE) == Err(RecvTimeoutError::Timeout) {
                                trickle.send(b"x");
                            }
                        });
                    }
                    let outcome = case.check(&mut socket);
                    drop(checking);
                    report.note(&case.label, "slowly", outcome);
                });
            });
        }
    });
}

/// Between two bytes of a slow client.
const TRICKLE: Duration = Duration::from_millis(20);

/// What holds for every answer that is not an interim one.
fn check_answer(answer: &Answer) -> Result<(), String> {
    if answer.status < 200 {
        return Ok(());
    }
    // RFC 9110 section 6.6.1.
    let date = answer.headers.iter().filter(|(name, _)| name == "date").count();
    // RFC 9110 section 10.2.1.
    let allow = answer.headers.iter().any(|(name, _)| name == "allow");
    if date != 1 || (answer.status == 405 && !allow) {
        return Err(format!("no Date, or no Allow in {answer:?}"));
    }
    Ok(())
}

fn check_stays(socket: &mut Socket) -> Result<(), String> {
    socket.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
    match socket.answer(false)? {
        Some(answer) if answer.status == 200 && answer.body.starts_with('{') => Ok(()),
        other => Err(format!("{other:?} to the next request")),
    }
}

/// The next frame; `connected` is passed over.
fn expect_frame(socket: &mut Socket, frame: &Frame) -> Result<(), String> {
    loop {
        match socket.next()? {
            Got::Frame(Frame::Text(text)) if text.starts_with(r#"{"type":"connected""#) => {}
            Got::Frame(got) if got == *frame => return Ok(()),
            Got::Frame(Frame::Text(got)) if matches!(frame, Frame::Text(start) if got.starts_with(start)) => {
                return Ok(());
            }
            other @ (Got::Frame(_) | Got::End | Got::Reset) => {
                return Err(format!("{other:?} instead of {frame:?}"));
            }
        }
    }
}

/// A close frame with this code and the end behind it; `connected` is passed over.
fn expect_close(socket: &mut Socket, code: u16) -> Result<(), String> {
    loop {
        match socket.next()? {
            Got::Frame(Frame::Text(text)) if text.starts_with(r#"{"type":"connected""#) => {}
            Got::Frame(Frame::Close(Some((got, _)))) if got == code => break,
            other @ (Got::Frame(_) | Got::End | Got::Reset) => {
                return Err(format!("{other:?} instead of a close frame with {code}"));
            }
        }
    }
    match socket.next()? {
        Got::End => Ok(()),
        other @ (Got::Frame(_) | Got::Reset) => Err(format!("{other:?} after the close frame")),
    }
}
