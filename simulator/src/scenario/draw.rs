//! Drawing a scenario from a seed.
//!
//! Swarm testing: per run, each kind of step is switched off altogether with one chance in three, and each limit is
//! small in some runs. Runs that mix everything all the time reach fewer odd states than runs that lack something.

use peerpigeon_core::{DuplicatePeer, Limits, Signal};

use super::{
    Behaviour, ByteKnobs, Ending, Flaw, FrameFlaw, IdPool, Knobs, Leaving, Level, Request, Scenario, Shape,
    Step, StoreKnobs, Way,
};
use crate::random::Random;

impl Scenario {
    /// The scenario that `seed` stands for.
    #[must_use]
    pub fn draw(seed: u64, level: Level) -> Scenario {
        let mut random = Random::new(seed);
        let mut knobs = draw_knobs(&mut random);
        // Of its own part of the seed, so that everything else is drawn as if there were one way only.
        knobs.ways = Random::part(seed, WAYS_PART).pick(&WAYS).to_vec();
        draw_store(&mut knobs, level, &mut Random::part(seed, STORE_PART));
        let mut weights = swarm(&mut random);
        match level {
            Level::Messages => weights[BYTES_ONLY..].fill(0),
            Level::Bytes => knobs.bytes = draw_bytes(&mut random),
        }
        let count = random.between(20, 160);
        let mut steps = Vec::new();
        if random.chance(60) {
            steps.push(Step::EverybodyComes { over_ms: random.between(0, 5_000) });
        }
        for _ in 0..count {
            if random.chance(40) {
                steps.push(Step::Advance { ms: draw_pause(&mut random) });
            }
            if let Some(kind) = random.weighted(&weights) {
                steps.push(draw_step(kind, &knobs, &mut random));
            }
        }
        let mut rare = Random::part(seed, LATE_RETURN_PART);
        if rare.chance(20) && knobs.limits.message_ttl_ms > 0 {
            steps.extend(draw_late_return(&knobs, &mut rare));
        }
        if knobs.limits.store_timeout_ms > 0 {
            steps.extend(draw_returns(&knobs, &mut Random::part(seed, RETURNS_PART)));
        }
        let mut clock = Random::part(seed, CLOCK_PART);
        if clock.chance(25) {
            for _ in 0..clock.between(1, 4) {
                let at = clock.below(steps.len() as u64 + 1);
                steps.insert(usize::try_from(at).unwrap_or(0), draw_clock(&mut clock));
            }
        }
        Scenario { note: String::new(), level, seed, knobs, steps }
    }
}

impl Scenario {
    /// `peers` peers in one network that come, live and die, lose their network by halves, and come back: what large
    /// runs are measured with.
    #[must_use]
    pub fn crowd(seed: u64, peers: u32, level: Level) -> Scenario {
        let mut random = Random::new(seed);
        let limits = Limits {
            connections: peers.saturating_add(1),
            mailboxes: peers,
            held_connections: peers,
            mailbox_total_bytes: 1 << 30,
            ..Limits::default()
        };
        let knobs = Knobs {
            slots: peers,
            ids: IdPool::Sparse,
            networks: 1,
            behaviour: Behaviour::Lively,
            capacity: 3,
            max_peers: Some(3),
            delay_ms: (5, 80),
            slots_per_address: 0,
            bytes: ByteKnobs::default(),
            ways: vec![Way::A],
            store: StoreKnobs::default(),
            limits,
        };
        let steps = vec![
            Step::EverybodyComes { over_ms: 30_000 },
            Step::Advance { ms: 60_000 },
            Step::Churn { ms: 60_000, life_ms: random.between(200_000, 400_000) },
            Step::Blackout { every: 2 },
            Step::Advance { ms: 30_000 },
            Step::Restore,
            Step::Advance { ms: 60_000 },
        ];
        Scenario { note: format!("{peers} peers"), level, seed, knobs, steps }
    }
}

/// How often each kind is drawn where it is not switched off, in the order of [`draw_step`].
const WEIGHTS: [u32; 32] =
    [12, 8, 30, 5, 4, 3, 4, 3, 5, 6, 5, 5, 5, 4, 2, 14, 2, 1, 1, 1, 3, 1, 1, 2, 1, 4, 4, 2, 2, 5, 4, 1];

/// The first kind that only bytes can suffer.
const BYTES_ONLY: usize = 25;

