//! `/stats`

use crate::http::{Answer, Status};
use crate::observe::date::Iso8601;
use crate::observe::snapshot::Vitals;
use serde_json::{Map, Value, json};

pub(crate) fn page(vitals: &Vitals<'_>) -> Answer {
    Answer::json(Status::Ok, values(vitals).to_string())
}

pub(super) fn values(vitals: &Vitals<'_>) -> Value {
    let (tally, census) = (vitals.tally, vitals.census);
    json!({
        "status": vitals.status(),
        "version": env!("CARGO_PKG_VERSION"),
        "startTime": Iso8601(vitals.start()).to_string(),
        "uptime": vitals.uptime_seconds(),
        "connectionsTotal": tally.opened,
        "messagesTotal": tally.messages(),
        "errorsTotal": tally.refusals(),
        "activeConnections": vitals.active(),
        "heldConnections": census.held,
        "sockets": vitals.sockets,
        "peers": census.peers,
        "networks": census.networks,
        "acquaintances": census.acquaintances,
        "admittedTotal": tally.admitted,
        "announcedTotal": tally.announced,
        "introducedTotal": object(&mut tally.introduced()),
        "struckTotal": tally.struck,
        "withheldTotal": tally.withheld,
        "acceptedTotal": object(&mut tally.accepted()),
        "relayedTotal": object(&mut tally.relayed()),
        "relayedBytesTotal": tally.relayed_bytes_total(),
        "handledTotal": object(&mut tally.handled()),
        "refusedTotal": object(&mut tally.refused()),
        "closedTotal": object(&mut tally.closed()),
        "lostTotal": object(&mut tally.lost()),
        "mailedTotal": tally.mailed,
        "mailEndedTotal": object(&mut tally.mail_ended()),
        "messageQueueSize": census.mails + census.shelved,
        "waitingRequests": census.polls,
        "sweepsTotal": tally.swept,
        "maxConnections": vitals.max_connections,
        "memory": vitals.memory(),
    })
}

/// One function for all of them, hence `dyn`.
fn object(counts: &mut dyn Iterator<Item = (&'static str, u64)>) -> Value {
    Value::Object(counts.map(|(name, count)| (name.to_owned(), count.into())).collect::<Map<_, _>>())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::net::Process;
    use crate::observe::loop_counters::{Frames, Meter};
    use crate::observe::peer_counters::Tally;
    use peerpigeon_core::{Census, Time, UnixMillis};

    /// What a server tells that has just started.
    pub(crate) fn example() -> Value {
        values(&Vitals {
            now: Time(1_500),
            wall: UnixMillis(0),
            census: Census::default(),
            tally: &Tally::default(),
            meter: &Meter::default(),
            sent: Frames::default(),
            handshakes: 0,
            sockets: 0,
            buffered_bytes: 0,
            memory_budget_bytes: 1,
            max_connections: 1,
            process: Process { resident_bytes: Some(1), ..Process::default() },
            is_draining: false,
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
