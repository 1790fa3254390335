//! What the core costs, from 100 to 1,000,000 peers: per join, per leave, per relayed message, and in memory; and how
//! many inputs it takes in a second. Driven directly, without sockets: `costs [--most PEERS] [--out FILE] [--svg FILE]`.
//!
//! Times are processor time of this thread, so that what else runs on the machine counts little.
#![allow(clippy::print_stdout, reason = "a program that prints figures")]

mod picture;

use std::fs;
use std::path::PathBuf;

use allocation_counter::measure;
use lexopt::{Arg, Parser, ValueExt};
use peerpigeon_core::{ConnId, Event, Gone, Grant, Input, Limits, Output, Switchboard, Time, UnixMillis};
use peerpigeon_simulator::random::Random;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// What one size of network costs.
#[derive(Clone, Copy, Debug)]
struct Cost {
    peers: usize,
    /// Connecting and announcing; leaving.
    join_us: f64,
    leave_us: f64,
    /// One message of 250 bytes to another peer.
    relay_us: f64,
    /// A pong.
    heard_us: f64,
    join_allocations: f64,
    relay_allocations: f64,
    /// To everybody together.
    join_frames: f64,
    bytes_per_peer: f64,
    /// Of a peer's life: see [`live`].
    life_inputs_per_second: f64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut most, mut out, mut svg) = (1_000_000_usize, None, None);
    let mut parser = Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("most") => most = parser.value()?.parse()?,
            Arg::Long("out") => out = Some(PathBuf::from(parser.value()?)),
            Arg::Long("svg") => svg = Some(PathBuf::from(parser.value()?)),
            Arg::Long(_) | Arg::Short(_) | Arg::Value(_) => return Err(argument.unexpected().into()),
        }
    }
    println!(
        "{:>9} {:>9} {:>9} {:>9} {:>9} {:>8} {:>8} {:>8} {:>8} {:>12}",
        "peers",
        "join µs",
        "leave µs",
        "relay µs",
        "pong µs",
        "allocs",
        "a./relay",
        "frames",
        "bytes",
        "inputs/s"
    );
    let mut costs = Vec::new();
    for peers in [100, 1_000, 10_000, 100_000, 1_000_000].into_iter().filter(|peers| *peers <= most) {
        let cost = cost_of(peers)?;
        println!(
            "{:>9} {:>9.2} {:>9.2} {:>9.3} {:>9.3} {:>8.1} {:>8.1} {:>8.1} {:>8.0} {:>12.0}",
            cost.peers,
            cost.join_us,
            cost.leave_us,
            cost.relay_us,
            cost.heard_us,
            cost.join_allocations,
            cost.relay_allocations,
            cost.join_frames,
            cost.bytes_per_peer,
            cost.life_inputs_per_second
        );
        costs.push(cost);
    }
    if let Some(path) = out {
        fs::write(
            path,
            format!("{:#}\n", json!({ "costs": costs.iter().map(Cost::json).collect::<Vec<Value>>() })),
        )?;
    }
    if let Some(path) = svg {
        fs::write(path, picture::draw(&costs))?;
    }
    Ok(())
}

impl Cost {
    fn json(&self) -> Value {
        json!({
            "peers": self.peers,
            "cpu_us_per_join": self.join_us,
            "cpu_us_per_leave": self.leave_us,
            "cpu_us_per_relay": self.relay_us,
            "cpu_us_per_pong": self.heard_us,
            "allocations_per_join": self.join_allocations,
            "allocations_per_relay": self.relay_allocations,
            "frames_per_join": self.join_frames,
            "bytes_per_peer": self.bytes_per_peer,
            "inputs_per_second": self.life_inputs_per_second,
        })
    }
}

/// A core, and who is in it.
struct Bench {
    board: Switchboard,
    now: Time,
    /// Ids by connection.
    ids: Vec<String>,
    random: Random,
    frames: u64,
    /// Signals that reached somebody.
    relayed: u64,
    inputs: u64,
}