/// Some runs have a store of mail. Messages are given to the switchboard then, and no requests: when a post is answered depends on
/// the store.
fn draw_store(knobs: &mut Knobs, level: Level, random: &mut Random) {
    if level == Level::Bytes || knobs.ways.contains(&Way::Http) || !random.chance(20) {
        return;
    }
    knobs.limits.store_timeout_ms = *random.pick(&[10, 1_000, 1_000]);
    let low = *random.pick(&[0, 0, 5]);
    let delay_ms = (low, low + *random.pick(&[1, 20, 900, 3_000]));
    knobs.store = StoreKnobs { delay_ms, fault_percent: *random.pick(&[0, 5, 30]) };
}

fn swarm(random: &mut Random) -> [u32; WEIGHTS.len()] {
    let mut weights = WEIGHTS;
    for weight in &mut weights[1..] {
        if random.chance(33) {
            *weight = 0;
        }
    }
    weights
}

fn draw_knobs(random: &mut Random) -> Knobs {
    let slots = match random.below(10) {
        0..=4 => random.between(2, 8),
        5..=7 => random.between(9, 24),
        8 => random.between(25, 48),
        _ => random.between(49, 90),
    };
    let ids = [IdPool::Sparse, IdPool::Sparse, IdPool::CommonPrefix, IdPool::Comb, IdPool::Few];
    let low = *random.pick(&[0, 0, 1, 20]);
    let high = low + *random.pick(&[0, 0, 5, 80, 400]);
    Knobs {
        slots: u32::try_from(slots).unwrap_or(2),
        ids: *random.pick(&ids),
        networks: *random.pick(&[1, 1, 2, 3, 5]),
        behaviour: if random.chance(50) { Behaviour::Lively } else { Behaviour::Quiet },
        capacity: *random.pick(&[1, 3, 3, 10]),
        max_peers: *random.pick(&[None, Some(1), Some(3), Some(10), Some(50), Some(255)]),
        delay_ms: (low, high),
        slots_per_address: *random.pick(&[0, 0, 0, 1, 4]),
        bytes: ByteKnobs::default(),
        ways: vec![Way::A],
        store: StoreKnobs::default(),
        limits: draw_limits(random),
    }
}

fn draw_limits(random: &mut Random) -> Limits {
    let usual = Limits::default();
    let mut small = || random.chance(25);
    let (connections, address, held, duplicates) = (small(), small(), small(), small());
    let (introductions, again, sizes) = (small(), small(), small());
    let (liveness, rate, mail, total) = (small(), small(), small(), small());
    let mut between =
        |low: u32, high: u32| u32::try_from(random.between(low.into(), high.into())).unwrap_or(low);
    Limits {
        connections: if connections { between(1, 20) } else { usual.connections },
        connections_per_address: if address { between(1, 3) } else { usual.connections_per_address },
        held_connections: if held { between(0, 3) } else { usual.held_connections },
        held_messages: if held { between(0, 3) } else { usual.held_messages },
        held_bytes: if held { between(0, 500) } else { usual.held_bytes },
        duplicate_peer: match (duplicates, between(0, 1)) {
            (true, 0) => DuplicatePeer::Reject,
            (true, _) => DuplicatePeer::Replace,
            (false, _) => DuplicatePeer::Challenge,
        },
        introductions: if introductions {
            u8::try_from(between(1, 8)).unwrap_or(1)
        } else {
            usual.introductions
        },
        reintroduce_interval_ms: if again { [0, 5_000, 60_000][between(0, 2) as usize] } else { 240_000 },
        announced_data_bytes: if sizes { between(80, 200) } else { usual.announced_data_bytes },
        network_name_bytes: if sizes { between(6, 20) } else { usual.network_name_bytes },
        ping_interval_ms: if liveness { [0, 1_000, 5_000][between(0, 2) as usize] } else { 25_000 },
        pong_timeout_ms: if liveness { 1_500 } else { usual.pong_timeout_ms },
        peer_timeout_ms: if liveness { [0, 30_000, 300_000][between(0, 2) as usize] } else { 300_000 },
        message_rate_per_second: if rate { between(1, 10) } else { usual.message_rate_per_second },
        message_burst: if rate { between(5, 40) } else { usual.message_burst },
        message_ttl_ms: if mail { [0, 500, 10_000][between(0, 2) as usize] } else { usual.message_ttl_ms },
        mailbox_messages: if mail { between(0, 3) } else { usual.mailbox_messages },
        mailbox_bytes: if mail { between(0, 1_000) } else { usual.mailbox_bytes },
        mailbox_total_bytes: if total { between(0, 3_000).into() } else { usual.mailbox_total_bytes },
        mailboxes: if total { between(0, 4) } else { usual.mailboxes },
        cleanup_interval_ms: if total { between(1, 5_000).into() } else { usual.cleanup_interval_ms },
        ..usual
    }
}

