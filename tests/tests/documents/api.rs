//! `docs/api.txt`: everything public of the core. A change that breaks who uses it shows as a line that is gone or differs.

use crate::hold;
use core::fmt::Write as _;
use peerpigeon_tests::tools::repository;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const HEAD: &str = "\
# Everything public of peerpigeon-core, made from its source by a test. A line that goes or changes here is a
# version that breaks; so is a new variant of an enum that is not #[non_exhaustive], or a new public field.
";

/// The names that `lib.rs` exports.
fn exported(library: &str) -> BTreeSet<&str> {
    let uses = library.split("\npub use ").skip(1).filter_map(|rest| rest.split(';').next());
    let names = uses.flat_map(|list| list.rsplit("::").next().unwrap_or_default().split([',', '{', '}']));
    names.map(str::trim).filter(|name| !name.is_empty()).collect()
}

/// The name of a type in `Name<'_>` or `Name {`.
fn name_of(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// A signature that is written over several lines, as one; `rest` is what follows its first line.
fn signature(first: &str, rest: &[&str]) -> String {
    let mut text = first.trim().to_owned();
    for line in rest {
        if text.ends_with(['{', ';']) || text.contains(" = ") {
            break;
        }
        let line = line.trim();
        let glue = if text.ends_with('(') || line.starts_with(')') { "" } else { " " };
        text = format!("{text}{glue}{line}");
    }
    text.trim_end_matches(['{', ';', ' ']).split(" = ").next().unwrap_or_default().replace(",)", ")")
}

/// What a block of rustfmt's layout holds: the lines to the brace below its first line.
fn block<'a>(lines: &'a [&'a str]) -> &'a [&'a str] {
    let end = lines.iter().position(|line| *line == "}").unwrap_or(0);
    &lines[..end]
}

fn is_code(line: &str) -> bool {
    let text = line.trim();
    !text.is_empty() && !text.starts_with("//")
}

/// Public items of one file, by the type that they belong to.
fn items(source: &str, exported: &BTreeSet<&str>, found: &mut BTreeMap<String, Vec<String>>) {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines: Vec<&str> = code.lines().filter(|line| is_code(line)).collect();
    let mut attributes: Vec<&str> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let rest = &lines[at + 1..];
        if line.starts_with("#[") {
            attributes.push(line);
            continue;
        }
        let attributes = std::mem::take(&mut attributes);
        let kinds = ["struct ", "enum ", "trait ", "type ", "const ", "fn "];
        let definition = line
            .strip_prefix("pub ")
            .and_then(|text| kinds.iter().find_map(|kind| text.strip_prefix(kind)).map(name_of));
        if let Some(name) = definition.filter(|name| exported.contains(name)) {
            let about = attributes.iter().filter(|a| a.contains("derive") || a.contains("non_exhaustive"));
            let mut of_item: Vec<String> = about.map(ToString::to_string).collect();
            of_item.push(signature(line, &[]));
            if line.ends_with('{') {
                let is_public = |member: &&&str| line.contains("enum ") || member.starts_with("    pub ");
                of_item.extend(block(rest).iter().filter(is_public).map(ToString::to_string));
            }
            // In front of what its blocks of `impl` have added.
            let items = found.entry(name.to_owned()).or_default();
            items.splice(0..0, of_item);
        } else if let Some(text) =
            line.strip_prefix("impl").and_then(|text| text.split_once(' ')).map(|(_, t)| t)
        {
            let (of_trait, owner) = text.rsplit_once(" for ").map_or(("", text), |(_, owner)| (line, owner));
            let name = name_of(owner);
            if !exported.contains(name) {
                continue;
            }
            let items = found.entry(name.to_owned()).or_default();
            if !of_trait.is_empty() {
                items.push(signature(line, &[]).trim_end_matches("{}").trim().to_owned());
                continue;
            }
            let body = block(rest);
            for (at, member) in body.iter().enumerate().filter(|(_, member)| member.starts_with("    pub ")) {
                let is_visible =
                    ["    pub fn", "    pub const"].iter().any(|start| member.starts_with(start));
                if is_visible {
                    items.push(format!("    {}", signature(member, &body[at + 1..])));
                }
            }
        }
    }
}

fn collect(folder: &Path, exported: &BTreeSet<&str>, found: &mut BTreeMap<String, Vec<String>>) {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, exported, found);
        } else {
            items(&fs::read_to_string(path).unwrap(), exported, found);
        }
    }
}

#[test]
fn the_listing_of_the_public_interface_of_the_core() {
    let folder = repository().join("core/src");
    let library = fs::read_to_string(folder.join("lib.rs")).unwrap();
    let exported = exported(&library);
    let mut found = BTreeMap::new();
    collect(&folder, &exported, &mut found);
    let missing: Vec<_> = exported.iter().filter(|name| !found.contains_key(**name)).collect();
    assert!(missing.is_empty(), "not found: {missing:?}");
    let mut text = HEAD.to_owned();
    for items in found.values() {
        writeln!(text, "\n{}", items.join("\n")).unwrap();
    }
    hold("docs/api.txt", &text);
}

#[test]
fn a_change_of_each_kind_shows_in_the_listing() {
    let list = |source: &str| {
        let mut found = BTreeMap::new();
        items(source, &BTreeSet::from(["Door", "Way"]), &mut found);
        found.into_values().flatten().collect::<Vec<_>>().join("\n")
    };
    let source = "\
/// A door.
#[derive(Clone)]
pub struct Door {
    /// Its width.
    pub width: u8,
    height: u8,
}

impl Door {
    /// Opens it.
    #[must_use]
    pub fn open(
        &self,
        by: u8,
    ) -> u8 {
        by
    }
    pub(crate) fn close(&self) {}
    pub const WIDE: u8 = 5;
}

impl Copy for Door {}

pub enum Way {
    In,
    Out {
        fast: bool,
    },
}
";
    let listing = list(source);
    assert_eq!(
        listing,
        "#[derive(Clone)]\npub struct Door\n    pub width: u8,\n    pub fn open(&self, by: u8) -> u8\n    pub const WIDE: u8\n\
         impl Copy for Door\npub enum Way\n    In,\n    Out {\n        fast: bool,\n    },"
    );
    for (from, to) in
        [("pub width", "width"), ("by: u8", "by: u16"), ("    In,\n", ""), ("impl Copy", "impl Eq")]
    {
        assert_ne!(list(&source.replace(from, to)), listing, "{from}");
    }
    for (from, to) in [("A door", "The door"), ("    height: u8,\n", ""), ("fn close", "fn shut")] {
        assert_eq!(list(&source.replace(from, to)), listing, "{from}");
    }
}
