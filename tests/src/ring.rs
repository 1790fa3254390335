//! Hundreds of healthy peers that signal all the time, and how long each signal takes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::{Crowd, News, PATIENCE, Server, wait_until};

const NETWORK: &str = "ring";

/// Between the beginnings of two rounds: ten signals a second are more than any healthy peer sends for long.
const ROUND: Duration = Duration::from_millis(100);

/// Peers in a ring, on a thread of their own: ten times a second each sends the next one a signal. Each must get
/// exactly what was sent to it, in order, and nothing else. Needs `REINTRODUCE_INTERVAL=0`.
#[derive(Debug)]
pub struct Ring {
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    is_over: AtomicBool,
    lap: Mutex<Lap>,
}

/// What they saw since the last time that they were asked.
#[derive(Debug, Default)]
struct Lap {
    rounds: u32,
    latencies: Vec<Duration>,
}

/// How long signals took, from the moment that their sender wrote them to the moment that their target read them.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    /// Signals that were sent, and came.
    pub signals: usize,
    /// Half of them were faster.
    pub median: Duration,
    /// One of a hundred was slower.
    pub p99: Duration,
    /// The slowest.
    pub slowest: Duration,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Relayed<'a> {
    r#type: &'a str,
    data: u32,
    from_peer_id: &'a str,
}

/// What each member takes: one to either side.
const LINKS: u8 = 2;

impl Ring {
    /// `count` peers that have announced themselves, and signal.
    ///
    /// # Panics
    ///
    /// When one of them is not let in.
    #[must_use]
    pub fn start(server: &Server, count: usize) -> Ring {
        let mut crowd = Crowd::new();
        crowd.connect(server, count);
        (0..count).for_each(|member| crowd.announce_with(member, NETWORK, LINKS));
        for _ in 0..2 {
            crowd.settle_all(|member, news| assert!(is_introduction(&news), "{member} got {news:?}"));
        }
        // Each is linked to the next one, so that nobody lacks a link.
        for kind in ["offer", "answer"] {
            for member in 0..count {
                let next = (member + 1) % count;
                let (from, to) = if kind == "offer" { (member, next) } else { (next, member) };
                crowd.signal(from, kind, to, NETWORK, "{}");
            }
            for _ in 0..2 {
                crowd.settle_all(|_, _| {});
            }
        }
        server.wait_for_peers(count as u64);
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || signal_until_over(&mut crowd, &shared));
        Ring { state, thread: Some(thread) }
    }

    /// Waits for so many further rounds, and gives what was seen since the last call.
    ///
    /// # Panics
    ///
    /// When one of the peers noticed anything: a signal that did not come, something else that came, a close.
    pub fn lap(&mut self, rounds: u32) -> Latency {
        let before = self.lock().rounds;
        wait_until("the next rounds", || {
            if self.thread.as_ref().is_some_and(JoinHandle::is_finished) {
                self.join();
            }
            // The round that is under way may have begun earlier.
            self.lock().rounds > before + rounds
        });
        let mut lap = std::mem::take(&mut *self.lock());
        lap.latencies.sort_unstable();
        let at = |share: usize| lap.latencies[(lap.latencies.len() - 1) * share / 100];
        Latency { signals: lap.latencies.len(), median: at(50), p99: at(99), slowest: at(100) }
    }

    /// Ends it.
    ///
    /// # Panics
    ///
    /// As [`Ring::lap`].
    pub fn stop(mut self) {
        self.state.is_over.store(true, Ordering::Relaxed);
        self.join();
    }

    fn join(&mut self) {
        let thread = self.thread.take().expect("it is joined once");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Lap> {
        self.state.lap.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::Relaxed);
    }
}

impl std::fmt::Display for Latency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        let (median, p99, slowest) = (ms(self.median), ms(self.p99), ms(self.slowest));
        write!(
            f,
            "{:6} signals, median {median:7.1} ms, 99 % {p99:7.1} ms, slowest {slowest:7.1} ms",
            self.signals
        )
    }
}

fn is_introduction(news: &News) -> bool {
    matches!(news, News::Text(text) if text.starts_with(r#"{"type":"peer-discovered""#))
}

fn signal_until_over(crowd: &mut Crowd, state: &State) {
    let count = crowd.count();
    let ids: Vec<String> = (0..count).map(|member| crowd.id(member).to_owned()).collect();
    let mut next = Instant::now();
    for round in 0_u32.. {
        next = (next + ROUND).max(Instant::now());
        crowd_until(crowd, next);
        if state.is_over.load(Ordering::Relaxed) {
            return;
        }
        let mut sent = Vec::with_capacity(count);
        for member in 0..count {
            crowd.signal(member, "ice-candidate", (member + 1) % count, NETWORK, &round.to_string());
            sent.push(Instant::now());
        }
        let mut latencies = Vec::with_capacity(count);
        let deadline = Instant::now() + PATIENCE;
        while latencies.len() < count {
            assert!(Instant::now() < deadline, "{} signals of {count} are lost", count - latencies.len());
            crowd.turn(Duration::from_millis(100), |member, news| {
                if is_introduction(&news) {
                    return;
                }
                let sender = (member + count - 1) % count;
                check(&news, round, &ids[sender]);
                latencies.push(sent[sender].elapsed());
            });
        }
        let mut lap = state.lap.lock().unwrap_or_else(PoisonError::into_inner);
        lap.rounds += 1;
        lap.latencies.append(&mut latencies);
    }
}

/// Answers pings until then; nothing else may come but introductions: healthy peers lack links.
fn crowd_until(crowd: &mut Crowd, then: Instant) {
    loop {
        let left = then.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        crowd.turn(left, |member, news| {
            assert!(is_introduction(&news), "{member} got {news:?} between two rounds");
        });
    }
}

fn check(news: &News, round: u32, sender: &str) {
    let News::Text(text) = news else { panic!("a healthy peer got {news:?}") };
    match serde_json::from_str::<Relayed<'_>>(text) {
        Ok(got) if got.r#type == "ice-candidate" && got.data == round && got.from_peer_id == sender => {}
        _ => panic!("a healthy peer got {text} instead of signal {round} from {sender}"),
    }
}