fn draw_bytes(random: &mut Random) -> ByteKnobs {
    let usual = ByteKnobs::default();
    let mut pick = |choices: [usize; 4]| *random.pick(&choices);
    let send_buffer = pick([500, 3_000, usual.send_buffer, usual.send_buffer]);
    let max_message_bytes = pick([4_096, 80_000, usual.max_message_bytes, usual.max_message_bytes]);
    let max_queue_bytes = pick([1_000, 20_000, usual.max_queue_bytes, usual.max_queue_bytes]);
    let budget = usual.memory_budget_bytes;
    let memory_budget_bytes = pick([300_000, budget, budget, budget]);
    ByteKnobs {
        chop_percent: *random.pick(&[0, 5, 30, 60]),
        pause_ms: *random.pick(&[0, 5, 200]),
        oddity_percent: *random.pick(&[0, 5, 30]),
        send_buffer,
        max_message_bytes,
        max_queue_bytes,
        memory_budget_bytes,
    }
}

/// Mostly moments, sometimes long enough for each of the server's deadlines.
fn draw_pause(random: &mut Random) -> u64 {
    match random.below(20) {
        0..=8 => random.between(0, 20),
        9..=13 => random.between(20, 1_000),
        14..=17 => random.between(1_000, 10_000),
        18 => random.between(10_000, 60_000),
        _ => random.between(60_000, 320_000),
    }
}

fn draw_step(kind: usize, knobs: &Knobs, random: &mut Random) -> Step {
    let slot = draw_slot(knobs, random);
    match kind {
        0 => Step::Connect { slot },
        1 => Step::Announce { slot, network: draw_network(knobs, random), max_peers: draw_max_peers(random) },
        2 => draw_signal(slot, knobs, random),
        3 => Step::Goodbye { slot },
        4 => Step::Unload { slot },
        5 => Step::Ping { slot },
        6 => Step::Cleanup { slot, other: draw_slot(knobs, random) },
        7 => Step::CleanupAll { slot },
        8 => Step::Vanish { slot },
        9 => Step::Close { slot, how: *random.pick(&ENDINGS) },
        10 => Step::Freeze { slot },
        11 => Step::Thaw { slot },
        12 => Step::Duplicate { slot },
        13 => Step::Bury { slot },
        14 => Step::Choke { slot },
        15 => Step::Malformed { slot, what: *random.pick(&FLAWS) },
        16 => Step::Stray { slot, target: (*random.pick(&STRAYS)).to_owned() },
        17 => Step::Flood { slot, count: if random.chance(10) { 2_500 } else { 60 } },
        18 => Step::Blackout { every: u32::try_from(random.between(1, 4)).unwrap_or(1) },
        19 => Step::Restore,
        20 => Step::LateTick { ms: draw_pause(random).min(200_000) },
        21 => Step::Drain { ms: random.between(0, 8_000) },
        22 => Step::Restart,
        23 => {
            Step::EverybodyLeaves { how: *random.pick(&[Leaving::Unload, Leaving::Vanish, Leaving::Reset]) }
        }
        24 => Step::Churn { ms: random.between(1_000, 60_000), life_ms: random.between(1_000, 30_000) },
        25 => Step::Stall { slot, ms: random.between(1, 30_000) },
        26 => Step::Cut { slot },
        27 => Step::HalfOpen { slot, upward: random.chance(50) },
        28 => Step::Slow { slot, bytes_per_second: random.between(10, 5_000) },
        29 => Step::Frame { slot, what: *random.pick(&FRAME_FLAWS) },
        30 => Step::Http { slot, what: *random.pick(&REQUESTS) },
        _ => Step::NoDescriptors { ms: random.between(1, 5_000) },
    }
}

/// Somebody is lost, written to a few times, and back between the end of the mail's time and the next sweep: step by step
/// that is hardly ever drawn.
fn draw_late_return(knobs: &Knobs, random: &mut Random) -> Vec<Step> {
    let lost = draw_slot(knobs, random);
    let (from, network) = (lost + 1, draw_network(knobs, random));
    let Limits { message_ttl_ms, cleanup_interval_ms, .. } = knobs.limits;
    let mut steps = vec![
        Step::Restore,
        Step::Thaw { slot: lost },
        Step::Thaw { slot: from },
        Step::Connect { slot: lost },
        Step::Connect { slot: from },
        Step::Announce { slot: lost, network, max_peers: None },
        Step::Announce { slot: from, network, max_peers: None },
        Step::Advance { ms: 2_000 },
        Step::Vanish { slot: lost },
        Step::Bury { slot: lost },
        // Later than the loss, so that it outlives the sweep that ends a mailbox in which nothing came.
        Step::Advance { ms: (message_ttl_ms / 2).min(500) },
    ];
    for _ in 0..random.between(1, 5) {
        let size = u32::try_from(random.below(300)).unwrap_or(0);
        steps.push(Step::Signal { from, to: lost, kind: Signal::Answer, data: Shape::Plain, size });
    }
    let late_ms = random.below(cleanup_interval_ms.min(message_ttl_ms));
    steps.extend([
        Step::Advance { ms: message_ttl_ms + late_ms },
        Step::Connect { slot: lost },
        Step::Advance { ms: 2_000 },
    ]);
    steps
}

