//! The conversations in `golden/`: every message type and every refusal, with exact keys, types and order.
//!
//! `UPDATE_GOLDEN=1 cargo test -p peerpigeon-tests --test golden` writes down what the server does now; what
//! changed is then to be held against the protocol document, line by line.

use std::path::{Path, PathBuf};

use peerpigeon_tests::conversation::{difference, play};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name.replace('_', "-")).with_extension("txt")
}

fn replay(name: &str) {
    let path = file(name);
    let expected =
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let got = play(&expected);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, got).expect("the file can be written");
        return;
    }
    let difference = difference(&expected, &got);
    assert!(
        difference.is_empty(),
        "{} went otherwise (-: written down, +: now):\n{difference}",
        path.display()
    );
}

macro_rules! conversations {
    ($($name:ident)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                replay(stringify!($name));
            }
        )*
    };
}

conversations! {
    connecting
    connecting_without_a_valid_id
    announcing
    announcing_any_data
    announcing_network_names
    announcing_in_another_network
    introductions_by_max_peers
    signals
    signals_data
    signals_fields
    signals_without_announcing
    spelling
    offer_to_oneself
    goodbye
    goodbye_and_back
    disconnecting
    ping
    cleanup
    error_invalid_json
    error_invalid_message
    error_unknown_type
    error_missing_target
    error_target_not_connected
    error_other_network
    error_rate_limited
    error_too_large
    duplicate_challenged_and_alive
    duplicate_challenged_and_frozen
    duplicate_rejected
    duplicate_replacing
    mailbox
    mailbox_forgotten
    mailbox_none
    mailbox_off
    mailbox_full
    server_full
    silent_peer
}

#[test]
fn every_file_is_a_conversation_that_is_replayed() {
    let folder = file("x");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder.parent().expect("it lies in a folder"))
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    let mut replayed: Vec<PathBuf> = NAMES.iter().map(|name| file(name)).collect();
    files.sort();
    replayed.sort();
    assert_eq!(files, replayed);
}
