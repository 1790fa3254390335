//! All integration tests of the core as one program: it is linked once and not two dozen times.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod adjusting;
mod backlogs;
mod charges;
mod cluster;
mod common;
mod dialect_b;
mod drain;
mod duplicates;
mod grants;
mod held;
mod http;
mod inboxes;
mod introductions;
mod json;
mod limits;
mod links;
mod mail;
mod mailboxes;
mod peers;
mod pools;
mod psp;
mod signals;
mod store;
mod time;
mod words;

#[test]
fn every_file_of_this_folder_is_part_of_this_program() {
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_module = path.is_dir() || path.extension().is_some_and(|kind| kind == "rs");
        let is_named = include_str!("all.rs").contains(&format!("\nmod {name};\n"));
        assert!(!is_module || name == "all" || is_named, "mod {name}; is missing");
    }
}