/// Somebody drops out and comes back again and again, and is written to all the time: mail on its way to a store and from it.
fn draw_returns(knobs: &Knobs, random: &mut Random) -> Vec<Step> {
    let lost = draw_slot(knobs, random);
    let (from, network) = (lost + 1, draw_network(knobs, random));
    let mut steps = vec![Step::Restore, Step::Thaw { slot: lost }, Step::Thaw { slot: from }];
    for slot in [lost, from] {
        steps.extend([Step::Connect { slot }, Step::Announce { slot, network, max_peers: None }]);
    }
    for _ in 0..random.between(5, 25) {
        let pause =
            |random: &mut Random| Step::Advance { ms: *random.pick(&[0, 0, 1, 20, 500, 3_000, 25_000]) };
        let write = |random: &mut Random, steps: &mut Vec<Step>| {
            for _ in 0..random.between(0, 3) {
                // Each says something else, so that it shows which one comes.
                let size = u32::try_from(random.below(400)).unwrap_or(0);
                steps.push(Step::Signal {
                    from,
                    to: lost,
                    kind: Signal::IceCandidate,
                    data: Shape::Plain,
                    size,
                });
            }
        };
        write(random, &mut steps);
        steps.extend([pause(random), Step::Vanish { slot: lost }, Step::Bury { slot: lost }]);
        write(random, &mut steps);
        steps.push(pause(random));
        write(random, &mut steps);
        steps.extend([pause(random), Step::Connect { slot: lost }, Step::Advance { ms: random.below(900) }]);
        write(random, &mut steps);
        steps.push(pause(random));
    }
    steps
}

/// A correction, a machine that has slept for a while, or one that learns the date only after its start.
fn draw_clock(random: &mut Random) -> Step {
    let by_ms =
        i64::try_from(random.between(500, *random.clone().pick(&[5_000, 3_600_000, 1 << 40]))).unwrap_or(0);
    Step::SetClock { by_ms: if random.chance(50) { by_ms } else { -by_ms } }
}

fn draw_slot(knobs: &Knobs, random: &mut Random) -> u32 {
    u32::try_from(random.below(knobs.slots.into())).unwrap_or(0)
}

fn draw_network(knobs: &Knobs, random: &mut Random) -> u8 {
    u8::try_from(random.below(knobs.networks.into())).unwrap_or(0)
}

fn draw_max_peers(random: &mut Random) -> Option<u8> {
    *random.pick(&[None, Some(0), Some(2), Some(3), Some(20), Some(50), Some(255)])
}

fn draw_signal(from: u32, knobs: &Knobs, random: &mut Random) -> Step {
    let kind = if random.chance(30) { Signal::Offer } else { *random.pick(&Signal::ALL) };
    let size = match random.below(20) {
        0 => 5_000,
        1 => 70_000,
        _ => u32::try_from(random.between(0, 300)).unwrap_or(0),
    };
    Step::Signal { from, to: draw_slot(knobs, random), kind, data: *random.pick(&SHAPES), size }
}

const WAYS_PART: u64 = 1 << 43;
const LATE_RETURN_PART: u64 = 1 << 44;
const CLOCK_PART: u64 = 1 << 45;
const STORE_PART: u64 = 1 << 46;
const RETURNS_PART: u64 = 1 << 48;

/// The ways that occur together in a run; of a way that comes twice there are more.
const WAYS: [&[Way]; 10] = [
    &[Way::A],
    &[Way::A],
    &[Way::A, Way::B],
    &[Way::B],
    &[Way::A, Way::A, Way::Http],
    &[Way::B, Way::Http],
    &[Way::Http],
    &[Way::A, Way::B, Way::Http],
    &[Way::A, Way::B, Way::Http],
    &[Way::A, Way::A, Way::B, Way::Http],
];

const ENDINGS: [Ending; 4] = [Ending::Closed, Ending::Reset, Ending::ProtocolError, Ending::TooBig];

