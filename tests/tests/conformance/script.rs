//! A WebSocket case: what the client sends, and what must come back.

use crate::report::{Label, Level, Report};
use crate::subject::{Got, Part, Socket, Subject};
use peerpigeon_tests::websocket::{Frame, append_frame, close_payload, opcode};

/// A case, written from left to right: what is sent, what is expected, in their order.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) label: Label,
    /// Against the signaling server only, with this target of the upgrade.
    target: Option<&'static str>,
    steps: Vec<Step>,
    /// The connection is over when the steps are; else the client closes it.
    is_over: bool,
    /// Frames follow the end, so that it may come as a reset.
    is_reset: bool,
}

/// How the bytes go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// All in one write; then what is expected is read.
    Together,
    /// Each frame in a write of its own, after everything expected before it has come.
    FrameByFrame,
    /// As that, one byte in each write; of long frames 997.
    ByteByByte,
}

#[derive(Clone, Debug)]
enum Step {
    Send(Send),
    Expect(Expected),
}

#[derive(Clone, Debug)]
enum Send {
    Frame {
        first: u8,
        payload: Vec<u8>,
        part: Part,
    },
    /// The beginning of a frame: its header promises `missing` bytes more.
    Beginning {
        first: u8,
        payload: Vec<u8>,
        missing: usize,
        part: Part,
    },
    Raw(Vec<u8>),
}

#[derive(Clone, Debug)]
enum Expected {
    /// The message with this payload has come.
    Echo(Vec<u8>),
    /// A message that says that another one is no text.
    NotText,
    Pong(Vec<u8>),
    /// A close frame with this code, or with none.
    Close(Option<u16>),
    End,
}

impl Script {
    pub(crate) fn new(section: &'static str, level: Level, what: impl Into<String>) -> Script {
        let label = Label { section, level, what: what.into(), is_of_the_suite: false };
        Script { label, target: None, steps: Vec::new(), is_over: false, is_reset: false }
    }

    /// Against the signaling server only, by an upgrade to `target`; nothing is taken before the steps.
    pub(crate) fn with_target(self, target: &'static str) -> Script {
        Script { target: Some(target), ..self }
    }

    // What is sent.

    /// A message in one frame, which comes back.
    pub(crate) fn text(self, payload: impl AsRef<[u8]>) -> Script {
        let payload = payload.as_ref();
        self.frame_of(Part::Whole, 0x80 | opcode::TEXT, payload).echo(payload)
    }

    /// A message in one frame, about which nothing is said here.
    pub(crate) fn silent_text(self, payload: impl AsRef<[u8]>) -> Script {
        self.frame_of(Part::Whole, 0x80 | opcode::TEXT, payload.as_ref())
    }

    /// A binary message in one frame, which comes back.
    pub(crate) fn binary(self, payload: impl AsRef<[u8]>) -> Script {
        let payload = payload.as_ref();
        self.frame_of(Part::Whole, 0x80 | opcode::BINARY, payload).echo(payload)
    }

    /// A binary message that is no text, which is refused; the connection goes on.
    pub(crate) fn binary_without_text(self, payload: impl AsRef<[u8]>) -> Script {
        self.frame(0x80 | opcode::BINARY, payload).expect(Expected::NotText)
    }

    /// A message in these fragments, which comes back.
    pub(crate) fn fragments<P: AsRef<[u8]>>(self, parts: &[P]) -> Script {
        let whole = parts.iter().map(AsRef::as_ref).collect::<Vec<_>>().concat();
        self.silent_fragments(parts).echo(&whole)
    }

    /// A message in these fragments, about which nothing is said here.
    pub(crate) fn silent_fragments<P: AsRef<[u8]>>(self, parts: &[P]) -> Script {
        let last = parts.len() - 1;
        parts.iter().enumerate().fold(self, |script, (i, part)| match i {
            0 => script.first(part),
            i if i == last => script.last(part),
            _ => script.middle(part),
        })
    }

