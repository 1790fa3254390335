//! The vectors of the protocol (`docs/vectors`): what a client says, and what each connection gets, to the byte.
//!
//! Each file is one conversation with a fresh server: JSON lines of which the first may hold settings. In what is got,
//! `"<now>"` stands for the time, in milliseconds since 1970, `"<now-20>"` for that of 20 milliseconds ago, `"<1>"` for a message
//! id, and `"<server>"` for the id of the server in dialect PSP: each the same one wherever it stands.
//!
//! `UPDATE_VECTORS=1 cargo test -p peerpigeon-tests --test vectors` writes down what the core says now; what changed is then
//! to be held against docs/PROTOCOL.md, line by line.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod play;
mod wildcards;

use std::collections::{BTreeMap, BTreeSet};
use std::{env, fs};

use peerpigeon_core::{CloseReason, ErrorCode, Signal, Verb};
use peerpigeon_tests::tools::repository;
use play::{Stage, Step};
use wildcards::{Names, is_like};

/// A file's name, its lines, and what they say.
type File = (String, Vec<String>, Vec<Step>);

fn files() -> Vec<File> {
    let mut files = Vec::new();
    for entry in fs::read_dir(repository().join("docs/vectors")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let lines: Vec<String> = fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
        let step = |(at, line): (usize, &String)| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}:{}: {error}", at + 1))
        };
        let steps = lines.iter().enumerate().map(step).collect();
        files.push((name, lines, steps));
    }
    files.sort_by(|one, other| one.0.cmp(&other.0));
    files
}

fn document() -> String {
    fs::read_to_string(repository().join("docs/PROTOCOL.md")).unwrap()
}