const SHAPES: [Shape; 7] =
    [Shape::Plain, Shape::None, Shape::Escapes, Shape::Numbers, Shape::Blanks, Shape::Keys, Shape::Deep];

/// Targets that name no peer, and some that do so in odd ways.
const STRAYS: [&str; 14] = [
    "/",
    "/ws",
    "/?peerId=",
    "/?peerId=abc",
    "/?peerId",
    "/?PeerId=0123456789abcdef0123456789abcdef01234567",
    "/?peerId=%zz23456789abcdef0123456789abcdef01234567",
    "/?peerId=0123456789abcdef0123456789abcdef0123456g",
    "/?peerId=0123456789abcdef0123456789abcdef012345678",
    "//?peerId=x&peerId=0123456789abcdef0123456789abcdef01234567",
    "/any/prefix?token=a%20b&peerId=0123456789abcdef0123456789abcdef01234567",
    "/?peerId=%30123456789ABCDEF0123456789abcdef01234567&peerId=x",
    "/?&&=&peerId=0123456789abcdef0123456789abcdef01234567",
    "/?peerId=0123456789abcdef0123456789abcdef0123456%C3%A4",
];

const FRAME_FLAWS: [FrameFlaw; 14] = [
    FrameFlaw::Unmasked,
    FrameFlaw::ReservedBit,
    FrameFlaw::UnknownOpcode,
    FrameFlaw::FragmentedPing,
    FrameFlaw::LongPing,
    FrameFlaw::LengthNotMinimal,
    FrameFlaw::NothingToContinue,
    FrameFlaw::MessageInMessage,
    FrameFlaw::NotUtf8,
    FrameFlaw::ShortClose,
    FrameFlaw::ReservedCloseCode,
    FrameFlaw::Binary,
    FrameFlaw::ManyPings,
    FrameFlaw::EmptyFragments,
];

const REQUESTS: [Request; 11] = [
    Request::Nothing,
    Request::HalfHead,
    Request::Health,
    Request::Pipelined,
    Request::Rubbish,
    Request::DoubleSlash,
    Request::LongHead,
    Request::BodyWithoutEnd,
    Request::WrongVersion,
    Request::NoKey,
    Request::FrameBeforeUpgrade,
];

const FLAWS: [Flaw; 35] = [
    Flaw::Empty,
    Flaw::NotJson,
    Flaw::Truncated,
    Flaw::TrailingText,
    Flaw::NotObject,
    Flaw::NoType,
    Flaw::TypeNotText,
    Flaw::UnknownType,
    Flaw::ServerType,
    Flaw::NoTarget,
    Flaw::NullTarget,
    Flaw::TargetNotText,
    Flaw::ShortTarget,
    Flaw::NotHexTarget,
    Flaw::SelfTarget,
    Flaw::NetworkNotText,
    Flaw::NullNetwork,
    Flaw::EmptyNetwork,
    Flaw::LongNetwork,
    Flaw::OtherNetwork,
    Flaw::EscapedNetwork,
    Flaw::MaxPeersText,
    Flaw::MaxPeersHuge,
    Flaw::MaxPeersNegative,
    Flaw::MaxPeersFraction,
    Flaw::DataTooLong,
    Flaw::DataNotObject,
    Flaw::DataOtherPeer,
    Flaw::NoData,
    Flaw::ForgedSender,
    Flaw::DuplicateKeys,
    Flaw::DeepNesting,
    Flaw::UpperCaseTarget,
    Flaw::UnknownTarget,
    Flaw::LoneSurrogate,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_scenario_and_another_one_another() {
        let draw = |seed| Scenario::draw(seed, Level::Bytes);
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7).steps, draw(8).steps);
    }

    #[test]
    fn every_kind_of_step_is_drawn_somewhere_and_missing_somewhere_else() {
        let kinds = |seed: u64| -> std::collections::BTreeSet<String> {
            let name = |step: &Step| format!("{step:?}").split_whitespace().next().unwrap().to_owned();
            Scenario::draw(seed, Level::Bytes).steps.iter().map(name).collect()
        };
        let runs: Vec<_> = (0..300).map(kinds).collect();
        let all: std::collections::BTreeSet<&String> = runs.iter().flatten().collect();
        assert_eq!(all.len(), WEIGHTS.len() + 3, "{all:?}");
        for kind in all.into_iter().filter(|kind| !["Connect", "Advance"].contains(&kind.as_str())) {
            assert!(runs.iter().any(|run| !run.contains(kind)), "{kind} is in every run");
        }
    }
}
