//! The other peers, who must notice nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::{Peer, Server, id};

/// Ids of healthy peers begin with this number of [`id::number`], to keep clear of those in tests.
const FIRST: usize = 1_000_000;

/// Peers in a ring, on a thread of their own: again and again, as fast as they can, each sends the next one a signal
/// and each must get exactly what was sent to it, and nothing else. Needs `MESSAGE_RATE=0`.
#[derive(Debug)]
pub struct Healthy {
    stop: Arc<AtomicBool>,
    ring: Option<JoinHandle<Report>>,
}

/// What they saw.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Signals that were sent, and came.
    pub signals: u64,
    /// The longest that one round of all of them took.
    pub slowest_round: Duration,
}

impl Healthy {
    /// `count` peers that have announced themselves in a network of their own.
    ///
    /// # Panics
    ///
    /// When one of them is not let in, or they are not introduced to each other.
    #[must_use]
    pub fn start(server: &Server, count: usize) -> Healthy {
        let mut peers: Vec<Peer> =
            (FIRST..FIRST + count).map(|n| Peer::announced(server, &id::number(n), "ring")).collect();
        for peer in &mut peers {
            peer.settle();
        }
        for peer in &mut peers {
            // What the announcement of the later ones brought.
            peer.settle();
        }
        let stop = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&stop);
        let ring = std::thread::spawn(move || signal_until(&mut peers, &is_over));
        Healthy { stop, ring: Some(ring) }
    }

    /// Ends it.
    ///
    /// # Panics
    ///
    /// When one of the peers noticed anything: a signal that did not come, something else that came, a close.
    pub fn stop(mut self) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        let ring = self.ring.take().expect("only here");
        match ring.join() {
            Ok(report) => {
                assert!(report.signals > 0, "they had no time to signal");
                report
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Healthy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn signal_until(peers: &mut [Peer], is_over: &AtomicBool) -> Report {
    let ids: Vec<String> = peers.iter().map(|peer| peer.id().to_owned()).collect();
    let mut report = Report { signals: 0, slowest_round: Duration::ZERO };
    for round in 0_u64.. {
        let start = Instant::now();
        for (i, peer) in peers.iter_mut().enumerate() {
            peer.signal(
                "ice-candidate",
                &ids[(i + 1) % ids.len()],
                "ring",
                &format!(r#"{{"round":{round}}}"#),
            );
        }
        for (i, peer) in peers.iter_mut().enumerate() {
            let got = peer.expect("ice-candidate");
            assert_eq!(got["data"]["round"], round, "{got}");
            assert_eq!(got["fromPeerId"], ids[(i + ids.len() - 1) % ids.len()], "{got}");
            report.signals += 1;
        }
        report.slowest_round = report.slowest_round.max(start.elapsed());
        if is_over.load(Ordering::Relaxed) {
            break;
        }
    }
    report
}