#[test]
fn each_connection_gets_what_the_vectors_say_and_nothing_else() {
    let mut wrong = Vec::new();
    for (file, mut lines, steps) in files() {
        let (mut stage, mut names) = (Stage::new(&steps[0]), Names::default());
        for (at, step) in steps.iter().enumerate().skip(1) {
            stage.act(step);
            if env::var_os("UPDATE_VECTORS").is_some() {
                lines[at] = with_gets(&lines[at], &stage, &mut names);
                continue;
            }
            let connections: BTreeSet<&String> = step.gets.keys().chain(stage.got.keys()).collect();
            for who in connections {
                let expected = step.gets.get(who).map(Vec::as_slice).unwrap_or_default();
                let got = stage.got.get(who).map(Vec::as_slice).unwrap_or_default();
                let is_right = expected.len() == got.len()
                    && expected.iter().zip(got).all(|(one, other)| names.fit(one.get(), other, stage.wall()));
                if !is_right {
                    let expected: Vec<&str> = expected.iter().map(|raw| raw.get()).collect();
                    let (expected, got) = (expected.join("\n    "), got.join("\n    "));
                    wrong.push(format!(
                        "{file}:{} {who} is to get\n    {expected}\nand got\n    {got}",
                        at + 1
                    ));
                }
            }
        }
        if env::var_os("UPDATE_VECTORS").is_some() {
            fs::write(repository().join("docs/vectors").join(&file), lines.join("\n") + "\n").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A line with what came of it.
fn with_gets(line: &str, stage: &Stage, names: &mut Names) -> String {
    let asked = line.split_once(",\"gets\":").map_or(&line[..line.len() - 1], |(asked, _)| asked);
    let each = |(who, got): (&String, &Vec<String>)| {
        let got: Vec<String> = got.iter().map(|text| names.written(text, stage.wall())).collect();
        format!("\"{who}\":[{}]", got.join(","))
    };
    let gets: Vec<String> = stage.got.iter().map(each).collect();
    if gets.is_empty() { format!("{asked}}}") } else { format!("{asked},\"gets\":{{{}}}}}", gets.join(",")) }
}

/// Everything that is sent or posted, and everything that is got.
fn frames(files: &[File]) -> (Vec<&str>, Vec<&str>) {
    let steps = || files.iter().flat_map(|(_, _, steps)| steps);
    let said = steps().flat_map(|step| step.sends.iter().chain(&step.posts));
    let got = steps().flat_map(|step| step.gets.values().flatten());
    (said.map(|raw| raw.get()).collect(), got.map(|raw| raw.get()).collect())
}

/// What is in backquotes in the first column of the document's table with this head, each with what stands before it there.
fn listed<'a>(document: &'a str, head: &str) -> Vec<(&'a str, &'a str)> {
    let (_, table) = document.split_once(head).unwrap_or_else(|| panic!("no table {head}"));
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    cells
        .flat_map(|cell| {
            let parts: Vec<&str> = cell.split('`').collect();
            parts.chunks_exact(2).map(|pair| (pair[0].trim(), pair[1])).collect::<Vec<_>>()
        })
        .collect()
}

const CLIENT_SENDS: &str = "| client sends | server does |";
const PAGE_SENDS: &str = "| page sends | server does |";
const PSP_CODES: &str = "| code of PSP | refused because |";
const SERVER_SENDS: &str = "| server sends | when | `data` |";
const CODES: &str = "| code | refused because |";
const CLOSES: &str = "| code, reason | when |";

#[test]
fn the_document_lists_the_types_the_codes_and_the_closes_that_the_core_knows() {
    fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
        let mut items: Vec<T> = items.collect();
        items.sort();
        items
    }
    let document = document();
    let names = |head: &str| sorted(listed(&document, head).into_iter().map(|(_, name)| name.to_owned()));
    let types =
        Signal::ALL.iter().map(|signal| signal.name()).chain(Verb::ALL.iter().map(|verb| verb.name()));
    let types = types.filter(|name| *name != Verb::Discover.name());
    assert_eq!(names(CLIENT_SENDS), sorted(types.map(str::to_owned)));
    assert_eq!(names(CODES), sorted(ErrorCode::ALL.iter().map(|code| code.name().to_owned())));
    let closes = listed(&document, CLOSES).into_iter().map(|(code, text)| format!("{code} {text}"));
    let known = CloseReason::ALL.iter().map(|why| format!("{} {}", why.code(), why.text()));
    assert_eq!(sorted(closes), sorted(known));
}

#[test]
fn there_are_vectors_for_every_type_every_code_and_every_close_of_the_document() {
    let (files, document) = (files(), document());
    let (said, got) = frames(&files);
    assert!(said.len() >= 60, "{} vectors", said.len());
    let is_sent = |dialect: &str, kind: &str| {
        let of = format!("\"sends\":{{\"type\":\"{kind}\"");
        let mut files = files.iter().filter(|(file, ..)| file.starts_with(dialect));
        files.any(|(_, lines, _)| lines.iter().any(|line| line.contains(&of)))
    };
    let is_got = |part: &str| got.iter().any(|frame| frame.contains(part));
    let mut wanted: BTreeMap<String, bool> = BTreeMap::new();
    for (_, kind) in listed(&document, CLIENT_SENDS) {
        for dialect in ["a", "b"] {
            wanted.insert(
                format!("a client sends {kind}, dialect {dialect}"),
                is_sent(&format!("{dialect}-"), kind),
            );
        }
    }
    for (_, kind) in listed(&document, SERVER_SENDS) {
        wanted.insert(format!("the server sends {kind}"), is_got(&format!("{{\"type\":\"{kind}\"")));
    }
    let of_pages = listed(&document, PAGE_SENDS);
    assert_eq!(of_pages.len(), 19, "PSP 1.0 has 19 types: {of_pages:?}");
    for (_, kind) in of_pages {
        let of = format!("\"sends\":{{\"psp_version\":\"1.0\",\"type\":\"{kind}\"");
        let is_there = files.iter().any(|(_, lines, _)| lines.iter().any(|line| line.contains(&of)));
        wanted.insert(format!("a page sends {kind}"), is_there);
    }
    let of_psp = listed(&document, PSP_CODES);
    assert_eq!(of_psp.len(), 11, "{of_psp:?}");
    for (_, code) in of_psp.into_iter().chain(listed(&document, CODES)) {
        wanted.insert(format!("a refusal is {code}"), is_got(&format!("\"code\":\"{code}\"")));
    }
    for (code, text) in listed(&document, CLOSES) {
        let close = format!("{{\"close\":{code},\"reason\":\"{text}\"}}");
        wanted.insert(format!("a close is {code} {text}"), is_got(&close));
    }
    let missing: Vec<&String> =
        wanted.iter().filter(|(_, is_there)| !**is_there).map(|(what, _)| what).collect();
    assert!(missing.is_empty(), "no vector of {missing:#?}");
}

#[test]
fn every_frame_that_the_document_shows_is_one_of_a_vector() {
    let files = files();
    let (said, got) = frames(&files);
    let document = document();
    let spans = document.split('`').chain(document.lines().filter_map(|line| line.strip_prefix("    ")));
    let shown: Vec<&str> =
        spans.map(str::trim).filter(|span| span.starts_with("{\"") && span.contains("\":")).collect();
    assert!(shown.len() >= 8, "{shown:#?}");
    for template in shown {
        let is_there = said.iter().chain(&got).any(|frame| {
            let body = frame.split_once("\"body\":").map_or(*frame, |(_, body)| body.trim_end_matches('}'));
            is_like(template, frame) || is_like(template, &format!("{body}}}"))
        });
        assert!(is_there, "no vector has a frame like {template}");
    }
}
