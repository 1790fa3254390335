//! `/metrics`
//!
//! What each of them means for an operator is in `docs/OPERATIONS.md`; a test holds the two together.

use crate::bus::BusCounters;
use crate::http::{Answer, Status};
use crate::observe::exposition::{Exposition, Label, labelled, seconds};
use crate::observe::loop_counters::FrameKind;
use crate::observe::snapshot::Snapshot;
use crate::store::StoreCounters;
use peerpigeon_core::CloseReason;
use std::borrow::Cow;
use std::env::consts;

pub(crate) fn page(snapshot: &Snapshot<'_>) -> Answer {
    let mut to = Exposition::default();
    process(&mut to, snapshot);
    sockets(&mut to, snapshot);
    connections(&mut to, snapshot);
    peers(&mut to, snapshot);
    messages(&mut to, snapshot);
    psp(&mut to, snapshot);
    frames(&mut to, snapshot);
    kept(&mut to, snapshot);
    mail_store(&mut to, snapshot);
    cluster(&mut to, snapshot);
    limits(&mut to, snapshot);
    memory(&mut to, snapshot);
    time(&mut to, snapshot);
    Answer {
        status: Status::Ok,
        content_type: "text/plain; version=0.0.4; charset=utf-8",
        lines: "Cache-Control: no-store\r\n".into(),
        body: Cow::Owned(to.into_text().into_bytes()),
    }
}

/// The names that every exporter uses, and what this process is.
fn process(to: &mut Exposition, snapshot: &Snapshot<'_>) {
    let build =
        format!("version=\"{}\",os=\"{}\",arch=\"{}\"", env!("CARGO_PKG_VERSION"), consts::OS, consts::ARCH);
    to.gauges("peerpigeon_build_info", "What is running; always 1.", [(build, 1)]);
    let start = seconds(snapshot.start().0.saturating_mul(1_000));
    to.gauge("process_start_time_seconds", "When the process started, in seconds since 1970.", start);
    let process = snapshot.process;
    if let Some(ms) = process.processor_ms {
        to.counter("process_cpu_seconds_total", "Processor time used.", seconds(ms.saturating_mul(1_000)));
    }
    to.known_gauge("process_open_fds", "Descriptors that are open.", process.open_descriptors);
    to.known_gauge("process_max_fds", "Descriptors that may be open.", process.max_descriptors);
    to.known_gauge("process_resident_memory_bytes", "Memory that the process takes.", process.resident_bytes);
    let draining = u8::from(snapshot.is_draining);
    to.gauge("peerpigeon_draining", "1 while the server is shutting down.", draining);
}

fn sockets(to: &mut Exposition, snapshot: &Snapshot<'_>) {
    let loop_counters = snapshot.loop_counters;
    to.gauge("peerpigeon_sockets", "Sockets that are open, of all kinds.", snapshot.sockets);
    to.gauge("peerpigeon_http_sockets", "Sockets that are no WebSockets (yet).", snapshot.handshakes);
    to.counter(
        "peerpigeon_sockets_turned_away_total",
        "Sockets closed at once, since their address made too many.",
        loop_counters.turned_away,
    );
    to.counter(
        "peerpigeon_accept_failures_total",
        "Times that the system could not give another socket.",
        loop_counters.accept_failures,
    );
    to.counters(
        "peerpigeon_http_responses_total",
        "Answers to HTTP requests, by status code; 101 is a WebSocket.",
        labelled("code", loop_counters.answers().map(|(status, count)| (status.code(), count))),
    );
}

