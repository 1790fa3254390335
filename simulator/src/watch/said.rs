//! What a client said, read slowly and obviously: the simulator's own reading of the protocol.

use std::fmt;

use peerpigeon_core::{Limits, Signal, Spelling, Verb};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// One message of a client.
#[derive(Debug)]
pub(crate) enum Said<'a> {
    NotJson,
    NotObject,
    /// Nested deeper than [`Limits::nesting_levels`] allows by default; no scenario sets another limit.
    TooDeep,
    Message(Message<'a>),
}

/// The fields of an object as they came, the last of each name.
#[derive(Debug)]
pub(crate) struct Message<'a>(Vec<(String, &'a RawValue)>);

/// What a `type` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Signal(Signal),
    Verb(Verb),
}

impl<'a> Said<'a> {
    pub(crate) fn read(text: &'a str) -> Said<'a> {
        if serde_json::from_str::<&RawValue>(text).is_err() {
            return Said::NotJson;
        }
        if nesting(text) > Limits::default().nesting_levels {
            return Said::TooDeep;
        }
        serde_json::from_str(text).map_or(Said::NotObject, Said::Message)
    }

    pub(crate) fn message(&self) -> Option<&Message<'a>> {
        if let Said::Message(message) = self { Some(message) } else { None }
    }

    /// Who says it, by its own word.
    pub(crate) fn claimed(&self) -> Option<Spelling> {
        let Value::String(id) = self.message()?.value("peerId") else { return None };
        Spelling::parse(&id)
    }

    /// In dialect B, whether no event tells the end of it: a signal to all acquaintances, or a `register`.
    pub(crate) fn is_silent(&self) -> bool {
        let Some(message) = self.message() else { return false };
        message.is_register() || self.signal().is_some_and(|(_, message)| message.is_broadcast())
    }

    /// The signal of a message that is one, whether or not all of its fields are right.
    pub(crate) fn signal(&self) -> Option<(Signal, &Message<'a>)> {
        let Said::Message(message) = self else { return None };
        let Some(Kind::Signal(signal)) = message.kind() else { return None };
        Some((signal, message))
    }
}

impl<'a> Message<'a> {
    /// The raw text of a field.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.get())
    }

    /// The value of a field; `Null` where it is missing or cannot be represented.
    pub(crate) fn value(&self, name: &str) -> Value {
        self.raw(name).and_then(|raw| serde_json::from_str(raw).ok()).unwrap_or(Value::Null)
    }

    /// What its `type` asks for, where the protocol knows it.
    pub(crate) fn kind(&self) -> Option<Kind> {
        let Value::String(name) = self.value("type") else { return None };
        let signal = Signal::ALL.into_iter().find(|signal| signal.name() == name).map(Kind::Signal);
        let verb = || Verb::ALL.into_iter().find(|verb| verb.name() == name).map(Kind::Verb);
        signal.or_else(verb)
    }

    pub(crate) fn is_register(&self) -> bool {
        self.value("type") == "register"
    }

    /// Whether it names no target.
    pub(crate) fn is_broadcast(&self) -> bool {
        self.raw("targetPeerId").is_none_or(|raw| raw == "null" || raw == "\"\"")
    }

    /// Its network: missing, `null` and empty mean `global`; `Err` where it is no text.
    pub(crate) fn network(&self) -> Result<String, ()> {
        match self.value("networkName") {
            Value::Null if self.raw("networkName").is_none_or(|raw| raw == "null") => Ok("global".to_owned()),
            Value::String(name) if name.is_empty() => Ok("global".to_owned()),
            Value::String(name) => Ok(name),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Err(()),
        }
    }
}

impl<'de> Deserialize<'de> for Message<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Message<'de>, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Message<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Message<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Message(fields))
            }
        }
        from.deserialize_map(Fields)
    }
}

/// How deep objects and arrays lie in each other in a JSON text.
fn nesting(text: &str) -> u32 {
    let (mut open, mut most, mut in_string, mut escaped) = (0, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                open += 1;
                most = most.max(open);
            }
            b'}' | b']' if !in_string => open -= 1,
            _ => {}
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_each_field_counts_and_stays_as_it_was_written() {
        let Said::Message(message) =
            Said::read(r#"{"type":"ping","data":1,"type":"offer","data":[ 1e400 ],"networkName":null}"#)
        else {
            panic!("no message")
        };
        assert_eq!(message.kind(), Some(Kind::Signal(Signal::Offer)));
        assert_eq!(message.raw("data"), Some("[ 1e400 ]"));
        assert_eq!(message.network(), Ok("global".to_owned()));
    }

    #[test]
    fn what_is_no_object_is_told_from_what_is_no_json() {
        assert!(matches!(Said::read("{"), Said::NotJson));
        assert!(matches!(Said::read(""), Said::NotJson));
        assert!(matches!(Said::read("[]"), Said::NotObject));
        assert!(matches!(Said::read("\"x\""), Said::NotObject));
        let Said::Message(message) = Said::read(r#"{"networkName":1}"#) else { panic!("no message") };
        assert_eq!(message.network(), Err(()));
    }
}
