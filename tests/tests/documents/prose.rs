//! Prose is wrapped at 100 columns: `UPDATE_DOCUMENTS=1` wraps every paragraph that is not.

use crate::hold;
use peerpigeon_tests::tools::repository;
use std::fs;
use std::path::{Path, PathBuf};

const COLUMNS: usize = 100;

/// Every document of the repository, but for those of packages that are installed in it.
fn documents() -> Vec<PathBuf> {
    let root = repository();
    let mut found = Vec::new();
    for folder in [".", "docs", "server-mio/client", "bench/mesh-lab", "core"] {
        let files = fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        found.extend(files.filter(|path| path.extension().is_some_and(|kind| kind == "md")));
    }
    found.sort();
    found
}

/// What comes before the first word of a list item, as long as its text is indented below; empty for other lines.
fn marker(line: &str) -> &str {
    let text = line.trim_start();
    let behind_number = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = behind_number.strip_prefix(". ").filter(|_| behind_number.len() < text.len());
    let item = text.strip_prefix("* ").or_else(|| text.strip_prefix("- ")).or(numbered);
    item.map_or("", |item| &line[..line.len() - item.len()])
}

/// Tables, headings, quotes, comments and code stay as they are.
fn is_prose(line: &str) -> bool {
    let text = line.trim_start();
    let is_special = ["|", "#", ">", "<", "```", "["].iter().any(|start| text.starts_with(start));
    !text.is_empty() && (!is_special || text.starts_with('[') && !text.contains("]: "))
}

/// Whether a line could begin with this without becoming a heading, an item or a row.
fn may_begin(word: &str) -> bool {
    !word.starts_with(['#', '|', '>', '+'])
        && !["*", "-"].contains(&word)
        && marker(&format!("{word} ")).is_empty()
}

fn wrapped(paragraph: &[&str]) -> Vec<String> {
    let mark = marker(paragraph[0]);
    let indent = if mark.is_empty() {
        let line = paragraph[0];
        line[..line.len() - line.trim_start().len()].to_owned()
    } else {
        " ".repeat(mark.chars().count())
    };
    let mut lines = vec![if mark.is_empty() { indent.clone() } else { mark.to_owned() }];
    let mut is_empty = true;
    let text = paragraph.join(" ");
    for word in text[mark.len()..].split_whitespace() {
        let line = lines.last_mut().unwrap();
        let is_full = line.chars().count() + usize::from(!is_empty) + word.chars().count() > COLUMNS;
        if is_full && !is_empty && may_begin(word) {
            lines.push(format!("{indent}{word}"));
            continue;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines
}

/// The document with every paragraph wrapped that has too long a line.
pub(crate) fn wrap(document: &str) -> String {
    let mut result: Vec<String> = Vec::new();
    let mut paragraph: Vec<&str> = Vec::new();
    let mut is_code = false;
    let finish = |paragraph: &mut Vec<&str>, result: &mut Vec<String>| {
        if paragraph.iter().any(|line| line.chars().count() > COLUMNS) {
            result.extend(wrapped(paragraph));
        } else {
            result.extend(paragraph.iter().map(ToString::to_string));
        }
        paragraph.clear();
    };
    for line in document.lines() {
        let is_indented = line.starts_with("    ") && marker(line).is_empty() && paragraph.is_empty();
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        if is_code || is_indented || !is_prose(line) {
            finish(&mut paragraph, &mut result);
            result.push(line.to_owned());
            continue;
        }
        if !marker(line).is_empty() {
            finish(&mut paragraph, &mut result);
        }
        paragraph.push(line);
    }
    finish(&mut paragraph, &mut result);
    result.join("\n") + "\n"
}

#[test]
fn prose_has_at_most_100_columns() {
    let documents = documents();
    assert!(documents.len() > 10, "{documents:?}");
    for path in documents {
        let text = fs::read_to_string(&path).unwrap();
        hold(
            path.strip_prefix(repository()).unwrap_or_else(|_| Path::new("")).to_str().unwrap(),
            &wrap(&text),
        );
    }
}

/// As GitHub makes them of headings.
fn anchors(document: &str) -> Vec<String> {
    let headings = document.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let text = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            text.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
        })
        .collect()
}

#[test]
fn every_link_from_one_document_to_another_leads_somewhere() {
    let mut links = 0;
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.contains(char::is_whitespace) {
                continue;
            }
            links += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.with_file_name("").join(file) };
            assert!(target.exists(), "{}: {link}", path.display());
            if !anchor.is_empty() {
                let found = anchors(&fs::read_to_string(&target).unwrap());
                assert!(found.iter().any(|found| found == anchor), "{}: {link} of {found:?}", path.display());
            }
        }
    }
    assert!(links > 30, "{links}");
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.extension() {
            _ if path.is_dir() => sources(&path, found),
            Some(kind) if kind == "rs" => found.push(path),
            _ => {}
        }
    }
}

/// Comments that only ask what the name beside them answers.
const EMPTY: [&str; 10] =
    ["Which.", "Who.", "What.", "Whose.", "How.", "Where.", "Why.", "When.", "From whom.", "To whom."];

#[test]
fn no_comment_says_nothing() {
    let mut paths = Vec::new();
    for folder in ["core", "server-mio/src", "simulator/src", "tests/src"] {
        sources(&repository().join(folder), &mut paths);
    }
    assert!(paths.len() > 200, "{}", paths.len());
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let is_empty =
            |line: &&str| line.trim().strip_prefix("/// ").is_some_and(|text| EMPTY.contains(&text));
        assert_eq!(text.lines().find(is_empty), None, "{}", path.display());
    }
}

#[test]
fn the_readme_has_at_most_a_hundred_lines() {
    assert!(fs::read_to_string(repository().join("README.md")).unwrap().lines().count() <= 100);
}

#[test]
fn tables_code_and_headings_are_left_alone_and_items_keep_their_indent() {
    let long = "word ".repeat(30);
    let long = long.trim_end();
    for kept in [
        format!("| {long} |\n"),
        format!("    {long}\n"),
        format!("```\n{long}\n```\n"),
        format!("# {long}\n"),
        "short\nlines\n".to_owned(),
    ] {
        assert_eq!(wrap(&kept), kept);
    }
    let item = wrap(&format!("* one\n* {long}\n  1. two\n"));
    assert_eq!(item.lines().map(|line| &line[..5]).collect::<Vec<_>>(), ["* one", "* wor", "  wor", "  1. "]);
    assert!(item.lines().all(|line| line.len() <= COLUMNS), "{item}");
    // A number at the end of a sentence does not become an item.
    let text = format!("{} 12.", "x".repeat(98));
    assert_eq!(wrap(&format!("{text} {long}\n")).lines().next(), Some(text.as_str()));
}