const ANNOUNCE: &str = r#"{"type":"announce","data":{},"maxPeers":3,"networkName":"global"}"#;

impl Bench {
    fn new(peers: usize) -> Bench {
        let connections = u32::try_from(peers + 2 * VISITORS).unwrap_or(u32::MAX);
        // Deadlines cost what they cost in their own figure.
        let limits = Limits {
            connections,
            message_rate_per_second: 0,
            byte_rate_per_second: 0,
            reintroduce_interval_ms: 0,
            ..Limits::default()
        };
        Bench {
            board: Switchboard::new(limits, UnixMillis(1_700_000_000_000), 0)
                .expect("limits that are allowed"),
            now: Time(0),
            ids: Vec::new(),
            random: Random::new(1),
            frames: 0,
            relayed: 0,
            inputs: 0,
        }
    }

    fn feed(&mut self, input: Input<'_>) {
        self.inputs += 1;
        self.board.handle(self.now, input);
        while let Some(output) = self.board.poll_output() {
            self.frames += u64::from(matches!(output, Output::Send { .. }));
            self.relayed += u64::from(matches!(output, Output::Observe(Event::Relayed { .. })));
        }
    }

    fn name_one(&mut self) -> usize {
        let (one, two, three) = (self.random.bits(), self.random.bits(), self.random.bits());
        self.ids.push(format!("{one:016x}{two:016x}{:08x}", three >> 32));
        self.ids.len() - 1
    }

    fn join(&mut self, peer: usize) {
        let target = format!("/?peerId={}", self.ids[peer]);
        let opened = Input::Opened { conn: conn(peer), target: &target, address: None, grant: &Grant::ANY };
        self.feed(opened);
        self.feed(Input::Text { conn: conn(peer), text: ANNOUNCE });
    }

    fn leave(&mut self, peer: usize) {
        self.feed(Input::Closed { conn: conn(peer), cause: Gone::Closed });
    }

    /// What was measured must have been the work that it stands for.
    fn have_relayed(&self, count: usize) -> Result<(), String> {
        let relayed = self.relayed;
        if usize::try_from(relayed) == Ok(count) {
            Ok(())
        } else {
            Err(format!("{relayed} of {count} were relayed"))
        }
    }

