//! Texts with places that stand for something else.

use std::collections::BTreeMap;

/// What the message ids of one file are called, and what they are.
#[derive(Default)]
pub(crate) struct Names(BTreeMap<String, String>);

impl Names {
    /// Whether `got` is what `expected` says. What a name stands for is settled where it comes first; two names are not the same.
    pub(crate) fn fit(&mut self, expected: &str, got: &str, now: u64) -> bool {
        let expected = with_times(expected, now);
        let (mut expected, mut got) = (expected.as_str(), got);
        while let Some((before, rest)) = expected.split_once("\"<") {
            let Some((name, after)) = rest.split_once(">\"") else { return false };
            let Some(rest) = got.strip_prefix(before).and_then(|rest| rest.strip_prefix('"')) else {
                return false;
            };
            let Some((id, rest)) = rest.split_once('"') else { return false };
            if !self.is(name, id) {
                return false;
            }
            (expected, got) = (after, rest);
        }
        expected == got
    }

    fn is(&mut self, name: &str, id: &str) -> bool {
        match self.0.get(name) {
            Some(known) => known == id,
            None if self.0.values().any(|known| known == id) => false,
            None => self.0.insert(name.to_owned(), id.to_owned()).is_none(),
        }
    }

    /// `got` with names in it.
    pub(crate) fn written(&mut self, got: &str, now: u64) -> String {
        let got = without_times(got, now);
        let got = self.with_names(&got, "\"messageId\":\"", |_| true, None);
        let got = self.with_names(&got, "\"message_id\":\"", is_number, None);
        self.with_names(&got, "\"from\":\"", |id| id.starts_with("peerpigeon-"), Some("server"))
    }

    /// `got` with a name for each id that stands behind `before` and is one of the server's.
    fn with_names(
        &mut self,
        got: &str,
        before: &str,
        is_servers: impl Fn(&str) -> bool,
        name: Option<&str>,
    ) -> String {
        let (mut written, mut rest) = (String::new(), got);
        while let Some((passed, from_id)) = rest.split_once(before) {
            let (id, after) = from_id.split_once('"').expect("an id that ends");
            rest = after;
            if !is_servers(id) {
                written.push_str(&format!("{passed}{before}{id}\""));
                continue;
            }
            let known = self.0.iter().find(|(_, known)| *known == id).map(|(name, _)| name.clone());
            let fresh = || name.map_or_else(|| (self.0.len() + 1).to_string(), str::to_owned);
            let name = known.unwrap_or_else(fresh);
            self.0.insert(name.clone(), id.to_owned());
            written.push_str(&format!("{passed}{before}<{name}>\""));
        }
        written + rest
    }
}

/// As the server numbers its messages in dialect PSP.
fn is_number(id: &str) -> bool {
    id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `"<now>"` is the time, and `"<now-20>"` that of 20 milliseconds ago.
fn with_times(expected: &str, now: u64) -> String {
    let (mut written, mut rest) = (String::new(), expected);
    while let Some((before, from_time)) = rest.split_once("\"<now") {
        let (ago, after) = from_time.split_once(">\"").expect("a time that ends");
        let ago = ago.strip_prefix('-').map_or(0, |ago| ago.parse().expect("milliseconds"));
        written.push_str(&format!("{before}{}", now - ago));
        rest = after;
    }
    written + rest
}

/// The other way round: the time wherever it stands, and earlier ones at the end of an object, as lists have them.
fn without_times(got: &str, now: u64) -> String {
    const BEFORE: &str = "\"timestamp\":";
    let (mut written, mut rest) = (String::new(), got);
    while let Some((before, from_time)) = rest.split_once(BEFORE) {
        let end = from_time.find(|c: char| !c.is_ascii_digit()).unwrap_or(from_time.len());
        let (digits, after) = from_time.split_at(end);
        let ago = digits.parse::<u64>().ok().and_then(|time| now.checked_sub(time));
        let time = match ago {
            Some(0) => "\"<now>\"".to_owned(),
            Some(ago) if after.starts_with('}') => format!("\"<now-{ago}>\""),
            Some(_) | None => digits.to_owned(),
        };
        written.push_str(&format!("{before}{BEFORE}{time}"));
        rest = after;
    }
    written + rest
}

/// Whether a frame is like a template of the document, in which `ID`, `MS`, `TEXT`, `TYPE`, `CODE` and `…` stand for anything.
pub(crate) fn is_like(template: &str, frame: &str) -> bool {
    let mut literal = template.to_owned();
    for wildcard in ["ID", "MS", "TEXT", "TYPE", "CODE"] {
        for (before, after) in [(':', ','), (':', '}')] {
            literal = literal.replace(&format!("{before}{wildcard}{after}"), &format!("{before}…{after}"));
        }
    }
    let (mut pieces, mut rest) = (literal.split('…'), frame);
    let Some(first) = pieces.next() else { return false };
    let Some(after_first) = rest.strip_prefix(first) else { return false };
    rest = after_first;
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, middle)) = pieces.split_last() else { return rest.is_empty() };
    for piece in middle {
        let Some((_, after)) = rest.split_once(piece) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}