fn connections(to: &mut Exposition, snapshot: &Snapshot<'_>) {
    let (gauges, peer_counters) = (snapshot.gauges, snapshot.peer_counters);
    let states = [
        ("active", snapshot.active() as u64),
        ("held", gauges.held as u64),
        ("unregistered", gauges.unregistered as u64),
    ];
    to.gauges(
        "peerpigeon_connections",
        "Connections: admitted, held back, and not registered yet.",
        labelled("state", states.into_iter()),
    );
    to.gauge("peerpigeon_max_connections", "Connections that may be admitted.", snapshot.max_connections);
    to.counter("peerpigeon_connections_opened_total", "Connections that began.", peer_counters.opened);
    to.counter(
        "peerpigeon_connections_admitted_total",
        "Connections that were let in.",
        peer_counters.admitted,
    );
    to.counters(
        "peerpigeon_connections_held_total",
        "Connections that had to wait, by what they are told if it is in vain.",
        labelled("reason", peer_counters.held()),
    );
    let closed = peer_counters.closes().map(|(why, count)| {
        let (code, reason) = (Label("code", why.code()), Label("reason", why.name()));
        (format!("{code},{reason}"), count)
    });
    to.counters("peerpigeon_connections_closed_total", "Connections that the server closed.", closed);
    to.counters(
        "peerpigeon_connections_lost_total",
        "Connections that ended otherwise, by how.",
        labelled("cause", peer_counters.lost()),
    );
}

fn peers(to: &mut Exposition, snapshot: &Snapshot<'_>) {
    let (gauges, peer_counters) = (snapshot.gauges, snapshot.peer_counters);
    to.gauge("peerpigeon_peers", "Peers that are announced.", gauges.peers);
    to.gauge("peerpigeon_networks", "Networks with at least one peer.", gauges.networks);
    to.gauge("peerpigeon_acquaintances", "Pairs of peers that know each other.", gauges.acquaintances);
    to.counter("peerpigeon_announces_total", "Announces that were followed.", peer_counters.announced);
    to.counters(
        "peerpigeon_introductions_total",
        "Pairs of peers that were told of each other, by occasion.",
        labelled("occasion", peer_counters.introduced()),
    );
    to.counter(
        "peerpigeon_struck_total",
        "Times that a peer was told to take one that had refused it off its list.",
        peer_counters.struck,
    );
    to.counter(
        "peerpigeon_withheld_total",
        "Refusals that were not relayed, since they crossed with an offer of their sender.",
        peer_counters.withheld,
    );
}

fn messages(to: &mut Exposition, snapshot: &Snapshot<'_>) {
    let peer_counters = snapshot.peer_counters;
    to.counters(
        "peerpigeon_messages_received_total",
        "Messages of clients that were followed, by type.",
        labelled("type", peer_counters.accepted().chain(peer_counters.handled())),
    );
    to.counters(
        "peerpigeon_messages_refused_total",
        "Messages of clients that were refused, by code.",
        labelled("code", peer_counters.refused()),
    );
    to.counters(
        "peerpigeon_signals_received_bytes_total",
        "Bytes of the data of signals, by type.",
        labelled("type", peer_counters.accepted_bytes()),
    );
    to.counters(
        "peerpigeon_signals_relayed_total",
        "Signals that went to their target, by type.",
        labelled("type", peer_counters.relayed()),
    );
    to.counters(
        "peerpigeon_signals_relayed_bytes_total",
        "Bytes of the messages that they became, by type.",
        labelled("type", peer_counters.relayed_bytes()),
    );
}

/// What only dialect PSP has.
fn psp(to: &mut Exposition, snapshot: &Snapshot<'_>) {
    let (gauges, counters) = (snapshot.gauges, snapshot.peer_counters);
    to.gauge("peerpigeon_psp_peers", "Peers that are in rooms (dialect PSP).", gauges.members);
    to.gauge("peerpigeon_psp_rooms", "Rooms with at least one peer.", gauges.rooms);
    to.counter(
        "peerpigeon_psp_frames_relayed_total",
        "Frames that went to their target.",
        counters.passed_on,
    );
    to.counter("peerpigeon_psp_frames_relayed_bytes_total", "Bytes of these.", counters.passed_on_bytes);
    to.counter("peerpigeon_psp_lists_total", "Lists of peers that were sent.", counters.lists);
    to.counter("peerpigeon_psp_listed_peers_total", "Peers on these lists.", counters.listed);
}

