//! The bodies that mean something to the server. What is wrong in one counts as absent: clients are never refused for it.

use alloc::borrow::Cow;

use super::read::{number, short_string};
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
