//! A switchboard under watch: every input and output passes by the laws, the transcript hash and, where asked for,
//! the recorder.

mod ledger;
mod parcel;
mod said;
mod target;

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::value::RawValue;

use peerpigeon_core::{
    AddressKey, Census, CloseReason, ConnId, Grant, Input, Letter, Limits, Output, Question, QuestionId,
    StoreAnswer, Switchboard, Time, UnixMillis,
};

pub(crate) use ledger::{Asked, Behind, Ledger, Party, Sent, Stage, is_virtual, posted_texts};
pub(crate) use parcel::{Answer, Delivery, Fetched, Parcel};
pub(crate) use said::{Kind, Message, Said};
pub(crate) use target::peer_id;

use crate::client::Frame;
use crate::laws::{self, Given as Named, Law, Rest, Scene, Verdict};
use crate::record::Record;
use crate::scenario::Way;
use crate::transcript::Transcript;

/// A law that does not hold, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Name of the law.
    pub law: String,
    /// What is wrong.
    pub what: String,
}

/// What goes out to a connection.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Text(String),
    Ping,
    Close(CloseReason),
    /// The answer to an HTTP request: status and body.
    Reply(u16, String),
}

/// An input as it was given, to be given again.
#[derive(Clone, Debug)]
pub(crate) enum Given {
    Taken { id: QuestionId, letters: Vec<Letter> },
    Opened { conn: ConnId, target: String, address: Option<AddressKey> },
    Posted { conn: ConnId, body: String, address: Option<AddressKey> },
    Polled { conn: ConnId, target: String },
    Text { conn: ConnId, text: String },
    Frame(Vec<u8>),
    Other(Input<'static>),
}

/// How closely to look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Care {
    /// Look at everything there is after every so many inputs.
    pub(crate) every: u64,
    /// Keep the inputs, to run them again.
    pub(crate) trace: bool,
}

pub(crate) struct Watch {
    board: Switchboard,
    pub(crate) ledger: Ledger,
    laws: Vec<Box<dyn Law>>,
    care: Care,
    inputs: u64,
    transcript: Transcript,
    trace: Vec<(Time, Given)>,
    fresh: Box<dyn Fn() -> Switchboard>,
    outgoing: Vec<(ConnId, Outgoing)>,
    asked: Vec<(QuestionId, Question)>,
}

impl Watch {
    pub(crate) fn new(limits: &Limits, boot: UnixMillis, care: Care) -> Watch {
        let laws = laws::all(limits);
        let limits = limits.clone();
        let fresh =
            Box::new(move || Switchboard::new(limits.clone(), boot, 0).expect("limits that are allowed"));
        Watch {
            board: fresh(),
            ledger: Ledger::default(),
            laws,
            care,
            inputs: 0,
            transcript: Transcript::EMPTY,
            trace: Vec::new(),
            fresh,
            outgoing: Vec::new(),
            asked: Vec::new(),
        }
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        self.board.poll_timeout().map(|(time, _)| time)
    }

    pub(crate) fn census(&self) -> Census {
        self.board.census()
    }

    pub(crate) fn transcript(&self) -> Transcript {
        self.transcript
    }

    pub(crate) fn inputs(&self) -> u64 {
        self.inputs
    }

    /// What has gone out since this was asked last.
    pub(crate) fn take_outgoing(&mut self) -> Vec<(ConnId, Outgoing)> {
        core::mem::take(&mut self.outgoing)
    }

    /// What the store was asked since this was asked last.
    pub(crate) fn take_asked(&mut self) -> Vec<(QuestionId, Question)> {
        core::mem::take(&mut self.asked)
    }

    /// Gives one input. Deadlines that are due are fired by a tick of their own before, so that each law sees what
    /// causes what; [`Watch::replay`] then shows that this changes nothing.
    pub(crate) fn handle(&mut self, now: Time, input: Input<'_>, record: &mut Record) -> Result<(), Breach> {
        if input != Input::Tick && self.deadline().is_some_and(|deadline| deadline <= now) {
            self.give(now, Input::Tick, record)?;
        }
        self.give(now, input, record)
    }

