//! From an URL to a connection on which what is published comes back.
//!
//! All of this waits for somebody: it is done by a thread, not by the loop.

use crate::bus::BusUrl;
use crate::bus::redis::resp::{Kind, Reader, RespError, command};
use crate::bus::seal::Seal;
use crate::net::dial::Line;
use crate::net::{ClientTls, DialError, Dialed, Place};
use crate::program::settings::Pem;
use core::fmt;
use peerpigeon_core::NodeId;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Which channels, and how.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) prefix: String,
    pub(super) node: NodeId,
    /// Who may have signed its certificate.
    pub(super) authorities: Option<Pem>,
    pub(super) seal: Seal,
}

impl Target {
    pub(super) fn channel_of_all(&self) -> String {
        format!("{}:all", self.prefix)
    }

    pub(super) fn channel_of(&self, node: NodeId) -> String {
        format!("{}:n:{:016x}", self.prefix, node.0)
    }
}

/// A connection, and what has come by it already.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) stream: Dialed,
    pub(super) tls: Option<ClientTls>,
    pub(super) reader: Reader,
}

/// Why there is no bus. As text it is one line without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There is no connection to its host.
    Dial(DialError),
    /// What the server says to a command.
    Refused {
        /// What was asked.
        command: &'static str,
        /// Its answer.
        answer: String,
        /// What is missing, if that is what it says.
        remedy: String,
    },
    /// It takes no part in what others do.
    Role(String),
    /// It speaks something else, or too much of it.
    Resp(RespError),
    /// It answers, and what is published does not come back.
    Deaf,
}

impl From<DialError> for Failure {
    fn from(error: DialError) -> Failure {
        Failure::Dial(error)
    }
}

impl From<RespError> for Failure {
    fn from(error: RespError) -> Failure {
        Failure::Resp(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Dial(error) => error.fmt(f),
            Failure::Refused { command, answer, remedy } => {
                write!(f, "it refuses {command}: {answer}{remedy}")
            }
            Failure::Role(role) => {
                write!(f, "it is a {role}, and what is published there reaches nobody at its master")
            }
            Failure::Resp(error) => error.fmt(f),
            Failure::Deaf => f.write_str("it answers, but what is published does not come back"),
        }
    }
}

impl Failure {
    /// What a server has answered to a command, in so many words.
    pub(super) fn refused(command: &'static str, answer: &[u8], prefix: &str) -> Failure {
        let answer = String::from_utf8_lossy(answer);
        // A server that does not know `HELLO` repeats what was said to it, the password included.
        let answer = answer.split(", with args").next().unwrap_or_default();
        let answer: String = answer.chars().take(SHOWN_CHARS).collect();
        let answer = answer.replace(|char: char| char.is_control(), " ");
        let remedy = match answer.split(' ').next() {
            Some("NOPERM") => {
                format!("; the user needs: resetchannels &{prefix}:* +hello +subscribe +publish")
            }
            Some("NOAUTH") => "; the URL needs a password, or a user and a password".to_owned(),
            Some("ERR" | "NOPROTO") if command == "HELLO" => "; Redis 6 or Valkey is needed".to_owned(),
            _ => String::new(),
        };
        Failure::Refused { command, answer, remedy }
    }
}

/// Connects, and sees to it that what is published comes back.
pub(super) fn connect(url: &BusUrl, target: &Target) -> Result<Connected, Failure> {
    let mut talk = Talk {
        line: Line::open(&url.place, Instant::now() + PATIENCE)?,
        reader: Reader::default(),
        prefix: &target.prefix,
    };
    if let (Place::Host(name, _), true) = (&url.place, url.has_tls) {
        let authorities = target
            .authorities
            .as_ref()
            .ok_or_else(|| Failure::Dial(DialError::Tls("CLUSTER_CA is not set".to_owned())))?;
        let early = talk.line.secure(name, Some(authorities))?;
        talk.reader.take_in(&early);
    }
    talk.hello(url, target.node)?;
    talk.subscribe(target)?;
    talk.probe(target)?;
    let (stream, tls) = talk.line.into_parts();
    Ok(Connected { stream, tls, reader: talk.reader })
}

