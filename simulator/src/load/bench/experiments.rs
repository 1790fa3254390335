//! What is measured of whom.

use super::servers::Contestant::{self, Limit, Node, NodeScript, Ours};
use crate::load::options::{Mode, Options};
use std::time::Duration;

/// One measurement, made of each contestant in turn.
#[derive(Clone, Debug)]
pub(super) struct Experiment {
    pub(super) name: &'static str,
    pub(super) contestants: &'static [Contestant],
    /// For all contestants but the limit, which has its own mode.
    pub(super) options: Options,
    /// How often at most: some take minutes.
    pub(super) repeat: usize,
    /// How often in each repetition: what hangs on the worst moment of a measurement needs many.
    pub(super) rounds: usize,
}

/// All of them. `sockets` is how many a process can have.
pub(super) fn all(is_quick: bool, sockets: usize) -> Vec<Experiment> {
    let crowd = if is_quick { 4_000 } else { 18_000 }.min(sockets.saturating_sub(500));
    let mut all = relays(is_quick);
    all.extend(connections(is_quick, crowd));
    all
}

fn relays(is_quick: bool) -> Vec<Experiment> {
    let every: &[Contestant] = if is_quick { &[Ours, Limit, Node] } else { &[Ours, Limit, Node, NodeScript] };
    let two: &[Contestant] = if is_quick { &[Ours, Limit] } else { every };
    let base = Options {
        duration: Duration::from_millis(if is_quick { 1_000 } else { 5_000 }),
        warm_up: Duration::from_millis(if is_quick { 300 } else { 1_000 }),
        announce: true,
        ..Options::default()
    };
    let often =
        |name, contestants, options| Experiment { name, contestants, options, repeat: usize::MAX, rounds: 1 };
    let hop = Options { rate: Some(50_000), ..base.clone() };
    vec![
        often("relay-250-w1", every, base.clone()),
        often("relay-250-w16", every, Options { window: 16, ..base.clone() }),
        often("relay-2500-w16", two, Options { window: 16, payload: 2_500, ..base.clone() }),
        often("relay-250-w1-5000", &[Ours, Limit], Options { peers: 5_000, ..base.clone() }),
        // The others tell everybody of everybody, which would take an hour among so many.
        Experiment {
            name: "relay-250-w1-5000-unannounced",
            contestants: if is_quick { &[] } else { &[Ours, Node, NodeScript] },
            options: Options { peers: 5_000, announce: false, ..base },
            repeat: 1,
            rounds: 1,
        },
        Experiment { rounds: if is_quick { 1 } else { 3 }, ..often("hop", &[Ours, Limit], hop) },
    ]
}

fn connections(is_quick: bool, crowd: usize) -> Vec<Experiment> {
    let base = Options { announce: true, ..Options::default() };
    let seconds = Duration::from_secs;
    let few = if is_quick { 1 } else { 3 };
    let memory = Options {
        mode: Mode::Idle,
        peers: crowd,
        payload: 65_536,
        burst: true,
        warm_up: Duration::ZERO,
        duration: Duration::ZERO,
        ..base.clone()
    };
    let churn = Options { mode: Mode::Churn, peers: 1_000, count: 500, ..base.clone() };
    // After a minute, so that all pings are spread; then once the interval of re-introductions.
    let idle = Options { burst: false, warm_up: seconds(60), duration: seconds(240), ..memory.clone() };
    let slow = Options { mode: Mode::Slow, peers: 10, payload: 65_536, ..base.clone() };
    let handshakes = Options {
        mode: Mode::Handshakes,
        window: 64,
        sources: 200,
        duration: seconds(if is_quick { 2 } else { 5 }),
        ..base.clone()
    };
    let one =
        |name, contestants, options, repeat| Experiment { name, contestants, options, repeat, rounds: 1 };
    let of = |quick: &'static [Contestant], full| if is_quick { quick } else { full };
    vec![
        one("start", &[Ours, Node], Options { mode: Mode::Start, ..base }, usize::MAX),
        one("memory", of(&[Ours], &[Ours, Limit]), memory.clone(), few),
        one("memory-unannounced", of(&[], &[Node]), Options { announce: false, ..memory }, 1),
        one("churn-1000", of(&[Ours], &[Ours, Node]), churn.clone(), few),
        one("churn-crowd", &[Ours], Options { peers: crowd, ..churn }, few),
        one("handshakes", &[Ours, Limit, Node], handshakes, few),
        one("slow", of(&[Ours], &[Ours, Node]), slow, 1),
        one("idle", of(&[], &[Ours]), idle, 1),
    ]
}
