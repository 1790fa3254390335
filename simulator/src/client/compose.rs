//! Messages of a client.

use peerpigeon_core::Spelling;
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_peer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_peers: Option<u8>,
}

/// One message as a client writes it. `data` is one JSON value and is copied byte for byte; what is no JSON is
/// left out.
#[must_use]
pub fn compose(
    kind: &str,
    to: Option<&Spelling>,
    network: Option<&str>,
    max_peers: Option<u8>,
    data: Option<&str>,
) -> String {
    let message = Message {
        r#type: kind,
        data: data.and_then(|data| serde_json::from_str(data).ok()),
        target_peer_id: to.map(Spelling::to_string),
        network_name: network,
        max_peers,
    };
    serde_json::to_string(&message).unwrap_or_default()
}
