//! The world around the server: pages, sockets and delays in virtual time.

mod calm;
mod data;
mod due;
mod flaws;
mod ids;
mod requests;
mod sockets;
mod steps;
mod ways;
mod witness;

use std::collections::{BTreeMap, VecDeque};

use peerpigeon_core::{AddressKey, Census, ConnId, Limits, PeerId, Spelling, Time};

use crate::client;
use crate::gauges;
use crate::host::{self, Downward, Host, Upward};
use crate::page::{Page, Want};
use crate::queue::Queue;
use crate::random::Random;
use crate::record::Record;
use crate::scenario::{Behaviour, Scenario, Way};
use crate::transcript::Transcript;
use crate::watch::Breach;
use due::Due;
use witness::Witness;

/// One run of a scenario.
pub(crate) struct World<'a> {
    scenario: &'a Scenario,
    now: Time,
    queue: Queue<Due>,
    host: Box<dyn Host>,
    witness: Witness,
    pub(crate) record: Record,
    slots: Vec<Slot>,
    /// Slots by id: those of one id share a page's links.
    slots_by_peer: BTreeMap<PeerId, Vec<usize>>,
    sockets: BTreeMap<ConnId, Socket>,
    /// HTTP requests that have not been answered.
    requests: BTreeMap<ConnId, Request>,
    last_conn: u64,
    /// Until then nobody looks at the sockets and the clock of the server.
    asleep: Option<Time>,
    /// Pages come and go by themselves until then, with this mean life time.
    churn: Option<(Time, u64)>,
    serial: u64,
    /// Of servers that are gone.
    transcript: Transcript,
    pub(crate) peak: Census,
    inputs: u64,
}

/// A virtual peer: its page is open or not.
struct Slot {
    me: Spelling,
    /// How it speaks to the server.
    way: Way,
    /// What it is to post next.
    outbox: Vec<String>,
    /// When it posted an `announce` last: a peer without a connection does not notice that it is forgotten.
    announced: Time,
    page: Option<Page>,
    /// The socket of the page.
    conn: Option<ConnId>,
    /// Sockets that the page has lost and the server still believes in.
    ghosts: Vec<ConnId>,
    frozen: bool,
    /// It stays away for good.
    barred: bool,
    /// What came while it was frozen.
    inbox: VecDeque<(ConnId, Downward)>,
    offline: bool,
    delay: u64,
    random: Random,
    /// Number of the network that it announces itself in.
    network: u8,
    max_peers: Option<u8>,
    /// When it wants to be woken.
    wake: Option<Time>,
}

/// One HTTP request, seen from outside.
struct Request {
    /// The socket that stands for the visit of its page.
    session: ConnId,
    poll: bool,
}

/// One connection, seen from outside. The visit of a page that speaks HTTP looks like one, too; the server does not
/// know it.
struct Socket {
    slot: usize,
    way: Way,
    /// The attempt of the client that it belongs to; `None` for strays and ghosts.
    attempt: Option<u64>,
    /// Nothing that the peer sends or is sent passes any more.
    dead: bool,
    /// The server has been told that it is over, or has closed it.
    over: bool,
}