    fn give(&mut self, now: Time, input: Input<'_>, record: &mut Record) -> Result<(), Breach> {
        self.inputs += 1;
        record.input(now, &input);
        if self.care.trace {
            self.trace.push((now, Given::keep(&input)));
        }
        let said = if let Input::Text { text, .. } = input { Some(Said::read(text)) } else { None };
        if self.deadline().is_some_and(|deadline| deadline < now) {
            self.ledger.late = now;
        }
        self.ledger.input(now, &input);
        let scene = Scene { now, ledger: &self.ledger };
        each(&mut self.laws, |law| law.input(scene, &input, said.as_ref()))?;
        match input {
            Input::Text { conn, .. } => {
                let speaker = self.ledger.parties.get(&conn).and_then(|party| Some((party.me?, party.way)));
                if let (Some((me, way)), Some(said)) = (speaker, &said) {
                    each(&mut self.laws, |law| law.spoke(scene, me, way, said))?;
                }
            }
            Input::Posted { body, .. } => {
                for text in posted_texts(body).unwrap_or_else(|| vec![body]) {
                    let said = Said::read(text);
                    let Some(claimed) = said.claimed() else { continue };
                    let seat = self.ledger.party_of(*claimed.id()).filter(|(conn, _)| is_virtual(*conn));
                    let me = seat.and_then(|(_, party)| party.me).unwrap_or(claimed);
                    each(&mut self.laws, |law| law.spoke(scene, me, Way::Http, &said))?;
                }
            }
            Input::Opened { .. }
            | Input::Polled { .. }
            | Input::Heard { .. }
            | Input::Closed { .. }
            | Input::Backlog { .. }
            | Input::QueueFull { .. }
            | Input::Drain { .. }
            | Input::Adjust { .. }
            | Input::Store { .. }
            | Input::Answered { .. }
            | Input::ClockSet { .. }
            | Input::Bus { .. }
            | Input::Frame { .. }
            | Input::Flush
            | Input::Tick => {}
        }
        let board = &mut self.board;
        guard(|| board.handle(now, input))?;
        self.drain(now, record)?;
        let thorough = self.inputs.is_multiple_of(self.care.every);
        if thorough {
            let board = &self.board;
            guard(|| board.check_invariants())?;
        }
        let rest = self.at_rest(thorough);
        let scene = Scene { now, ledger: &self.ledger };
        each(&mut self.laws, |law| law.rest(scene, &rest))
    }

    fn at_rest(&self, thorough: bool) -> Rest {
        Rest { census: self.board.census(), deadline: self.board.poll_timeout(), thorough }
    }

    fn drain(&mut self, now: Time, record: &mut Record) -> Result<(), Breach> {
        while let Some(output) = self.board.poll_output() {
            record.output(now, &output);
            hash(&mut self.transcript, now, &output);
            let (laws, ledger, outgoing) = (&mut self.laws, &mut self.ledger, &mut self.outgoing);
            match output {
                Output::Send { conn, text } => {
                    if ledger.way_of(conn) == Way::A {
                        let frame = Frame::parse(text).ok_or_else(|| unreadable(conn, text))?;
                        let scene = Scene { now, ledger };
                        each(laws, |law| law.sent(scene, conn, &frame))?;
                    } else {
                        sent_in_b(laws, ledger, now, conn, text)?;
                    }
                    outgoing.push((conn, Outgoing::Text(text.to_owned())));
                }
                Output::Reply { conn, status, text } => {
                    replied(laws, ledger, now, conn, status, text)?;
                    outgoing.push((conn, Outgoing::Reply(status, text.to_owned())));
                }
                Output::Ping { conn } => {
                    let scene = Scene { now, ledger };
                    each(laws, |law| law.pinged(scene, conn))?;
                    outgoing.push((conn, Outgoing::Ping));
                }
                Output::Close { conn, why } => {
                    let scene = Scene { now, ledger };
                    each(laws, |law| law.closed(scene, conn, why))?;
                    outgoing.push((conn, Outgoing::Close(why)));
                }
                Output::Ask { id, question } => self.asked.push((id, question.clone())),
                // A server of its own.
                Output::Publish { .. } => {}
                Output::Observe(event) => {
                    let scene = Scene { now, ledger };
                    each(laws, |law| law.event(scene, *event))?;
                }
            }
            self.ledger.output(now, &output);
        }
        Ok(())
    }

    /// There has been no fault for long enough.
    pub(crate) fn calm(&mut self, now: Time) -> Result<(), Breach> {
        let (rest, scene) = (self.at_rest(true), Scene { now, ledger: &self.ledger });
        each(&mut self.laws, |law| law.calm(scene, &rest))
    }

    /// Everybody has left.
    pub(crate) fn empty(&mut self, now: Time) -> Result<(), Breach> {
        let (rest, scene) = (self.at_rest(true), Scene { now, ledger: &self.ledger });
        each(&mut self.laws, |law| law.empty(scene, &rest))
    }