fn frames(to: &mut Exposition, snapshot: &Snapshot<'_>) {
    let directions = [("in", &snapshot.loop_counters.received), ("out", &snapshot.sent)];
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
fn kept(to: &mut Exposition, snapshot: &Snapshot<'_>) {
    let (gauges, peer_counters) = (snapshot.gauges, snapshot.peer_counters);
    to.gauge("peerpigeon_mailboxes", "Lost peers that are remembered.", gauges.mailboxes);
    to.gauge("peerpigeon_mails", "Signals kept for them.", gauges.mails);
    to.gauge("peerpigeon_mail_bytes", "Bytes of these.", gauges.mail_bytes);
    to.counter("peerpigeon_mails_kept_total", "Signals that were put into a mailbox.", peer_counters.mailed);
    to.counters(
        "peerpigeon_mails_ended_total",
        "Signals that left their mailbox, by how.",
        labelled("end", peer_counters.mail_ended()),
    );
    to.gauge(
        "peerpigeon_inbox_messages",
        "Messages that wait for peers without a WebSocket.",
        gauges.shelved,
    );
    to.gauge("peerpigeon_inbox_bytes", "Bytes of these.", gauges.shelved_bytes);
    to.gauge("peerpigeon_inbox_requests", "Requests that wait for such a message.", gauges.polls);
    to.counter("peerpigeon_inbox_messages_kept_total", "Messages put into an inbox.", peer_counters.shelved);
    to.counters(
        "peerpigeon_inbox_messages_ended_total",
        "Messages that left their inbox, by how.",
        labelled("end", peer_counters.shelf_ended()),
    );
}

/// Without a mail store its gauges have no value.
fn mail_store(to: &mut Exposition, snapshot: &Snapshot<'_>) {
    let none = StoreCounters::default();
    let (counters, state) = (snapshot.mail_store.map_or(&none, |state| state.counters), snapshot.mail_store);
    to.gauge_of(
        "peerpigeon_mail_store_up",
        "1 while the mail store can be asked.",
        state.map(|state| u64::from(state.counters.is_up)),
    );
    to.gauge_of(
        "peerpigeon_mail_store_pending",
        "Questions to the mail store that are not answered yet.",
        state.map(|state| state.pending as u64),
    );
    to.counter("peerpigeon_mail_store_connections_total", "Connections made to it.", counters.connections);
    let questions = counters.outcomes().map(|(kind, outcome, count)| {
        let (kind, outcome) = (Label("question", kind.name()), Label("outcome", outcome.name()));
        (format!("{kind},{outcome}"), count)
    });
    to.counters("peerpigeon_mail_store_questions_total", "Questions, by how they ended.", questions);
    to.histogram(
        "peerpigeon_mail_store_answer_seconds",
        "From a question to its answer, where it was done.",
        &counters.answer_times,
    );
    to.counters(
        "peerpigeon_mail_store_letters_total",
        "Signals that were put, taken, or not taken in time.",
        labelled("event", counters.letters()),
    );
}

/// Without a cluster its gauges have no value.
fn cluster(to: &mut Exposition, snapshot: &Snapshot<'_>) {
    let none = BusCounters::default();
    let (bus, state) = (snapshot.cluster.map_or(&none, |state| state.bus), snapshot.cluster);
    let (gauges, peer_counters) = (snapshot.gauges, snapshot.peer_counters);
    to.gauge_of(
        "peerpigeon_cluster_bus_up",
        "1 while what is published on the bus comes back.",
        state.map(|state| u64::from(state.bus.is_up)),
    );
    to.gauge_of(
        "peerpigeon_cluster_nodes",
        "Other nodes that can be spoken to.",
        state.map(|_| gauges.nodes as u64),
    );
    to.gauge_of(
        "peerpigeon_cluster_remote_peers",
        "Peers of other nodes that are known.",
        state.map(|_| gauges.remote_peers as u64),
    );
    to.gauge_of(
        "peerpigeon_cluster_round_trip_milliseconds",
        "How long what was published last to see whether it comes back took to do so.",
        state.map(|state| state.bus.round_trip_ms),
    );
    to.counter("peerpigeon_cluster_connections_total", "Connections made to the bus.", bus.connections);
    let nodes = [
        ("opened", peer_counters.nodes_opened),
        ("left", peer_counters.nodes_left),
        ("dead", peer_counters.nodes_dead),
    ];
    to.counters(
        "peerpigeon_cluster_node_events_total",
        "Other nodes that came, said goodbye, or were heard no more.",
        labelled("event", nodes.into_iter()),
    );
    let frames = [
        ("published", bus.published),
        ("received", bus.received),
        ("dropped", bus.dropped),
        ("unsealed", bus.unsealed),
        ("refused", peer_counters.frames_refused),
    ];
    to.counters(
        "peerpigeon_cluster_frames_total",
        "Frames of the bus, by what became of them.",
        labelled("event", frames.into_iter()),
    );
    let bytes = [("published", bus.published_bytes), ("received", bus.received_bytes)];
    to.counters(
        "peerpigeon_cluster_bytes_total",
        "Bytes of these frames.",
        labelled("event", bytes.into_iter()),
    );
    to.counter(
        "peerpigeon_cluster_signals_arrived_total",
        "Signals that came from peers of other nodes and went to their targets.",
        peer_counters.arrived,
    );
}

/// Every limit of the table in `docs/OPERATIONS.md`.
fn limits(to: &mut Exposition, snapshot: &Snapshot<'_>) {
    let (peer_counters, loop_counters) = (snapshot.peer_counters, snapshot.loop_counters);
    let closed = |wanted: CloseReason| -> u64 {
        peer_counters.closes().filter(|(why, _)| *why == wanted).map(|(_, count)| count).sum()
    };
    let answered = |wanted: Status| -> u64 {
        loop_counters.answers().filter(|(status, _)| *status == wanted).map(|(_, count)| count).sum()
    };
    let too_big = answered(Status::ContentTooLarge)
        + peer_counters.lost().filter(|(how, _)| *how == "too-big").map(|(_, count)| count).sum::<u64>();
    let of_the_loop = [
        ("MAX_CONNECTIONS", closed(CloseReason::MaximumConnections)),
        ("MAX_CONNECTIONS_PER_IP", closed(CloseReason::TooManyFromAddress)),
        ("CONNECTION_RATE_PER_IP", loop_counters.turned_away),
        ("MAX_HANDSHAKES", loop_counters.evicted),
        ("HANDSHAKE_TIMEOUT", loop_counters.late),
        ("MAX_HEADER_SIZE", answered(Status::HeadersTooLarge)),
        ("HTTP_RATE", loop_counters.over_http_rate),
        ("MAX_MESSAGE_SIZE", too_big),
        ("MEMORY_BUDGET", loop_counters.shed),
    ];
    to.counters(
        "peerpigeon_limit_reached_total",
        "How often each limit was met, by the setting that it is.",
        labelled("setting", of_the_loop.into_iter().chain(peer_counters.limited())),
    );
}

fn memory(to: &mut Exposition, snapshot: &Snapshot<'_>) {
    to.gauge(
        "peerpigeon_queue_bytes",
        "Memory of output queues, incomplete messages, and buffers for the next ones.",
        snapshot.buffered_bytes,
    );
    to.gauge("peerpigeon_queue_max_bytes", "What queues may take.", snapshot.memory_budget_bytes);
    to.gauge(
        "peerpigeon_held_bytes",
        "Bytes kept for connections that are held.",
        snapshot.gauges.held_bytes,
    );
}

fn time(to: &mut Exposition, snapshot: &Snapshot<'_>) {
    let loop_counters = snapshot.loop_counters;
    to.histogram(
        "peerpigeon_turn_duration_seconds",
        "How long a turn of the event loop took.",
        &loop_counters.turns,
    );
    to.histogram(
        "peerpigeon_relay_latency_seconds",
        "From the wake-up that brought a signal to the end of the turn's output.",
        &loop_counters.relays,
    );
    to.gauge("peerpigeon_timers", "Deadlines that are armed.", snapshot.gauges.timers);
    to.counter("peerpigeon_sweeps_total", "Sweeps of expired state.", snapshot.peer_counters.swept);
}