    pub(crate) fn first(self, payload: impl AsRef<[u8]>) -> Script {
        self.frame_of(Part::First, opcode::TEXT, payload.as_ref())
    }

    /// The first fragment of a message with this opcode.
    pub(crate) fn frame_first(self, opcode: u8, payload: impl AsRef<[u8]>) -> Script {
        self.frame_of(Part::First, opcode, payload.as_ref())
    }

    pub(crate) fn middle(self, payload: impl AsRef<[u8]>) -> Script {
        self.frame_of(Part::Middle, opcode::CONTINUATION, payload.as_ref())
    }

    pub(crate) fn silent_middles<P: AsRef<[u8]>>(self, parts: &[P]) -> Script {
        parts.iter().fold(self, Script::middle)
    }

    pub(crate) fn last(self, payload: impl AsRef<[u8]>) -> Script {
        self.frame_of(Part::Last, 0x80 | opcode::CONTINUATION, payload.as_ref())
    }

    /// A ping, which is answered.
    pub(crate) fn ping(self, payload: impl AsRef<[u8]>) -> Script {
        let payload = payload.as_ref();
        self.frame(0x80 | opcode::PING, payload).pong(payload)
    }

    /// A close frame with this code and reason.
    pub(crate) fn close(self, code: u16, reason: &str) -> Script {
        self.frame(0x80 | opcode::CLOSE, close_payload(code, reason))
    }

    /// A masked frame that begins with this byte.
    pub(crate) fn frame(self, first: u8, payload: impl AsRef<[u8]>) -> Script {
        self.frame_of(Part::None, first, payload.as_ref())
    }

    /// The beginning of a whole message's frame: its header promises `missing` bytes more.
    pub(crate) fn beginning(self, payload: impl AsRef<[u8]>, missing: usize) -> Script {
        let payload = payload.as_ref().to_vec();
        let first = 0x80 | opcode::TEXT;
        self.send(Send::Beginning { first, payload, missing, part: Part::First })
    }

    /// The beginning of the last fragment of a message.
    pub(crate) fn beginning_of_last(self, payload: impl AsRef<[u8]>, missing: usize) -> Script {
        let payload = payload.as_ref().to_vec();
        let first = 0x80 | opcode::CONTINUATION;
        self.send(Send::Beginning { first, payload, missing, part: Part::Middle })
    }

    /// Bytes as they are.
    pub(crate) fn raw(self, bytes: impl AsRef<[u8]>) -> Script {
        self.send(Send::Raw(bytes.as_ref().to_vec()))
    }

    // What must come.

    /// The message comes back.
    pub(crate) fn echo(self, payload: &[u8]) -> Script {
        self.expect(Expected::Echo(payload.to_vec()))
    }

    /// A pong comes.
    pub(crate) fn pong(self, payload: impl AsRef<[u8]>) -> Script {
        self.expect(Expected::Pong(payload.as_ref().to_vec()))
    }

    /// The connection fails (section 7.1.7): a close frame with this code, then the end, without anything more from the
    /// client.
    pub(crate) fn fails(self, code: u16) -> Script {
        Script { is_over: true, ..self }.expect(Expected::Close(Some(code))).expect(Expected::End)
    }

    /// The client's close frame is answered with the same code, and the connection ends.
    pub(crate) fn closed(self, code: Option<u16>) -> Script {
        Script { is_over: true, ..self }.expect(Expected::Close(code)).expect(Expected::End)
    }

    /// A close frame comes that the client has not asked for.
    pub(crate) fn closed_by_server(self, code: u16) -> Script {
        self.expect(Expected::Close(Some(code)))
    }

    /// The connection ends.
    pub(crate) fn ends(self) -> Script {
        Script { is_over: true, ..self }.expect(Expected::End)
    }

    /// Nobody reads what the client has sent last: the end may come as a reset.
    pub(crate) fn perhaps_by_reset(self) -> Script {
        Script { is_reset: true, ..self }
    }

