//! Texts with places that stand for something else.

use std::collections::BTreeMap;

/// What the message ids of one file are called, and what they are.
#[derive(Default)]
pub(crate) struct Names(BTreeMap<String, String>);

impl Names {
    /// Whether `got` is what `expected` says. What a name stands for is settled where it comes first; two names are not the same.
    pub(crate) fn fit(&mut self, expected: &str, got: &str, now: u64) -> bool {
        let expected = expected.replace("\"<now>\"", &now.to_string());
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
        const BEFORE: &str = "\"messageId\":\"";
        let got = got.replace(&format!("\"timestamp\":{now}"), "\"timestamp\":\"<now>\"");
        let (mut written, mut rest) = (String::new(), got.as_str());
        while let Some((before, from_id)) = rest.split_once(BEFORE) {
            let (id, after) = from_id.split_once('"').expect("an id that ends");
            let known = self.0.iter().find(|(_, known)| *known == id).map(|(name, _)| name.clone());
            let name = known.unwrap_or_else(|| (self.0.len() + 1).to_string());
            self.0.insert(name.clone(), id.to_owned());
            written.push_str(&format!("{before}{BEFORE}<{name}>\""));
            rest = after;
        }
        written + rest
    }
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