    /// Gives all inputs again, to another switchboard, leaving out every tick that another input of the same moment
    /// follows: nothing may change, since due deadlines are fired before an input.
    pub(crate) fn replay(&self) -> Result<(), Breach> {
        let mut board = (self.fresh)();
        let mut transcript = Transcript::EMPTY;
        for (i, (now, given)) in self.trace.iter().enumerate() {
            let next = self.trace.get(i + 1).is_some_and(|(next, _)| next == now);
            if next && matches!(given, Given::Other(Input::Tick)) {
                continue;
            }
            guard(|| board.handle(*now, given.input()))?;
            while let Some(output) = board.poll_output() {
                hash(&mut transcript, *now, &output);
            }
        }
        if self.care.trace && transcript != self.transcript {
            let what = format!("the run gave {}, again without idle ticks {transcript}", self.transcript);
            return Err(Breach { law: "a late driver changes nothing".to_owned(), what });
        }
        Ok(())
    }
}

impl Given {
    pub(crate) fn keep(input: &Input<'_>) -> Given {
        match *input {
            Input::Opened { conn, target, address, .. } => {
                Given::Opened { conn, target: target.to_owned(), address }
            }
            Input::Text { conn, text } => Given::Text { conn, text: text.to_owned() },
            Input::Posted { conn, body, address, .. } => {
                Given::Posted { conn, body: body.to_owned(), address }
            }
            Input::Polled { conn, target, .. } => Given::Polled { conn, target: target.to_owned() },
            Input::Heard { conn } => Given::Other(Input::Heard { conn }),
            Input::Closed { conn, cause } => Given::Other(Input::Closed { conn, cause }),
            Input::Backlog { conn, waiting, capacity } => {
                Given::Other(Input::Backlog { conn, waiting, capacity })
            }
            Input::QueueFull { conn } => Given::Other(Input::QueueFull { conn }),
            Input::Drain { until } => Given::Other(Input::Drain { until }),
            Input::Adjust { limits } => Given::Other(Input::Adjust { limits }),
            Input::ClockSet { wall } => Given::Other(Input::ClockSet { wall }),
            Input::Store { is_up } => Given::Other(Input::Store { is_up }),
            Input::Answered { id, answer: StoreAnswer::Taken(letters) } => {
                Given::Taken { id, letters: letters.to_vec() }
            }
            Input::Answered { id, answer: StoreAnswer::Stored } => {
                Given::Other(Input::Answered { id, answer: StoreAnswer::Stored })
            }
            Input::Answered { id, answer: StoreAnswer::Gone(count) } => {
                Given::Other(Input::Answered { id, answer: StoreAnswer::Gone(count) })
            }
            Input::Answered { id, answer: StoreAnswer::Failed } => {
                Given::Other(Input::Answered { id, answer: StoreAnswer::Failed })
            }
            Input::Answered { id, answer: StoreAnswer::Unknown } => {
                Given::Other(Input::Answered { id, answer: StoreAnswer::Unknown })
            }
            Input::Bus { is_up } => Given::Other(Input::Bus { is_up }),
            Input::Frame { frame } => Given::Frame(frame.to_vec()),
            Input::Flush => Given::Other(Input::Flush),
            Input::Tick => Given::Other(Input::Tick),
        }
    }

    pub(crate) fn input(&self) -> Input<'_> {
        match self {
            Given::Taken { id, letters } => Input::Answered { id: *id, answer: StoreAnswer::Taken(letters) },
            Given::Opened { conn, target, address } => {
                Input::Opened { conn: *conn, target, address: *address, grant: &Grant::ANY }
            }
            Given::Posted { conn, body, address } => {
                Input::Posted { conn: *conn, body, address: *address, grant: &Grant::ANY }
            }
            Given::Polled { conn, target } => Input::Polled { conn: *conn, target, grant: &Grant::ANY },
            Given::Text { conn, text } => Input::Text { conn: *conn, text },
            Given::Frame(frame) => Input::Frame { frame },
            Given::Other(input) => *input,
        }
    }
}

fn unreadable(conn: ConnId, text: &str) -> Breach {
    let what = format!("no client can read this, sent to {conn:?}: {text}");
    Breach { law: "frames".to_owned(), what }
}

