//! `/health`

use crate::calendar::Iso8601;
use crate::http::pages::Vitals;
use crate::http::{Answer, Status};
use serde_json::json;

/// 503 while draining, so that a load balancer sends nobody here any more.
pub(crate) fn page(vitals: &Vitals<'_>) -> Answer {
    let (status, word) =
        if vitals.is_draining { (Status::ServiceUnavailable, "draining") } else { (Status::Ok, "healthy") };
    let body = json!({
        "status": word,
        "timestamp": Iso8601(vitals.wall()).to_string(),
        "uptime": vitals.uptime_seconds(),
        "connections": vitals.census.connections,
        "activeConnections": vitals.active(),
        "peers": vitals.census.peers,
        "networks": vitals.census.networks,
        "messageQueueSize": vitals.census.mails + vitals.census.shelved,
        "memory": {
            "rss": vitals.resident_bytes,
            "buffers": vitals.buffered_bytes,
            "mail": vitals.census.mail_bytes + vitals.census.shelved_bytes,
        },
        "version": env!("CARGO_PKG_VERSION"),
    });
    Answer::json(status, body.to_string())
}
