//! `/stats`

use crate::calendar::Iso8601;
use crate::http::pages::Vitals;
use crate::http::{Answer, Status};
use serde_json::{Map, Value, json};

pub(crate) fn page(vitals: &Vitals<'_>) -> Answer {
    let (tally, census) = (vitals.tally, vitals.census);
    let body = json!({
        "startTime": Iso8601(vitals.boot).to_string(),
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
        "introducedTotal": object(tally.introduced()),
        "acceptedTotal": object(tally.accepted()),
        "relayedTotal": object(tally.relayed()),
        "relayedBytesTotal": tally.relayed_bytes_total(),
        "handledTotal": object(tally.handled()),
        "refusedTotal": object(tally.refused()),
        "closedTotal": object(tally.closed()),
        "lostTotal": object(tally.lost()),
        "mailedTotal": tally.mailed,
        "mailEndedTotal": object(tally.mail_ended()),
        "messageQueueSize": census.mails + census.shelved,
        "waitingRequests": census.polls,
        "sweepsTotal": tally.swept,
    });
    Answer::json(Status::Ok, body.to_string())
}

fn object(counts: impl Iterator<Item = (&'static str, u64)>) -> Value {
    Value::Object(counts.map(|(name, count)| (name.to_owned(), count.into())).collect::<Map<_, _>>())
}
