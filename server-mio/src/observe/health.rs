//! `/health`

use crate::http::{Answer, Status};
use crate::observe::date::Iso8601;
use crate::observe::snapshot::Snapshot;
use serde_json::json;

/// 503 while draining, so that a load balancer sends nobody here any more.
pub(crate) fn page(snapshot: &Snapshot<'_>) -> Answer {
    let status = if snapshot.is_draining { Status::ServiceUnavailable } else { Status::Ok };
    let body = json!({
        "status": snapshot.status(),
        "timestamp": Iso8601(snapshot.wall).to_string(),
        "uptime": snapshot.uptime_seconds(),
        "connections": snapshot.gauges.connections,
        "activeConnections": snapshot.active(),
        "peers": snapshot.gauges.peers,
        "networks": snapshot.gauges.networks,
        "messageQueueSize": snapshot.gauges.mails + snapshot.gauges.shelved,
        "memory": snapshot.memory(),
        // A server without its database serves.
        "mailStore": snapshot.mail_store(),
        // And so does one that is alone.
        "cluster": snapshot.cluster(),
        "version": env!("CARGO_PKG_VERSION"),
        // What pages of dialect PSP look for.
        "ok": !snapshot.is_draining,
        "protocol_version": "1.0",
        "relay_peer_id": snapshot.psp_server_id,
    });
    Answer::json(status, body.to_string())
}
