//! The bodies that mean something to the server. What is wrong in one counts as absent: clients are never refused for it.

use alloc::borrow::Cow;

use super::values::{number, short_string};
use crate::wire::json::{each_member, says};
use crate::wire::scan::Scanner;

/// The body of an `announce`.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Announce<'a> {
    /// What is no string of up to 128 bytes comes as it was written. `None` when absent or `null`.
    pub(crate) instance_id: Option<Cow<'a, str>>,
}

impl<'a> Announce<'a> {
    pub(crate) fn read(body: Option<&'a str>) -> Announce<'a> {
        let mut instance_id = None;
        // An envelope has been read as a whole: how deep its body is nested was looked at then.
        let _ = each_member(body.unwrap_or_default(), u32::MAX, |member| {
            if says(member.key(), "instance_id") {
                instance_id = Some(member.value());
            }
        });
        let said = instance_id.filter(|raw| *raw != "null");
        Announce { instance_id: said.map(|raw| short_string(raw).unwrap_or(Cow::Borrowed(raw))) }
    }
}

/// The body of a `discover`.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Discover<'a> {
    /// Entries that the client wants at most; `None` when it is not a number.
    pub(crate) limit: Option<u32>,
    /// An array, as it came.
    exclude_peers: Option<&'a str>,
}

impl<'a> Discover<'a> {
    /// Elements of `exclude_peers` that are looked at. Clients name themselves and who they were before.
    pub(crate) const EXCLUDED: usize = 256;

    pub(crate) fn read(body: Option<&'a str>) -> Discover<'a> {
        let mut discover = Discover::default();
        let _ = each_member(body.unwrap_or_default(), u32::MAX, |member| {
            if says(member.key(), "limit") {
                discover.limit =
                    number(member.value()).map(|limit| u32::try_from(limit.unsigned()).unwrap_or(u32::MAX));
            } else if says(member.key(), "exclude_peers") {
                discover.exclude_peers = Some(member.value()).filter(|raw| raw.starts_with('['));
            }
        });
        discover
    }

    /// The ids that the client does not want to be told of, as far as they could be ids.
    pub(crate) fn excluded(&self) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
        let text = self.exclude_peers.unwrap_or("[]");
        let mut elements = Scanner::new(text, u32::MAX);
        let mut is_array = elements.take(b'[').is_ok() && elements.peek() != Some(b']');
        let raw = core::iter::from_fn(move || {
            if !is_array {
                return None;
            }
            let element = elements.value().ok()?;
            is_array = elements.peek() == Some(b',') && elements.take(b',').is_ok();
            // What the scanner takes begins and ends with ASCII characters.
            text.get(element)
        });
        raw.take(Discover::EXCLUDED).filter_map(short_string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    fn instance(body: &str) -> Option<String> {
        Announce::read(Some(body)).instance_id.map(Cow::into_owned)
    }

    fn excluded(body: &str) -> Vec<String> {
        Discover::read(Some(body)).excluded().map(Cow::into_owned).collect()
    }

    #[test]
    fn an_announce_names_its_network_or_does_not() {
        let body = r#"{"instance_id":"n","capabilities":{},"hints":{"instance_id":"x"}}"#;
        assert_eq!(instance(body).as_deref(), Some("n"));
        assert_eq!(instance(r#"{"instance_id":"x","inst\u0061nce_id":"\u00e4"}"#).as_deref(), Some("ä"));
        for body in ["{}", r#"{"hints":{"wants_peers":true}}"#, r#"{"instance_id":null}"#] {
            assert_eq!(instance(body), None, "{body}");
        }
        assert_eq!(Announce::read(None), Announce::default());
    }

    #[test]
    fn an_instance_id_that_can_be_no_network_is_not_one_that_is_missing() {
        let long = format!("\"{}\"", "x".repeat(129));
        for raw in ["7", "{}", "\"\"", r#""\ud800""#, &long] {
            let said = instance(&format!("{{\"instance_id\":{raw}}}"));
            assert!(said.is_some_and(|said| said == raw || said.is_empty()), "{raw}");
        }
    }

    #[test]
    fn a_discover_has_a_limit_if_it_is_a_number() {
        let limit = |raw: &str| Discover::read(Some(&format!("{{\"limit\":{raw}}}"))).limit;
        for (raw, expected) in [
            ("10", Some(10)),
            ("0", Some(0)),
            ("-3", Some(0)),
            ("2.9", Some(2)),
            ("1e400", Some(u32::MAX)),
            ("\"10\"", None),
            ("null", None),
        ] {
            assert_eq!(limit(raw), expected, "{raw}");
        }
        assert_eq!(Discover::read(Some("{}")).limit, None);
        assert_eq!(Discover::read(None), Discover::default());
    }

    #[test]
    fn excluded_peers_come_in_their_order_and_what_is_no_id_is_skipped() {
        let long = "x".repeat(129);
        let body = format!(
            r#"{{"exclude_peers":["x"],"exclude\u005fpeers": [ "a" ,"\u0062",7,null,["c"],"{long}","\ud800", "d"] }}"#
        );
        assert_eq!(excluded(&body), ["a", "b", "d"]);
        for body in ["{}", r#"{"exclude_peers":[]}"#, r#"{"exclude_peers":[ ]}"#, r#"{"exclude_peers":"a"}"#]
        {
            assert_eq!(excluded(body), Vec::<String>::new(), "{body}");
        }
        assert_eq!(Discover::read(None).excluded().count(), 0);
    }

    #[test]
    fn no_more_than_so_many_excluded_peers_are_looked_at() {
        let ids: Vec<String> = (0..1_000).map(|n: u32| format!("\"{n}\"")).collect();
        let read = excluded(&format!("{{\"exclude_peers\":[{}]}}", ids.join(",")));
        assert_eq!(read, (0..256).map(|n: u32| n.to_string()).collect::<Vec<_>>());
        assert_eq!(
            excluded(&format!("{{\"exclude_peers\":[{}\"a\"]}}", "1,".repeat(256))),
            Vec::<String>::new()
        );
    }

    #[test]
    fn the_bodies_of_clients_are_read_without_an_allocation() {
        let announce = r#"{"instance_id":"network","capabilities":{},"hints":{"wants_peers":true}}"#;
        let discover = format!(r#"{{"exclude_peers":["{}"],"limit":10}}"#, "ab".repeat(32));
        let counted = allocation_counter::measure(|| {
            assert_eq!(Announce::read(Some(announce)).instance_id.as_deref(), Some("network"));
            let discover = Discover::read(Some(&discover));
            assert_eq!((discover.limit, discover.excluded().count()), (Some(10), 1));
        });
        assert_eq!(counted.count_total, 0);
    }
}