/// A text to a connection that speaks dialect B.
fn sent_in_b(
    laws: &mut [Box<dyn Law>],
    ledger: &mut Ledger,
    now: Time,
    conn: ConnId,
    text: &str,
) -> Result<(), Breach> {
    let scene = Scene { now, ledger };
    match Parcel::read(text).ok_or_else(|| unreadable(conn, text))? {
        Parcel::Registered => {
            let me = ledger.parties.get(&conn).and_then(|party| party.me).map(|me| me.to_string());
            // What dialect A says there, in other words.
            let data =
                RawValue::from_string(format!(r#"{{"peerId":"{}"}}"#, me.as_deref().unwrap_or_default()));
            let frame = Frame {
                kind: "connected".into(),
                network: "global".into(),
                from: "system".into(),
                target: me.unwrap_or_default().into(),
                timestamp: ledger.wall(now),
                data: data.as_deref().ok(),
                error: None,
            };
            each(laws, |law| law.sent(scene, conn, &frame))
        }
        Parcel::Answer(answer) => {
            let whose = ledger.peer_at(conn);
            each(laws, |law| law.named(scene, &answer.message_id, Named::Answer(whose)))?;
            each(laws, |law| law.answered(scene, Some(conn), &answer))?;
            ledger.answered(now, answer.success);
            Ok(())
        }
        Parcel::Delivery(delivery) => {
            let frame = delivery.frame(ledger.network_name(conn));
            each(laws, |law| law.named(scene, &delivery.message_id, Named::of(&frame, delivery.from())))?;
            each(laws, |law| law.sent(scene, conn, &frame))
        }
    }
}

/// The answer to an HTTP request.
fn replied(
    laws: &mut [Box<dyn Law>],
    ledger: &mut Ledger,
    now: Time,
    conn: ConnId,
    status: u16,
    text: &str,
) -> Result<(), Breach> {
    let Some(asked) = ledger.asked.get(&conn).cloned() else {
        let what = format!("{status} for {conn:?}, which asks for nothing");
        return Err(Breach { law: "replies".to_owned(), what });
    };
    match &asked {
        Asked::Post { speakers, batch } => {
            let results = if *batch && status == 200 {
                let results = parcel::Results::read(text).ok_or_else(|| unreadable(conn, text))?.results;
                results.into_iter().map(RawValue::get).collect()
            } else {
                vec![text]
            };
            if results.len() != speakers.len() {
                let what = format!("{} messages were posted, answered are {}", speakers.len(), results.len());
                return Err(Breach { law: "replies".to_owned(), what });
            }
            for (result, speaker) in results.into_iter().zip(speakers) {
                let answer = Answer::read(result).ok_or_else(|| unreadable(conn, result))?;
                let whose = speaker.map(|me| *me.id());
                let scene = Scene { now, ledger };
                each(laws, |law| law.named(scene, &answer.message_id, Named::Answer(whose)))?;
                each(laws, |law| law.answered(scene, None, &answer))?;
                ledger.answered(now, answer.success);
            }
        }
        Asked::Poll { peer, party, .. } if status == 200 => {
            let fetched = Fetched::read(text).ok_or_else(|| unreadable(conn, text))?;
            let scene = Scene { now, ledger };
            let (Some(peer), true) = (peer, fetched.timestamp == ledger.wall(now)) else {
                return Err(unreadable(conn, text));
            };
            for message in &fetched.messages {
                let delivery =
                    Delivery::read(message.get()).ok_or_else(|| unreadable(conn, message.get()))?;
                let frame = delivery.frame("");
                let named = Named::of(&frame, delivery.from());
                each(laws, |law| law.named(scene, &delivery.message_id, named))?;
                each(laws, |law| law.fetched(scene, *peer, *party, &frame))?;
            }
        }
        Asked::Poll { .. } => {
            Answer::read(text).filter(|answer| !answer.success).ok_or_else(|| unreadable(conn, text))?;
        }
    }
    let scene = Scene { now, ledger };
    each(laws, |law| law.replied(scene, conn, &asked, status))
}

/// Asks every law; the first that fails speaks.
fn each(laws: &mut [Box<dyn Law>], mut ask: impl FnMut(&mut dyn Law) -> Verdict) -> Result<(), Breach> {
    for law in laws {
        ask(law.as_mut()).map_err(|what| Breach { law: law.name().to_owned(), what })?;
    }
    Ok(())
}

/// A panic of the core is a breach like any other.
fn guard(run: impl FnOnce()) -> Result<(), Breach> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let what = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Breach { law: "no panic, every invariant".to_owned(), what: what.unwrap_or_default() }
    })
}

fn hash(transcript: &mut Transcript, now: Time, output: &Output<'_>) {
    transcript.number(now.0);
    let written = match *output {
        Output::Send { conn, text } => {
            transcript.number(conn.0);
            transcript.bytes(text.as_bytes());
            Ok(())
        }
        Output::Reply { conn, status, text } => write!(transcript, "reply {} {status} {text}", conn.0),
        Output::Ping { conn } => write!(transcript, "ping {}", conn.0),
        Output::Close { conn, why } => write!(transcript, "close {} {}", conn.0, why.text()),
        Output::Ask { id, question } => write!(transcript, "ask {} {question:?}", id.0),
        Output::Publish { to, frame } => write!(transcript, "publish {to:?} {frame:?}"),
        Output::Observe(event) => write!(transcript, "{event:?}"),
    };
    debug_assert!(written.is_ok(), "hashing never fails");
}
