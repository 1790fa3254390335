//! `/status`: the figures of `/stats` for people.
//!
//! They are in the page as it is sent, so it needs no JavaScript; with it the page keeps itself up to date
//! and draws curves. Both fill the same places: elements with `data-show="KIND PATH"` and progress bars with
//! `data-ratio="VALUE MOST"`, paths into the answer of `/stats`.

use crate::http::{Answer, Status};
use crate::observe::snapshot::Snapshot;
use crate::observe::stats;
use core::fmt::Write as _;
use serde_json::Value;
use std::borrow::Cow;

pub(crate) fn page(snapshot: &Snapshot<'_>) -> Answer {
    Answer {
        status: Status::Ok,
        content_type: "text/html; charset=utf-8",
        // The token may be in its own address, which no other site may see. Nothing that a client sent is in
        // the page, so its scripts can only be ours.
        lines: "Cache-Control: no-store\r\n\
                Content-Security-Policy: default-src 'none'; script-src 'unsafe-inline'; \
                style-src 'unsafe-inline'; img-src data:; connect-src 'self'; base-uri 'none'; \
                form-action 'none'; frame-ancestors 'none'\r\n\
                Referrer-Policy: no-referrer\r\n\
                X-Content-Type-Options: nosniff\r\n"
            .into(),
        body: Cow::Owned(filled(include_str!("status.html"), &stats::values(snapshot)).into_bytes()),
    }
}

/// The page with all its places filled.
fn filled(template: &str, stats: &Value) -> String {
    let mut text = String::with_capacity(template.len() + 4_096);
    let mut rest = template;
    while let Some(at) = rest.find(" data-") {
        let (before, tag) = rest.split_at(at);
        text.push_str(before);
        let (attribute, behind) = tag.split_once('>').unwrap_or((tag, ""));
        let mut parts = attribute.splitn(3, '"');
        let (name, wanted) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let (first, second) = wanted.split_once(' ').unwrap_or((wanted, ""));
        text.push_str(attribute);
        // Writing to a string cannot fail.
        let _ = match name {
            " data-show=" => write!(text, ">{}", shown(first, find(stats, second))),
            " data-ratio=" => {
                write!(text, " value=\"{}\" max=\"{}\">", find(stats, first), find(stats, second))
            }
            _ => write!(text, ">"),
        };
        rest = behind;
    }
    text + rest
}

fn find<'v>(stats: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(stats, |value, key| &value[key])
}

/// As the script of the page shows it.
fn shown(kind: &str, value: &Value) -> String {
    match (kind, value) {
        ("bytes", value) => value.as_f64().map_or("unknown".to_owned(), bytes),
        ("time", value) => value.as_f64().map_or("unknown".to_owned(), time),
        ("rows", Value::Object(counts)) => {
            let some = counts.iter().filter(|(_, count)| count.as_u64() != Some(0));
            let rows: String = some
                .map(|(name, count)| {
                    format!("<tr><td>{name}</td><td>{}</td></tr>", grouped(&count.to_string()))
                })
                .collect();
            if rows.is_empty() { "<tr class=\"none\"><td>none</td><td></td></tr>".to_owned() } else { rows }
        }
        (_, Value::String(text)) => text.clone(),
        (_, value) => grouped(&value.to_string()),
    }
}

fn bytes(bytes: f64) -> String {
    const KIB: f64 = 1_024.0;
    const MIB: f64 = KIB * KIB;
    const GIB: f64 = KIB * MIB;
    let (size, unit) = match bytes {
        ..MIB => (bytes / KIB, "KiB"),
        ..GIB => (bytes / MIB, "MiB"),
        _ => (bytes / GIB, "GiB"),
    };
    let digits = if size < 100.0 { 1 } else { 0 };
    format!("{size:.digits$} {unit}")
}

fn time(seconds: f64) -> String {
    let (value, unit) = match seconds {
        ..60.0 => (seconds, "s"),
        ..3_600.0 => (seconds / 60.0, "min"),
        ..172_800.0 => (seconds / 3_600.0, "h"),
        _ => (seconds / 86_400.0, "days"),
    };
    format!("{} {unit}", value.floor())
}

/// Digits in groups of three.
fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_place_is_filled() {
        let template = r#"<p class="a" data-show="number peers"></p><b data-show="bytes memory.rss"></b>
            <progress data-ratio="peers most" aria-label="x"></progress><i data-show="text status">"#;
        let stats =
            json!({ "peers": 1_234_567, "most": 8, "status": "healthy", "memory": { "rss": 3_145_728 } });
        assert_eq!(
            filled(template, &stats),
            "<p class=\"a\" data-show=\"number peers\">1\u{202f}234\u{202f}567</p>\
             <b data-show=\"bytes memory.rss\">3.0 MiB</b>
            <progress data-ratio=\"peers most\" aria-label=\"x\" value=\"1234567\" max=\"8\"></progress>\
             <i data-show=\"text status\">healthy"
        );
    }

    #[test]
    fn numbers_and_times_are_for_people() {
        for (kind, value, expected) in [
            ("number", json!(0), "0"),
            ("number", json!(999), "999"),
            ("number", json!(1_000), "1\u{202f}000"),
            ("bytes", json!(512), "0.5 KiB"),
            ("bytes", json!(150_000), "146 KiB"),
            ("bytes", json!(6_319_136_768_u64), "5.9 GiB"),
            ("bytes", json!(null), "unknown"),
            ("time", json!(59.9), "59 s"),
            ("time", json!(3_599), "59 min"),
            ("time", json!(100_000), "27 h"),
            ("time", json!(864_000), "10 days"),
            ("rows", json!({ "a": 0 }), "<tr class=\"none\"><td>none</td><td></td></tr>"),
            ("rows", json!({ "a": 0, "b": 2_000 }), "<tr><td>b</td><td>2\u{202f}000</td></tr>"),
        ] {
            assert_eq!(shown(kind, &value), expected);
        }
    }

    #[test]
    fn the_page_asks_for_nothing_that_stats_do_not_have() {
        let page = include_str!("status.html");
        let stats = stats::tests::example();
        for wanted in page.split(" data-show=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            let (_, path) = wanted.split_once(' ').unwrap();
            assert!(!find(&stats, path).is_null(), "{path} in {stats}");
        }
        for wanted in page.split(" data-ratio=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(wanted.split(' ').all(|path| find(&stats, path).is_number()), "{wanted} in {stats}");
        }
    }
}
