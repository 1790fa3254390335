//! What the measurements are condensed to, and what is aimed at.

use super::servers::Contestant::{self, Limit, Node, Ours};

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) experiment: &'static str,
    pub(super) figure: &'static str,
    /// What the figure is multiplied by for the table.
    pub(super) scale: f64,
    pub(super) aim: Option<Aim>,
}

/// What the figure of this project's server should be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Aim {
    Most(f64),
    /// The same per peer of a whole crowd: among fewer, what is there anyway counts for more.
    MostOfCrowd(f64),
    Least(f64),
    /// So many times that of another contestant in the same repetition.
    MostTimes(f64, Contestant),
    LeastTimes(f64, Contestant),
    /// So many times another row.
    MostTimesRow(f64, &'static str),
}

const CPU: &str = "server_cpu_us_per_message";
const RATE: &str = "messages_per_second";

/// All of them, in their order.
pub(super) const ROWS: [Row; 26] = [
    of_limit("relay 250 B, 1 in flight: CPU µs per message", "relay-250-w1", CPU, 1.3),
    plain("relay 250 B, 1 in flight: messages/s", "relay-250-w1", RATE),
    of_limit("relay 250 B, 16 in flight: CPU µs per message", "relay-250-w16", CPU, 3.0),
    with(plain("relay 250 B, 16 in flight: messages/s", "relay-250-w16", RATE), Aim::LeastTimes(30.0, Node)),
    of_limit("relay 2.5 KB, 16 in flight: CPU µs per message", "relay-2500-w16", CPU, 3.0),
    plain("relay 2.5 KB, 16 in flight: messages/s", "relay-2500-w16", RATE),
    of_limit("relay 250 B, 5,000 peers: CPU µs per message", "relay-250-w1-5000", CPU, 1.3),
    plain("relay 250 B, 5,000 peers: messages/s", "relay-250-w1-5000", RATE),
    plain("the same, not announced: CPU µs per message", "relay-250-w1-5000-unannounced", CPU),
    plain("one hop at 50,000/s: p50 µs", "hop", "latency_us_p50"),
    of_limit("one hop at 50,000/s: p99 µs", "hop", "latency_us_p99", 1.5),
    with(scaled("resident memory at start, MB", "memory", "start_resident_bytes", 1e-6), Aim::Most(1.5)),
    with(plain("bytes per idle connection", "memory", "bytes_per_peer_connected"), Aim::MostOfCrowd(300.0)),
    with(plain("bytes per announced peer", "memory", "bytes_per_peer_announced"), Aim::MostOfCrowd(640.0)),
    with(
        plain("the same 10 s after a burst", "memory", "bytes_per_peer_after_burst"),
        Aim::MostTimesRow(1.1, "bytes per announced peer"),
    ),
    plain("the same in the burst", "memory", "bytes_per_peer_in_burst"),
    plain("bytes of the kernel per socket", "memory", "kernel_bytes_per_socket"),
    plain("bytes per peer, not announced", "memory-unannounced", "bytes_per_peer_connected"),
    with(
        plain("join and leave among 1,000: CPU ms", "churn-1000", "server_cpu_ms_per_visit"),
        Aim::Most(0.4),
    ),
    with(
        plain("join and leave among a crowd: CPU ms", "churn-crowd", "server_cpu_ms_per_visit"),
        Aim::MostTimesRow(1.3, "join and leave among 1,000: CPU ms"),
    ),
    with(plain("handshakes/s", "handshakes", "handshakes_per_second"), Aim::Least(25_000.0)),
    plain("handshakes: CPU µs each", "handshakes", "server_cpu_us_per_handshake"),
    with(plain("start to first answer, ms", "start", "ms_to_first_answer"), Aim::Most(10.0)),
    with(plain("a crowd of idle announced peers: % of a core", "idle", "idle_busy_percent"), Aim::Most(2.0)),
    scaled("80 MB to 10 that do not read: peak MB", "slow", "peak_growth_bytes", 1e-6),
    scaled("the same 10 s later, MB", "slow", "growth_after_10_s_bytes", 1e-6),
];

const fn plain(name: &'static str, experiment: &'static str, figure: &'static str) -> Row {
    Row { name, experiment, figure, scale: 1.0, aim: None }
}

const fn scaled(name: &'static str, experiment: &'static str, figure: &'static str, scale: f64) -> Row {
    Row { scale, ..plain(name, experiment, figure) }
}

const fn of_limit(name: &'static str, experiment: &'static str, figure: &'static str, times: f64) -> Row {
    with(plain(name, experiment, figure), Aim::MostTimes(times, Limit))
}

const fn with(row: Row, aim: Aim) -> Row {
    Row { aim: Some(aim), ..row }
}

/// Those whose figures are shown in this order.
pub(super) const COLUMNS: [Contestant; 4] = [Ours, Limit, Node, Contestant::NodeScript];
