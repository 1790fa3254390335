//! `docs/ARCHITECTURE.md` names nothing that is not there.

use peerpigeon_tests::tools::repository;
use std::fs;
use std::path::Path;

/// What paths in the document are relative to.
const ROOTS: [&str; 3] = ["", "core/src", "server-mio/src"];

/// Names that are none of ours.
const FOREIGN: [&str; 8] =
    ["no_std", "now", "data", "impl Switchboard", "peerpigeon-simulator", "POST", "GET /signaling", "mod.rs"];

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(fs::read_to_string(path).unwrap());
        }
    }
}

fn is_path(name: &str) -> bool {
    let is_file =
        Path::new(name).extension().is_some_and(|kind| ["rs", "md", "js", "ld"].iter().any(|k| kind == *k));
    name.contains('/') || is_file
}

fn exists(name: &str) -> bool {
    ROOTS.iter().any(|root| repository().join(root).join(name).exists())
        || repository().join("server-mio/client").join(name).exists()
}

/// Whether one of `sources` has one of `words` before `name`, as in `fn name`.
fn is_defined<'a>(sources: impl IntoIterator<Item = &'a String>, words: &[&str], name: &str) -> bool {
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    sources.into_iter().any(|source| {
        words.iter().any(|word| {
            let definition = format!("{word}{name}");
            source.match_indices(&definition).any(|(at, _)| ends(&source[at + definition.len()..]))
        })
    })
}

const TYPES: [&str; 4] = ["struct ", "enum ", "trait ", "type "];

/// Whether the name of a type, a function, or a member of a type is in the source.
fn is_named(sources: &[String], name: &str) -> bool {
    let name = name.trim_start_matches(['&']).trim_start_matches("mut ");
    match name.split_once("::") {
        Some((owner, member)) => {
            let of_owner = |source: &&String| {
                is_defined([*source], &TYPES, owner)
                    || source.contains(&format!("impl {owner}"))
                    || source.contains(&format!("{owner}<N>"))
            };
            let variant = format!("    {member}");
            sources
                .iter()
                .filter(of_owner)
                .any(|source| is_defined([source], &["fn ", &variant[..4]], member))
        }
        // A variant of an output, as `Send`, too.
        None => is_defined(sources, &[&TYPES[..], &["fn ", "\n    "]].concat(), name),
    }
}

/// What stands between backquotes, and in diagrams what looks like a path or a member.
fn names(document: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (i, part) in document.split("```").enumerate() {
        if i % 2 == 1 {
            let words = part
                .split(|c: char| c.is_whitespace() || c == ',')
                .map(|word| word.trim_end_matches([':', ';']));
            let is_name = |word: &&str| word.ends_with(".rs") || word.contains("::");
            names.extend(words.filter(is_name).map(str::to_owned));
        } else {
            names.extend(part.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    names
}

#[test]
fn every_path_type_and_function_that_the_architecture_names_exists() {
    let document = fs::read_to_string(repository().join("docs/ARCHITECTURE.md")).unwrap();
    let mut found = Vec::new();
    for folder in ["core/src", "server-mio/src"] {
        sources(&repository().join(folder), &mut found);
    }
    let names = names(&document);
    assert!(names.len() > 150, "{}", names.len());
    let packages: Vec<String> = ["core", "server-mio", "simulator", "tests"]
        .map(|folder| fs::read_to_string(repository().join(folder).join("Cargo.toml")).unwrap())
        .into();
    let wrong: Vec<&String> = names
        .iter()
        .filter(|name| !FOREIGN.contains(&name.as_str()))
        .filter(|name| {
            if is_path(name) {
                !exists(name)
            } else {
                let is_package = packages.iter().any(|text| text.contains(&format!("name = \"{name}\"")));
                !is_package && !is_named(&found, name)
            }
        })
        .collect();
    assert_eq!(wrong, [""; 0], "docs/ARCHITECTURE.md");
}

#[test]
fn a_name_that_is_not_there_is_found() {
    let source =
        ["pub struct Left;\nimpl Left {\n    fn go(&self) {}\n}\nenum Way {\n    Up,\n}\n".to_owned()];
    for there in ["Left", "Left::go", "go", "Way::Up", "Up", "&mut Left"] {
        assert!(is_named(&source, there), "{there}");
    }
    for missing in ["Lef", "Left::stop", "Right", "Right::go", "Way::Down", "U"] {
        assert!(!is_named(&source, missing), "{missing}");
    }
    assert!(
        exists("switchboard/mod.rs") && exists("docs/ARCHITECTURE.md") && !exists("switchboard/nothing.rs")
    );
    assert_eq!(
        names("`a` b `c::d`\n```text\nx server/read.rs, A::b\n```\n`e`"),
        ["a", "c::d", "server/read.rs", "A::b", "e"]
    );
}