    /// A message of 250 bytes of data.
    fn letter(&self, kind: &str, to: usize) -> String {
        let data = format!(r#"{{"type":"{kind}","sdp":"{}"}}"#, "v".repeat(222));
        let to = &self.ids[to];
        format!(
            r#"{{"type":"{kind}","data":{data},"maxPeers":3,"networkName":"global","targetPeerId":"{to}"}}"#
        )
    }

    /// What `me` and those it links with say to each other, each with who says it.
    fn letters_of(&self, me: usize, peers: usize) -> Vec<(usize, String)> {
        let link = |friend: usize| {
            let mine = move |kind| (me, self.letter(kind, friend));
            let theirs = move |kind| (friend, self.letter(kind, me));
            let candidates = (0..CANDIDATES).map(move |number| match number % 2 {
                0 => mine("ice-candidate"),
                _ => theirs("ice-candidate"),
            });
            [mine("offer"), theirs("answer")].into_iter().chain(candidates)
        };
        (1..=LINKS).map(|step| (me * 31 + step * 977) % peers).flat_map(link).collect()
    }
}

fn conn(peer: usize) -> ConnId {
    ConnId(peer as u64)
}

fn cost_of(peers: usize) -> Result<Cost, Box<dyn std::error::Error>> {
    let mut bench = Bench::new(peers);
    let numbers: Vec<usize> = (0..peers).map(|_| bench.name_one()).collect();
    let taken = measure(|| numbers.iter().for_each(|peer| bench.join(*peer)));
    let visitors: Vec<usize> = (0..VISITORS).map(|_| bench.name_one()).collect();
    let each = |micros: f64| micros / VISITORS as f64;

    let frames = bench.frames;
    let mut join_us = 0.0;
    let allocated = measure(|| join_us = micros(|| visitors.iter().for_each(|peer| bench.join(*peer))));
    let join_frames = each((bench.frames - frames) as f64);
    let relay_us = relays(&mut bench, peers)?;
    let heard_us = micros(|| {
        for round in 0..RELAYS {
            bench.feed(Input::Heard { conn: conn(round * 7919 % peers) });
        }
    }) / RELAYS as f64;
    let leave_us = each(micros(|| visitors.iter().for_each(|peer| bench.leave(*peer))));
    Ok(Cost {
        peers,
        join_us: each(join_us),
        leave_us,
        relay_us: relay_us.0,
        heard_us,
        join_allocations: each(allocated.count_total as f64),
        relay_allocations: relay_us.1,
        join_frames,
        bytes_per_peer: taken.bytes_current as f64 / peers as f64,
        life_inputs_per_second: live(&mut bench, peers)?,
    })
}

/// Time and allocations of each.
fn relays(bench: &mut Bench, peers: usize) -> Result<(f64, f64), Box<dyn std::error::Error>> {
    // From anybody to anybody, but so few that the texts are not most of what is looked at.
    let pairs: Vec<(usize, usize)> =
        (0..2_000).map(|i| (i * 7919 % peers, (i * 104_729 + 1) % peers)).collect();
    let letters: Vec<(usize, String)> = pairs
        .iter()
        .filter(|(from, to)| from != to)
        .map(|(from, to)| (*from, bench.letter("ice-candidate", *to)))
        .collect();
    let mut relay = || {
        for round in 0..RELAYS {
            let (from, text) = &letters[round % letters.len()];
            bench.feed(Input::Text { conn: conn(*from), text });
        }
    };
    relay();
    let mut spent = 0.0;
    let allocated = measure(|| spent = micros(relay));
    bench.have_relayed(2 * RELAYS)?;
    Ok((spent / RELAYS as f64, allocated.count_total as f64 / RELAYS as f64))
}

/// Whole lives among `peers` others, one after the other: a peer comes, builds three links (for each an offer, an answer and
/// as many candidates as pages exchange), answers a ping every 25 s for ten minutes, and goes. Returns how many inputs the
/// core takes in a second of it.
fn live(bench: &mut Bench, peers: usize) -> Result<f64, Box<dyn std::error::Error>> {
    let (before, relayed) = (bench.inputs, bench.relayed);
    let mut spent = 0.0;
    for _ in 0..VISITORS / BATCH {
        // A driver hands over what it has just read: the texts of a few lives at a time stay near the processor.
        let names: Vec<usize> = (0..BATCH).map(|_| bench.name_one()).collect();
        let lives: Vec<_> = names.into_iter().map(|me| (me, bench.letters_of(me, peers))).collect();
        spent += micros(|| {
            for (me, letters) in &lives {
                bench.join(*me);
                for (from, text) in letters {
                    bench.feed(Input::Text { conn: conn(*from), text });
                }
                for _ in 0..PONGS {
                    bench.feed(Input::Heard { conn: conn(*me) });
                }
                bench.leave(*me);
            }
        });
    }
    let inputs = bench.inputs - before;
    bench.have_relayed(usize::try_from(relayed)? + VISITORS * LINKS * (2 + CANDIDATES))?;
    Ok(inputs as f64 / spent * 1e6)
}

/// Processor time of this thread that `work` takes, in microseconds.
fn micros(work: impl FnOnce()) -> f64 {
    let now = || clock_gettime(ClockId::ThreadCPUTime);
    let start = now();
    work();
    let end = now();
    (end.tv_sec - start.tv_sec) as f64 * 1e6 + (end.tv_nsec - start.tv_nsec) as f64 / 1e3
}

const VISITORS: usize = 2_000;

const RELAYS: usize = 200_000;

/// Lives whose texts are written at a time.
const BATCH: usize = 10;

/// Links that a life builds, and the candidates that its two ends exchange over each.
const LINKS: usize = 3;
const CANDIDATES: usize = 28;

/// Pings that a life answers.
const PONGS: usize = 24;