/// Connects once to each, waiting no longer than it would take the server; for `--check`.
///
/// # Errors
///
/// Why it is impossible, as one line.
pub(crate) fn try_out(
    url: &BusUrl,
    prefix: &str,
    authorities: Option<&Pem>,
    key: Option<&[u8]>,
) -> Result<(), Failure> {
    let target = Target {
        prefix: prefix.to_owned(),
        // Nobody else listens there.
        node: NodeId(std::process::id().into()),
        authorities: authorities.cloned(),
        seal: Seal::new(key),
    };
    let url = url.clone();
    let (tell, told) = mpsc::channel();
    let spawned = thread::Builder::new().name("cluster".to_owned()).spawn(move || {
        // Nobody listens once it has taken too long.
        let _ = tell.send(connect(&url, &target).map(|_| ()));
    });
    spawned.map_err(|error| Failure::Dial(DialError::Socket(error.to_string())))?;
    told.recv_timeout(PATIENCE + Duration::from_secs(1)).unwrap_or(Err(Failure::Dial(DialError::Silent)))
}

/// A conversation that waits for each answer.
struct Talk<'a> {
    line: Line,
    reader: Reader,
    prefix: &'a str,
}

impl Talk<'_> {
    fn hello(&mut self, url: &BusUrl, node: NodeId) -> Result<(), Failure> {
        let name = format!("peerpigeon-{:016x}", node.0);
        let user = if url.user.is_empty() { "default" } else { &url.user };
        let mut words: Vec<&[u8]> = vec![b"HELLO", b"3"];
        if let Some(password) = &url.password {
            words.extend([&b"AUTH"[..], user.as_bytes(), password.as_bytes()]);
        }
        words.extend([&b"SETNAME"[..], name.as_bytes()]);
        let role = self.ask("HELLO", &words, |parts, kind| {
            (kind == Kind::Reply).then(|| {
                let place = parts.iter().position(|part| part == b"role");
                place.and_then(|place| parts.get(place + 1)).cloned().unwrap_or_default()
            })
        })?;
        match role.as_slice() {
            b"master" | b"" => Ok(()),
            role => Err(Failure::Role(String::from_utf8_lossy(role).chars().take(20).collect())),
        }
    }

    fn subscribe(&mut self, target: &Target) -> Result<(), Failure> {
        let (all, own) = (target.channel_of_all(), target.channel_of(target.node));
        let words: [&[u8]; 3] = [b"SUBSCRIBE", all.as_bytes(), own.as_bytes()];
        let mut confirmed = 0;
        self.ask("SUBSCRIBE", &words, |parts, kind| {
            let is_confirmed = kind == Kind::Push && parts.first().is_some_and(|part| part == b"subscribe");
            confirmed += u8::from(is_confirmed);
            (confirmed == 2).then_some(())
        })
    }

    /// Publishes something to itself and waits for it.
    fn probe(&mut self, target: &Target) -> Result<(), Failure> {
        let channel = target.channel_of(target.node);
        let mut sealed = Vec::new();
        target.seal.put(PROBE, &mut sealed);
        let words: [&[u8]; 3] = [b"PUBLISH", channel.as_bytes(), &sealed];
        let came = self.ask("PUBLISH", &words, |parts, kind| {
            (kind == Kind::Push && parts.get(2) == Some(&sealed)).then_some(())
        });
        came.map_err(|failure| match failure {
            Failure::Dial(DialError::Silent) => Failure::Deaf,
            Failure::Dial(_)
            | Failure::Refused { .. }
            | Failure::Role(_)
            | Failure::Resp(_)
            | Failure::Deaf => failure,
        })
    }

    /// Says a command, and reads until `done` has what it wants.
    fn ask<T>(
        &mut self,
        name: &'static str,
        words: &[&[u8]],
        mut done: impl FnMut(&[Vec<u8>], Kind) -> Option<T>,
    ) -> Result<T, Failure> {
        let mut out = Vec::new();
        command(&mut out, words);
        self.line.send(&out)?;
        loop {
            while let Some(reply) = self.reader.next()? {
                let parts: Vec<Vec<u8>> = reply.parts().map(<[u8]>::to_vec).collect();
                if reply.kind == Kind::Error {
                    let answer = parts.first().map(Vec::as_slice).unwrap_or_default();
                    return Err(Failure::refused(name, answer, self.prefix));
                }
                if let Some(done) = done(&parts, reply.kind) {
                    return Ok(done);
                }
            }
            self.line.receive(|plain| self.reader.take_in(plain))?;
        }
    }
}

/// What a node publishes to itself: no frame of a node is so short.
pub(super) const PROBE: &[u8] = b"?";

/// For everything until what was published comes back.
const PATIENCE: Duration = Duration::from_secs(5);
const SHOWN_CHARS: usize = 160;
