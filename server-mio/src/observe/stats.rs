//! `/stats`

use crate::http::{Answer, Status};
use crate::observe::date::Iso8601;
use crate::observe::snapshot::{ClusterState, MailStoreState, Snapshot};
use serde_json::{Map, Value, json};

pub(crate) fn page(snapshot: &Snapshot<'_>) -> Answer {
    Answer::json(Status::Ok, values(snapshot).to_string())
}

pub(super) fn values(snapshot: &Snapshot<'_>) -> Value {
    let (peer_counters, gauges) = (snapshot.peer_counters, snapshot.gauges);
    json!({
        "status": snapshot.status(),
        "version": env!("CARGO_PKG_VERSION"),
        "startTime": Iso8601(snapshot.start()).to_string(),
        "uptime": snapshot.uptime_seconds(),
        "connectionsTotal": peer_counters.opened,
        "messagesTotal": peer_counters.messages(),
        "errorsTotal": peer_counters.refusals(),
        "activeConnections": snapshot.active(),
        "heldConnections": gauges.held,
        "sockets": snapshot.sockets,
        "peers": gauges.peers,
        "networks": gauges.networks,
        "acquaintances": gauges.acquaintances,
        "admittedTotal": peer_counters.admitted,
        "announcedTotal": peer_counters.announced,
        "introducedTotal": object(&mut peer_counters.introduced()),
        "struckTotal": peer_counters.struck,
        "withheldTotal": peer_counters.withheld,
        "acceptedTotal": object(&mut peer_counters.accepted()),
        "relayedTotal": object(&mut peer_counters.relayed()),
        "relayedBytesTotal": peer_counters.relayed_bytes_total(),
        "handledTotal": object(&mut peer_counters.handled()),
        "refusedTotal": object(&mut peer_counters.refused()),
        "closedTotal": object(&mut peer_counters.closed()),
        "lostTotal": object(&mut peer_counters.lost()),
        "pspPeers": gauges.members,
        "pspRooms": gauges.rooms,
        "pspRelayedTotal": peer_counters.passed_on,
        "pspRelayedBytesTotal": peer_counters.passed_on_bytes,
        "pspListsTotal": peer_counters.lists,
        "mailedTotal": peer_counters.mailed,
        "mailEndedTotal": object(&mut peer_counters.mail_ended()),
        "messageQueueSize": gauges.mails + gauges.shelved,
        "waitingRequests": gauges.polls,
        "sweepsTotal": peer_counters.swept,
        "mailStore": mail_store(snapshot),
        "cluster": cluster(snapshot),
        "maxConnections": snapshot.max_connections,
        "memory": snapshot.memory(),
    })
}

/// As in `/health`, and what only operators should see.
fn mail_store(snapshot: &Snapshot<'_>) -> Value {
    let mut values = snapshot.mail_store();
    if let Some(MailStoreState { counters, pending }) = snapshot.mail_store {
        values["cause"] = counters.cause.clone().into();
        values["pending"] = pending.into();
        values["connectionsTotal"] = counters.connections.into();
        values["lettersTotal"] = object(&mut counters.letters());
    }
    values
}

/// As in `/health`, and what only operators should see.
fn cluster(snapshot: &Snapshot<'_>) -> Value {
    let mut values = snapshot.cluster();
    if let Some(ClusterState { bus, .. }) = snapshot.cluster {
        values["cause"] = bus.cause.clone().into();
        values["connectionsTotal"] = bus.connections.into();
        values["publishedTotal"] = bus.published.into();
        values["receivedTotal"] = bus.received.into();
        values["arrivedTotal"] = snapshot.peer_counters.arrived.into();
    }
    values
}

/// One function for all of them, hence `dyn`.
fn object(counts: &mut dyn Iterator<Item = (&'static str, u64)>) -> Value {
    Value::Object(counts.map(|(name, count)| (name.to_owned(), count.into())).collect::<Map<_, _>>())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::net::Process;
    use crate::observe::loop_counters::{Frames, LoopCounters};
    use crate::observe::peer_counters::PeerCounters;
    use peerpigeon_core::{Census, Time, UnixMillis};

    /// What a server tells that has just started.
    pub(crate) fn example() -> Value {
        values(&Snapshot {
            now: Time(1_500),
            wall: UnixMillis(0),
            gauges: Census::default(),
            peer_counters: &PeerCounters::default(),
            loop_counters: &LoopCounters::default(),
            sent: Frames::default(),
            handshakes: 0,
            sockets: 0,
            buffered_bytes: 0,
            memory_budget_bytes: 1,
            max_connections: 1,
            process: Process { resident_bytes: Some(1), ..Process::default() },
            is_draining: false,
            psp_server_id: "peerpigeon-0",
            public_url: None,
            mail_store: None,
            cluster: None,
        })
    }

    #[test]
    fn the_fields_of_the_guide_are_there() {
        let stats = example();
        for name in ["connectionsTotal", "messagesTotal", "errorsTotal", "startTime"] {
            assert!(!stats[name].is_null(), "{name}");
        }
        assert_eq!(stats["startTime"], "1970-01-01T00:00:00.000Z");
    }
}
