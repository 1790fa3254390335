//! `/metrics`
//!
//! What each of them means for an operator is in `docs/OPERATIONS.md`; a test holds the two together.

use crate::http::{Answer, Status};
use crate::observe::exposition::{Exposition, Label, labelled, seconds};
use crate::observe::loop_counters::FrameKind;
use crate::observe::snapshot::Vitals;
use peerpigeon_core::CloseReason;
use std::borrow::Cow;
use std::env::consts;

pub(crate) fn page(vitals: &Vitals<'_>) -> Answer {
    let mut to = Exposition::default();
    process(&mut to, vitals);
    sockets(&mut to, vitals);
    connections(&mut to, vitals);
    peers(&mut to, vitals);
    messages(&mut to, vitals);
    frames(&mut to, vitals);
    kept(&mut to, vitals);
    limits(&mut to, vitals);
    memory(&mut to, vitals);
    time(&mut to, vitals);
    Answer {
        status: Status::Ok,
        content_type: "text/plain; version=0.0.4; charset=utf-8",
        lines: "Cache-Control: no-store\r\n".into(),
        body: Cow::Owned(to.into_text().into_bytes()),
    }
}

/// The names that every exporter uses, and what this process is.
fn process(to: &mut Exposition, vitals: &Vitals<'_>) {
    let build =
        format!("version=\"{}\",os=\"{}\",arch=\"{}\"", env!("CARGO_PKG_VERSION"), consts::OS, consts::ARCH);
    to.gauges("peerpigeon_build_info", "What is running; always 1.", [(build, 1)]);
    let start = seconds(vitals.start().0.saturating_mul(1_000));
    to.gauge("process_start_time_seconds", "When the process started, in seconds since 1970.", start);
    let process = vitals.process;
    if let Some(ms) = process.processor_ms {
        to.counter("process_cpu_seconds_total", "Processor time used.", seconds(ms.saturating_mul(1_000)));
    }
    to.known_gauge("process_open_fds", "Descriptors that are open.", process.open_descriptors);
    to.known_gauge("process_max_fds", "Descriptors that may be open.", process.max_descriptors);
    to.known_gauge("process_resident_memory_bytes", "Memory that the process takes.", process.resident_bytes);
    let draining = u8::from(vitals.is_draining);
    to.gauge("peerpigeon_draining", "1 while the server is shutting down.", draining);
}

fn sockets(to: &mut Exposition, vitals: &Vitals<'_>) {
    let meter = vitals.meter;
    to.gauge("peerpigeon_sockets", "Sockets that are open, of all kinds.", vitals.sockets);
    to.gauge("peerpigeon_http_sockets", "Sockets that are no WebSockets (yet).", vitals.handshakes);
    to.counter(
        "peerpigeon_sockets_turned_away_total",
        "Sockets closed at once, since their address made too many.",
        meter.turned_away,
    );
    to.counter(
        "peerpigeon_accept_failures_total",
        "Times that the system could not give another socket.",
        meter.accept_failures,
    );
    to.counters(
        "peerpigeon_http_responses_total",
        "Answers to HTTP requests, by status code; 101 is a WebSocket.",
        labelled("code", meter.answers().map(|(status, count)| (status.code(), count))),
    );
}

fn connections(to: &mut Exposition, vitals: &Vitals<'_>) {
    let (census, tally) = (vitals.census, vitals.tally);
    let states = [
        ("active", vitals.active() as u64),
        ("held", census.held as u64),
        ("unregistered", census.unregistered as u64),
    ];
    to.gauges(
        "peerpigeon_connections",
        "Connections: admitted, held back, and not registered yet.",
        labelled("state", states.into_iter()),
    );
    to.gauge("peerpigeon_max_connections", "Connections that may be admitted.", vitals.max_connections);
    to.counter("peerpigeon_connections_opened_total", "Connections that began.", tally.opened);
    to.counter("peerpigeon_connections_admitted_total", "Connections that were let in.", tally.admitted);
    to.counters(
        "peerpigeon_connections_held_total",
        "Connections that had to wait, by what they are told if it is in vain.",
        labelled("reason", tally.held()),
    );
    let closed = tally.closes().map(|(why, count)| {
        let (code, reason) = (Label("code", why.code()), Label("reason", why.name()));
        (format!("{code},{reason}"), count)
    });
    to.counters("peerpigeon_connections_closed_total", "Connections that the server closed.", closed);
    to.counters(
        "peerpigeon_connections_lost_total",
        "Connections that ended otherwise, by how.",
        labelled("cause", tally.lost()),
    );
}

fn peers(to: &mut Exposition, vitals: &Vitals<'_>) {
    let (census, tally) = (vitals.census, vitals.tally);
    to.gauge("peerpigeon_peers", "Peers that are announced.", census.peers);
    to.gauge("peerpigeon_networks", "Networks with at least one peer.", census.networks);
    to.gauge("peerpigeon_acquaintances", "Pairs of peers that know each other.", census.acquaintances);
    to.counter("peerpigeon_announces_total", "Announces that were followed.", tally.announced);
    to.counters(
        "peerpigeon_introductions_total",
        "Pairs of peers that were told of each other, by occasion.",
        labelled("occasion", tally.introduced()),
    );
    to.counter(
        "peerpigeon_struck_total",
        "Times that a peer was told to take one that had refused it off its list.",
        tally.struck,
    );
    to.counter(
        "peerpigeon_withheld_total",
        "Refusals that were not relayed, since they crossed with an offer of their sender.",
        tally.withheld,
    );
}

