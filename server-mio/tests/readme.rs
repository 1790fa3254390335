//! The README and the source agree.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use peerpigeon_server::settings::markdown_table;
use std::{env, fs};

#[test]
fn the_settings_in_the_readme_are_those_of_the_source() {
    const START: &str = "<!-- settings -->\n";
    const END: &str = "<!-- /settings -->";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = fs::read_to_string(path).unwrap();
    let (before, rest) = readme.split_once(START).unwrap();
    let (table, after) = rest.split_once(END).unwrap();
    if env::var_os("UPDATE_README").is_some() {
        fs::write(path, format!("{before}{START}{}{END}{after}", markdown_table())).unwrap();
    } else {
        assert_eq!(table, markdown_table(), "run the test with UPDATE_README=1 to bring it in line");
    }
}