    /// Plays it in all its deliveries.
    pub(crate) fn run(&self, subject: &Subject, report: &Report) {
        if self.target.is_some() && !subject.is_signaling() {
            return;
        }
        for delivery in [Delivery::Together, Delivery::FrameByFrame, Delivery::ByteByByte] {
            let how = format!("{}, {delivery:?}", subject.name());
            report.note(&self.label, &how, self.play(subject, delivery));
        }
    }

    fn play(&self, subject: &Subject, delivery: Delivery) -> Result<(), String> {
        let mut socket = subject.open(self.target)?;
        let mut steps: Vec<&Step> = self.steps.iter().collect();
        if delivery == Delivery::Together {
            let sends = self.steps.iter().filter_map(|step| match step {
                Step::Send(send) => Some(send.bytes(subject)),
                Step::Expect(_) => None,
            });
            socket.send(&sends.collect::<Vec<_>>().concat());
            steps.retain(|step| matches!(step, Step::Expect(_)));
        }
        for step in steps {
            match step {
                Step::Send(send) if delivery == Delivery::ByteByByte => {
                    let bytes = send.bytes(subject);
                    let size = if bytes.len() > LONG_FRAME_BYTES { LONG_FRAME_PIECE_BYTES } else { 1 };
                    socket.send_in_pieces(&bytes, size);
                }
                Step::Send(send) => socket.send(&send.bytes(subject)),
                Step::Expect(expected) => self.take(&mut socket, subject, expected)?,
            }
        }
        if !self.is_over {
            let mut bytes = Vec::new();
            append_frame(&mut bytes, 0x80 | opcode::CLOSE, &close_payload(1000, ""));
            socket.send(&bytes);
            self.take(&mut socket, subject, &Expected::Close(Some(1000)))?;
            self.take(&mut socket, subject, &Expected::End)?;
        }
        Ok(())
    }

    fn take(&self, socket: &mut Socket, subject: &Subject, expected: &Expected) -> Result<(), String> {
        let got = socket.next()?;
        let is_right = match (expected, &got) {
            (Expected::Echo(payload), Got::Frame(Frame::Text(text))) => subject.is_answer_to(payload, text),
            (Expected::NotText, Got::Frame(Frame::Text(text))) => {
                text == "not text" || text.contains(r#""code":"invalid-json""#)
            }
            (Expected::Pong(payload), Got::Frame(Frame::Pong(got))) => payload == got,
            (Expected::Close(code), Got::Frame(Frame::Close(got))) => {
                *code == got.as_ref().map(|(code, _)| *code)
            }
            (Expected::End, Got::End) => true,
            (Expected::End, Got::Reset) => self.is_reset,
            _ => false,
        };
        if is_right {
            return Ok(());
        }
        let mut text = format!("{got:?} instead of {expected:?}");
        text.truncate(text.floor_char_boundary(500));
        Err(text)
    }

    fn frame_of(self, part: Part, first: u8, payload: &[u8]) -> Script {
        self.send(Send::Frame { first, payload: payload.to_vec(), part })
    }

    fn send(mut self, send: Send) -> Script {
        self.steps.push(Step::Send(send));
        self
    }

    fn expect(mut self, expected: Expected) -> Script {
        self.steps.push(Step::Expect(expected));
        self
    }
}

impl Send {
    fn bytes(&self, subject: &Subject) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Send::Frame { first, payload, part } => {
                append_frame(&mut bytes, *first, &subject.wrap(payload, *part));
            }
            Send::Beginning { first, payload, missing, part } => {
                let mut payload = subject.wrap(payload, *part);
                payload.resize(payload.len() + missing, b'.');
                append_frame(&mut bytes, *first, &payload);
                bytes.truncate(bytes.len() - missing);
            }
            Send::Raw(raw) => bytes.extend_from_slice(raw),
        }
        bytes
    }
}

/// Frames beyond that are not sent byte by byte, since each byte is a system call for both sides.
const LONG_FRAME_BYTES: usize = 2_048;
/// The size of the pieces in case 1.1.8 of the Autobahn suite; prime, so that every offset of the mask comes first.
const LONG_FRAME_PIECE_BYTES: usize = 997;
