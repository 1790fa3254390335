//! What the server says in dialect B and over HTTP, read strictly: every member must be there, and no other.

use std::borrow::Cow;

use peerpigeon_core::Spelling;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::Frame;

/// One text in dialect B.
#[derive(Debug)]
pub(crate) enum Parcel<'a> {
    /// `register` was heard.
    Registered,
    Answer(Answer<'a>),
    Delivery(Delivery<'a>),
}

/// The acknowledgement of one message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Answer<'a> {
    pub(crate) success: bool,
    #[serde(borrow)]
    pub(crate) message_id: Cow<'a, str>,
    pub(crate) queued: Option<bool>,
    pub(crate) timestamp: Option<u64>,
    #[serde(borrow)]
    pub(crate) error: Option<Cow<'a, str>>,
}

/// Something from another peer, or from the server itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Delivery<'a> {
    #[serde(borrow)]
    pub(crate) message_id: Cow<'a, str>,
    #[serde(borrow)]
    from_peer_id: Cow<'a, str>,
    #[serde(borrow)]
    target_peer_id: Cow<'a, str>,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
    timestamp: u64,
}

/// The answer to a request for what was sent to a peer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fetched<'a> {
    success: bool,
    #[serde(borrow)]
    pub(crate) messages: Vec<&'a RawValue>,
    pub(crate) timestamp: u64,
}

/// The answer to a batch.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Results<'a> {
    #[serde(borrow)]
    pub(crate) results: Vec<&'a RawValue>,
}

impl<'a> Parcel<'a> {
    pub(crate) fn read(text: &'a str) -> Option<Parcel<'a>> {
        if text == r#"{"success":true,"type":"registered"}"# {
            return Some(Parcel::Registered);
        }
        let delivery = || Delivery::read(text).map(Parcel::Delivery);
        Answer::read(text).map(Parcel::Answer).or_else(delivery)
    }
}

impl<'a> Answer<'a> {
    /// `None` where it is none, or has members that do not go together.
    pub(crate) fn read(text: &'a str) -> Option<Answer<'a>> {
        let answer: Answer<'_> = serde_json::from_str(text).ok()?;
        let fits = if answer.success {
            answer.timestamp.is_some() && answer.error.is_none() && answer.queued != Some(false)
        } else {
            answer.timestamp.is_none()
                && answer.queued.is_none()
                && answer.error.as_ref().is_some_and(|text| !text.is_empty())
        };
        fits.then_some(answer)
    }
}

impl<'a> Delivery<'a> {
    pub(crate) fn read(text: &'a str) -> Option<Delivery<'a>> {
        serde_json::from_str(text).ok()
    }

    /// The same in the words of dialect A, so that one reading serves both. What dialect B does not say, the
    /// network of its receiver, is `network`.
    pub(crate) fn frame(&self, network: &'a str) -> Frame<'a> {
        // An introduction comes as an `announce` of the other peer.
        let introduction = self.kind == "announce" && Spelling::parse(&self.from_peer_id).is_some();
        Frame {
            kind: if introduction { Cow::Borrowed("peer-discovered") } else { self.kind.clone() },
            network: Cow::Borrowed(network),
            from: if introduction { Cow::Borrowed("system") } else { self.from_peer_id.clone() },
            target: self.target_peer_id.clone(),
            timestamp: self.timestamp,
            data: Some(self.data),
            error: None,
        }
    }

    /// Who it says it is from.
    pub(crate) fn from(&self) -> &str {
        &self.from_peer_id
    }

    /// The same as a text of dialect A.
    pub(crate) fn to_a(&self, network: &str) -> String {
        let frame = self.frame(network);
        let network = serde_json::to_string(network).unwrap_or_default();
        format!(
            r#"{{"type":"{}","data":{},"fromPeerId":"{}","targetPeerId":"{}","networkName":{network},"timestamp":{}}}"#,
            frame.kind, self.data, frame.from, frame.target, frame.timestamp
        )
    }
}

impl<'a> Fetched<'a> {
    pub(crate) fn read(text: &'a str) -> Option<Fetched<'a>> {
        serde_json::from_str(text).ok().filter(|fetched: &Fetched<'_>| fetched.success)
    }
}

impl<'a> Results<'a> {
    pub(crate) fn read(text: &'a str) -> Option<Results<'a>> {
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_exactly_the_members_of_its_kind() {
        for right in [
            r#"{"success":true,"messageId":"1-2","timestamp":7}"#,
            r#"{"success":true,"messageId":"1-2","queued":true,"timestamp":7}"#,
            r#"{"success":false,"error":"no","messageId":"1-2"}"#,
        ] {
            assert!(Answer::read(right).is_some(), "{right}");
        }
        for wrong in [
            r#"{"success":true,"messageId":"1-2"}"#,
            r#"{"success":true,"messageId":"1-2","queued":false,"timestamp":7}"#,
            r#"{"success":true,"messageId":"1-2","timestamp":7,"more":1}"#,
            r#"{"success":false,"error":"no","messageId":"1-2","timestamp":7}"#,
            r#"{"success":false,"error":"","messageId":"1-2"}"#,
        ] {
            assert!(Answer::read(wrong).is_none(), "{wrong}");
        }
    }
}
