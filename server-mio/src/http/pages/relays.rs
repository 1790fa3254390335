//! `/api/v1/relays`: where pages of dialect PSP can find servers.

use crate::http::{Answer, Status};
use crate::observe::Snapshot;
use core::fmt;
use core::str::FromStr;
use serde_json::json;

/// Where pages reach the server from outside, as its operator says: `wss://HOST` or `ws://HOST`, with a port and a path
/// if need be. Pages do not take a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

/// It is no such URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPublicUrl;

impl FromStr for PublicUrl {
    type Err = NoPublicUrl;

    fn from_str(text: &str) -> Result<PublicUrl, NoPublicUrl> {
        let rest = text.strip_prefix("wss://").or_else(|| text.strip_prefix("ws://")).ok_or(NoPublicUrl)?;
        let host = rest.split('/').next().unwrap_or_default();
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"?#\"<>\\^`{|}@".contains(&byte);
        let is_url = !host.is_empty() && text.len() <= MAX_BYTES && text.bytes().all(is_plain);
        is_url.then(|| PublicUrl(text.to_owned())).ok_or(NoPublicUrl)
    }
}

/// As long as what a request can name.
const MAX_BYTES: usize = 2_048;

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PublicUrl {
    /// The host, with its port where it names one.
    fn host(&self) -> &str {
        let (_, rest) = self.0.split_once("://").unwrap_or_default();
        rest.split('/').next().unwrap_or_default()
    }
}

/// The server itself, if it knows what it is called outside. It does not tell of others, so nobody can enter any.
pub(in crate::http) fn page(snapshot: &Snapshot<'_>) -> Answer {
    let own = snapshot.public_url.map(|url| json!({"url": url.to_string(), "name": url.host()}));
    let body = json!({"ok": true, "relays": own.into_iter().collect::<Vec<_>>()});
    Answer::json(Status::Ok, body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_one_that_pages_can_dial() {
        for (text, host) in [
            ("wss://signal.example.org", "signal.example.org"),
            ("wss://signal.example.org:8443/ws", "signal.example.org:8443"),
            ("ws://[::1]:3000/a/b", "[::1]:3000"),
        ] {
            let url: PublicUrl = text.parse().expect(text);
            assert_eq!((url.to_string().as_str(), url.host()), (text, host));
        }
        let long = format!("wss://x/{}", "y".repeat(MAX_BYTES));
        for text in [
            "",
            "wss://",
            "wss:///ws",
            "https://x",
            "x.org",
            "wss://x?token=1",
            "wss://x#y",
            "wss://a b",
            "wss://\"",
            &long,
        ] {
            assert_eq!(text.parse::<PublicUrl>(), Err(NoPublicUrl), "{text}");
        }
    }
}
