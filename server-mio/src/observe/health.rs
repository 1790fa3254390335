//! `/health`

use crate::http::{Answer, Status};
use crate::observe::date::Iso8601;
use crate::observe::snapshot::Vitals;
use serde_json::json;

/// 503 while draining, so that a load balancer sends nobody here any more.
pub(crate) fn page(vitals: &Vitals<'_>) -> Answer {
    let status = if vitals.is_draining { Status::ServiceUnavailable } else { Status::Ok };
    let body = json!({
        "status": vitals.status(),
        "timestamp": Iso8601(vitals.wall).to_string(),
        "uptime": vitals.uptime_seconds(),
        "connections": vitals.census.connections,
        "activeConnections": vitals.active(),
        "peers": vitals.census.peers,
        "networks": vitals.census.networks,
        "messageQueueSize": vitals.census.mails + vitals.census.shelved,
        "memory": vitals.memory(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    Answer::json(status, body.to_string())
}