impl<'a> World<'a> {
    pub(crate) fn new(scenario: &'a Scenario, record: Record) -> World<'a> {
        let knobs = &scenario.knobs;
        let ids = ids::ids(scenario.seed, knobs);
        let mut slots_by_peer: BTreeMap<PeerId, Vec<usize>> = BTreeMap::new();
        for (slot, me) in ids.iter().enumerate() {
            slots_by_peer.entry(*me.id()).or_default().push(slot);
        }
        let slots = ids.into_iter().zip(0..).map(|(me, slot)| {
            let mut random = Random::part(scenario.seed, slot);
            Slot {
                me,
                way: *Random::part(scenario.seed, (1 << 42) + slot).pick(&knobs.ways),
                outbox: Vec::new(),
                announced: Time(0),
                page: None,
                conn: None,
                ghosts: Vec::new(),
                frozen: false,
                barred: false,
                inbox: VecDeque::new(),
                offline: false,
                delay: random.between(knobs.delay_ms.0, knobs.delay_ms.1),
                network: u8::try_from(random.below(knobs.networks.into())).unwrap_or(0),
                max_peers: knobs.max_peers,
                random,
                wake: None,
            }
        });
        World {
            scenario,
            now: Time(0),
            queue: Queue::default(),
            host: host::start(scenario.level, knobs, scenario.seed),
            witness: Witness::new(knobs.limits.clone()),
            record,
            slots: slots.collect(),
            slots_by_peer,
            sockets: BTreeMap::new(),
            requests: BTreeMap::new(),
            last_conn: 0,
            asleep: None,
            churn: None,
            serial: 0,
            transcript: Transcript::EMPTY,
            peak: Census::default(),
            inputs: 0,
        }
    }

    /// Does step number `index`.
    pub(crate) fn step(&mut self, index: usize) -> Result<(), Breach> {
        let step = &self.scenario.steps[index];
        self.record.step(self.now, index, || format!("{step:?}"));
        self.apply(step)?;
        self.run_until(self.now)
    }

    /// Virtual time.
    pub(crate) fn now(&self) -> Time {
        self.now
    }

    /// What the server holds.
    pub(crate) fn census(&self) -> Census {
        self.host.census()
    }

    /// The transcript of all servers of the run.
    pub(crate) fn transcript(&self) -> Transcript {
        let mut whole = self.transcript;
        whole.number(self.host.transcript().value());
        whole
    }

    /// Inputs that all servers of the run were given.
    pub(crate) fn inputs(&self) -> u64 {
        self.inputs + self.host.inputs()
    }

    /// Lets time pass: everything that is due happens at its moment.
    fn run_until(&mut self, end: Time) -> Result<(), Breach> {
        loop {
            let awake = self.asleep.is_none_or(|until| until <= self.now);
            let server = if awake { self.host.deadline() } else { self.asleep };
            let next = server.into_iter().chain(self.queue.next()).min().filter(|next| *next <= end);
            let Some(next) = next else { break };
            self.now = self.now.max(next);
            if self.asleep.is_some_and(|until| until <= self.now) {
                self.asleep = None;
            }
            if self.asleep.is_none() && self.host.deadline().is_some_and(|deadline| deadline <= self.now) {
                self.host.tick(self.now, &mut self.record)?;
                self.went_out();
            }
            while let Some(due) = self.queue.take(self.now) {
                self.happen(due)?;
            }
        }
        self.now = self.now.max(end);
        Ok(())
    }

    fn happen(&mut self, due: Due) -> Result<(), Breach> {
        if let (Some(until), Due::Post(_) | Due::Poll(_)) = (self.asleep, &due) {
            // Nobody looks at the request before.
            self.queue.put(until, due);
            return Ok(());
        }
        match due {
            Due::Up(conn, upward) => self.up(conn, upward)?,
            Due::Down(conn, downward) => self.down(conn, downward)?,
            Due::Post(session) => self.post_all(session)?,
            Due::Poll(session) => self.poll(session)?,
            Due::Failed(slot, attempt) => self.page(slot, client::Input::Failed { attempt }),
            Due::Wake(slot) => {
                let due = self.slots[slot].wake.take_if(|wake| *wake <= self.now).is_some();
                if due {
                    self.page(slot, client::Input::Tick);
                }
            }
            Due::Come(slot) => self.come(slot),
            Due::Churn(slot) => self.churn_slot(slot)?,
            Due::LinkLost(slot, peer) => {
                let now = self.now;
                let wants = self.slots[slot].page.as_mut().map(|page| page.link_lost(now, peer));
                self.want(slot, wants.unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Something reaches the server.
    fn server(&mut self, conn: ConnId, upward: Upward) -> Result<(), Breach> {
        self.host.up(self.now, conn, upward, &mut self.record)?;
        self.went_out();
        Ok(())
    }

    /// What the server sends sets out.
    fn went_out(&mut self) {
        for (conn, downward) in self.host.take_outgoing() {
            let (conn, downward) = match self.requests.remove(&conn) {
                Some(request) => (request.session, request.answered(downward)),
                None => (conn, downward),
            };
            let Some(socket) = self.sockets.get_mut(&conn) else { continue };
            socket.over |= matches!(downward, Downward::Close { .. } | Downward::Lost);
            if !socket.dead {
                let delay = self.slots[socket.slot].delay;
                self.queue.put(self.now + delay, Due::Down(conn, downward));
            } else if socket.over {
                self.sockets.remove(&conn);
            }
        }
        let census = self.host.census();
        self.peak = gauges::peak(&self.peak, &census);
        self.record.gauges(self.now, census);
    }

    /// Gives the page of a slot one input, and does what it wants.
    fn page(&mut self, slot: usize, input: client::Input<'_>) {
        let now = self.now;
        let wants = self.slots[slot].page.as_mut().map(|page| page.handle(now, input));
        self.want(slot, wants.unwrap_or_default());
    }

    fn want(&mut self, slot: usize, wants: Vec<Want>) {
        for want in wants {
            match want {
                Want::Dial { attempt, target } => self.dial(slot, attempt, &target),
                Want::Send { attempt, text } => {
                    let conn = self.slots[slot].conn;
                    if conn.and_then(|conn| self.owner(conn)) == Some((slot, attempt)) {
                        self.send(slot, text);
                    }
                }
                Want::HangUp => self.hang_up(slot),
            }
        }
        let wake = self.slots[slot].page.as_ref().and_then(Page::timeout);
        if wake.is_some() && wake != self.slots[slot].wake {
            self.queue.put(wake.unwrap_or(self.now), Due::Wake(slot));
        }
        self.slots[slot].wake = wake;
    }

    /// Opens the page of a slot.
    fn come(&mut self, slot: usize) {
        if self.slots[slot].page.is_some() || self.slots[slot].barred {
            return;
        }
        let knobs = &self.scenario.knobs;
        let lively = knobs.behaviour == Behaviour::Lively;
        let it = &mut self.slots[slot];
        let (seed, capacity) = (it.random.bits(), knobs.capacity);
        it.page = Some(Page::new(it.me, seed, capacity, lively));
        (it.frozen, it.wake) = (false, None);
        it.inbox.clear();
        it.outbox.clear();
        self.announce(slot);
        self.page(slot, client::Input::Start);
    }

    fn announce(&mut self, slot: usize) {
        let it = &self.slots[slot];
        let max_peers = match it.way {
            Way::A => it.max_peers,
            // Dialect B refuses what dialect A clamps.
            Way::B | Way::Http => it.max_peers.map(|k| k.clamp(1, Limits::MAX_PEERS)),
        };
        let network = ids::network_name(it.network);
        let data = format!(r#"{{"peerId":"{}","slot":{slot}}}"#, it.me);
        self.page(slot, client::Input::Announce { network: &network, max_peers, data: &data });
    }

    fn address(&self, slot: usize) -> Option<AddressKey> {
        let share = u64::from(self.scenario.knobs.slots_per_address);
        (share > 0).then(|| AddressKey(u64::try_from(slot).unwrap_or(0) / share))
    }
}

impl Request {
    /// What the page makes of what came of its request: the loss of its connection is an answer, too.
    fn answered(&self, downward: Downward) -> Downward {
        let lost = matches!(downward, Downward::Lost);
        if lost { Downward::Reply { poll: self.poll, status: 0, text: String::new() } } else { downward }
    }
}
