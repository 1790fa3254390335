//! Connections of which their proxy has not told yet whose they are.

use crate::access::AddressList;
use crate::net::proxy_protocol::{self, ConnectionSource, Malformed, Progress};
use crate::net::stream::Stream;
use mio::event::Source as _;
use mio::{Interest, Registry, Token};
use peerpigeon_core::Time;
use slab::Slab;
use std::collections::{BTreeSet, VecDeque};
use std::io::{self, ErrorKind, Read as _};
use std::net::SocketAddr;

/// Waits for the headers of the PROXY protocol: the loop sees a connection when its header is whole, under the
/// address that the header tells.
#[derive(Debug)]
pub(super) struct Arrivals {
    trusted: AddressList,
    timeout_ms: u64,
    waiting: Slab<Arrival>,
    by_deadline: BTreeSet<(Time, usize)>,
    told: VecDeque<AcceptedStream>,
}

/// A connection and its other end.
pub(super) type AcceptedStream = (Stream, Option<SocketAddr>);

#[derive(Debug)]
struct Arrival {
    stream: Stream,
    /// Of the proxy.
    remote: Option<SocketAddr>,
    deadline: Time,
    /// Of the header, and never more than that.
    bytes: Vec<u8>,
}

impl Arrivals {
    pub(crate) fn new(trusted: AddressList, timeout_ms: u64) -> Arrivals {
        Arrivals {
            trusted,
            timeout_ms,
            waiting: Slab::new(),
            by_deadline: BTreeSet::new(),
            told: VecDeque::new(),
        }
    }

    /// Whether somebody with this address speaks the protocol; a Unix socket is nobody's but the proxy's.
    pub(super) fn are_from(&self, remote: Option<SocketAddr>) -> bool {
        remote.is_none_or(|remote| self.trusted.contains(remote.ip()))
    }

    /// Takes in a connection of a proxy; gives it back at once if its header is there already.
    pub(super) fn insert(
        &mut self,
        (stream, remote): AcceptedStream,
        now: Time,
        registry: &Registry,
    ) -> io::Result<Option<AcceptedStream>> {
        let mut arrival = Arrival { stream, remote, deadline: now + self.timeout_ms, bytes: Vec::new() };
        if let Some(origin) = arrival.read_header()? {
            return Ok(Some(arrival.accepted_from(origin)));
        }
        if self.waiting.len() + self.told.len() >= MAX_ARRIVALS {
            self.drop_oldest();
        }
        let entry = self.waiting.vacant_entry();
        let interest = Interest::READABLE;
        arrival.stream.register(registry, Token(FIRST_TOKEN + entry.key()), interest)?;
        self.by_deadline.insert((arrival.deadline, entry.key()));
        entry.insert(arrival);
        Ok(None)
    }

    /// Whether an event is about one of these; then that one is looked at.
    pub(super) fn note_event(&mut self, Token(token): Token, registry: &Registry) -> bool {
        let Some(slot) = token.checked_sub(FIRST_TOKEN).filter(|slot| *slot < MAX_ARRIVALS) else {
            return false;
        };
        let Some(arrival) = self.waiting.get_mut(slot) else { return true };
        let result = arrival.read_header();
        if let Ok(None) = result {
            return true;
        }
        self.by_deadline.remove(&(arrival.deadline, slot));
        let mut arrival = self.waiting.remove(slot);
        match result {
            // The loop registers it anew, and is told then what there is to be read.
            Ok(Some(origin)) if arrival.stream.deregister(registry).is_ok() => {
                self.told.push_back(arrival.accepted_from(origin));
            }
            Ok(_) => {}
            Err(error) => log::debug!("ended before its PROXY header was whole: {error}"),
        }
        true
    }

    /// The next whose header is whole.
    pub(super) fn pop(&mut self) -> Option<AcceptedStream> {
        self.told.pop_front()
    }

    /// Whether there is one.
    pub(super) fn has_accepted(&self) -> bool {
        !self.told.is_empty()
    }

    /// When [`Arrivals::expire`] has something to do.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.by_deadline.first().map(|(deadline, _)| *deadline)
    }

    /// Ends those whose time is up.
    pub(super) fn expire(&mut self, now: Time) {
        while self.deadline().is_some_and(|deadline| deadline <= now) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, slot)) = self.by_deadline.pop_first() {
            self.waiting.remove(slot);
        }
    }
}

impl Arrival {
    /// What the header says, once it is whole. Reads not one byte that is the client's.
    fn read_header(&mut self) -> io::Result<Option<ConnectionSource>> {
        loop {
            let needed = match proxy_protocol::parse(&self.bytes) {
                Ok(Progress::Whole(origin)) => return Ok(Some(origin)),
                Ok(Progress::Needs(needed)) => needed,
                Err(Malformed) => return Err(io::Error::new(ErrorKind::InvalidData, "no PROXY header")),
            };
            let have = self.bytes.len();
            self.bytes.resize(have + needed, 0);
            let result = self.stream.read(&mut self.bytes[have..]);
            self.bytes.truncate(have + result.as_ref().map_or(0, |read| *read));
            match result {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn accepted_from(self, origin: ConnectionSource) -> AcceptedStream {
        match origin {
            ConnectionSource::Client(address) => (self.stream, Some(address)),
            ConnectionSource::Proxy => (self.stream, self.remote),
        }
    }
}

/// One more ends the one that has waited for longest.
const MAX_ARRIVALS: usize = 1_024;

/// Above every key of a connection, below everything else.
const FIRST_TOKEN: usize = usize::MAX / 4;