fn messages(to: &mut Exposition, vitals: &Vitals<'_>) {
    let tally = vitals.tally;
    to.counters(
        "peerpigeon_messages_received_total",
        "Messages of clients that were followed, by type.",
        labelled("type", tally.accepted().chain(tally.handled())),
    );
    to.counters(
        "peerpigeon_messages_refused_total",
        "Messages of clients that were refused, by code.",
        labelled("code", tally.refused()),
    );
    to.counters(
        "peerpigeon_signals_received_bytes_total",
        "Bytes of the data of signals, by type.",
        labelled("type", tally.accepted_bytes()),
    );
    to.counters(
        "peerpigeon_signals_relayed_total",
        "Signals that went to their target, by type.",
        labelled("type", tally.relayed()),
    );
    to.counters(
        "peerpigeon_signals_relayed_bytes_total",
        "Bytes of the messages that they became, by type.",
        labelled("type", tally.relayed_bytes()),
    );
}

fn frames(to: &mut Exposition, vitals: &Vitals<'_>) {
    let directions = [("in", &vitals.meter.received), ("out", &vitals.sent)];
    let by_kind = directions.iter().flat_map(|(direction, frames)| {
        frames.by_kind().map(move |(kind, count): (FrameKind, u64)| {
            let (direction, kind) = (Label("direction", direction), Label("kind", kind.name()));
            (format!("{direction},{kind}"), count)
        })
    });
    to.counters("peerpigeon_frames_total", "WebSocket messages and control frames.", by_kind);
    to.counters(
        "peerpigeon_frames_message_bytes_total",
        "Bytes of WebSocket messages.",
        labelled("direction", directions.iter().map(|(name, frames)| (*name, frames.message_bytes()))),
    );
}

/// What is kept for peers that cannot be reached now.
fn kept(to: &mut Exposition, vitals: &Vitals<'_>) {
    let (census, tally) = (vitals.census, vitals.tally);
    to.gauge("peerpigeon_mailboxes", "Lost peers that are remembered.", census.mailboxes);
    to.gauge("peerpigeon_mails", "Signals kept for them.", census.mails);
    to.gauge("peerpigeon_mail_bytes", "Bytes of these.", census.mail_bytes);
    to.counter("peerpigeon_mails_kept_total", "Signals that were put into a mailbox.", tally.mailed);
    to.counters(
        "peerpigeon_mails_ended_total",
        "Signals that left their mailbox, by how.",
        labelled("end", tally.mail_ended()),
    );
    to.gauge(
        "peerpigeon_inbox_messages",
        "Messages that wait for peers without a WebSocket.",
        census.shelved,
    );
    to.gauge("peerpigeon_inbox_bytes", "Bytes of these.", census.shelved_bytes);
    to.gauge("peerpigeon_inbox_requests", "Requests that wait for such a message.", census.polls);
    to.counter("peerpigeon_inbox_messages_kept_total", "Messages put into an inbox.", tally.shelved);
    to.counters(
        "peerpigeon_inbox_messages_ended_total",
        "Messages that left their inbox, by how.",
        labelled("end", tally.shelf_ended()),
    );
}

/// Every limit of the table in `docs/OPERATIONS.md`.
fn limits(to: &mut Exposition, vitals: &Vitals<'_>) {
    let (tally, meter) = (vitals.tally, vitals.meter);
    let closed = |wanted: CloseReason| -> u64 {
        tally.closes().filter(|(why, _)| *why == wanted).map(|(_, count)| count).sum()
    };
    let answered = |wanted: Status| -> u64 {
        meter.answers().filter(|(status, _)| *status == wanted).map(|(_, count)| count).sum()
    };
    let too_big = answered(Status::ContentTooLarge)
        + tally.lost().filter(|(how, _)| *how == "too-big").map(|(_, count)| count).sum::<u64>();
    let of_the_loop = [
        ("MAX_CONNECTIONS", closed(CloseReason::MaximumConnections)),
        ("MAX_CONNECTIONS_PER_IP", closed(CloseReason::TooManyFromAddress)),
        ("CONNECTION_RATE_PER_IP", meter.turned_away),
        ("MAX_HANDSHAKES", meter.crowded_out),
        ("HANDSHAKE_TIMEOUT", meter.late),
        ("MAX_HEADER_SIZE", answered(Status::HeadersTooLarge)),
        ("HTTP_RATE", meter.over_http_rate),
        ("MAX_MESSAGE_SIZE", too_big),
        ("MEMORY_BUDGET", meter.shed),
    ];
    to.counters(
        "peerpigeon_limit_reached_total",
        "How often each limit was met, by the setting that it is.",
        labelled("setting", of_the_loop.into_iter().chain(tally.limited())),
    );
}

fn memory(to: &mut Exposition, vitals: &Vitals<'_>) {
    to.gauge(
        "peerpigeon_queue_bytes",
        "Memory of output queues, incomplete messages, and buffers for the next ones.",
        vitals.buffered_bytes,
    );
    to.gauge("peerpigeon_queue_max_bytes", "What queues may take.", vitals.memory_budget_bytes);
    to.gauge("peerpigeon_held_bytes", "Bytes kept for connections that are held.", vitals.census.held_bytes);
}

fn time(to: &mut Exposition, vitals: &Vitals<'_>) {
    let meter = vitals.meter;
    to.histogram("peerpigeon_turn_duration_seconds", "How long a turn of the event loop took.", &meter.turns);
    to.histogram(
        "peerpigeon_relay_latency_seconds",
        "From the wake-up that brought a signal to the end of the turn's output.",
        &meter.relays,
    );
    to.gauge("peerpigeon_timers", "Deadlines that are armed.", vitals.census.timers);
    to.counter("peerpigeon_sweeps_total", "Sweeps of expired state.", vitals.tally.swept);
}
