//! The words of the protocol: each thing has one, and it means one thing.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use peerpigeon_core::{CloseReason, ErrorCode, Signal, Verb};

#[test]
fn each_close_has_its_code_and_its_reason_and_none_is_1000() {
    let expected = [
        (1001, "Server shutting down"),
        (1001, "Inactive timeout"),
        (1008, "Invalid peerId: expected 40 hex digits"),
        (1008, "Token is for another peerId"),
        (1008, "Peer already connected"),
        (1008, "Rate limit exceeded"),
        (1013, "Maximum connections reached"),
        (1013, "Too many connections from this address"),
        (1013, "Too slow"),
        (4001, "Replaced by a newer connection"),
        (4001, "already_connected"),
    ];
    assert_eq!(CloseReason::ALL.map(|why| (why.code(), why.text())), expected);
    // RFC 6455 section 5.5: a close frame has no room for more.
    assert!(CloseReason::ALL.iter().all(|why| why.text().len() <= 123));
    assert_eq!(CloseReason::InvalidPeerId.name(), "Invalid peerId");
    assert_eq!(CloseReason::TooSlow.name(), "Too slow");
}

#[test]
fn each_signal_and_verb_is_found_by_its_name() {
    let signals = [
        "offer",
        "answer",
        "ice-candidate",
        "connection-rejected",
        "renegotiation-offer",
        "renegotiation-answer",
        "ice-restart-offer",
        "ice-restart-answer",
        "recovery-offer",
    ];
    assert_eq!(Signal::ALL.map(Signal::name), signals);
    assert_eq!(Signal::ALL.map(|signal| Signal::named(signal.name())), Signal::ALL.map(Some));
    let verbs = ["announce", "goodbye", "ping", "cleanup", "cleanup-all", "discover"];
    assert_eq!(Verb::ALL.map(Verb::name), verbs);
    for name in verbs.into_iter().chain(["", "Offer", "offer "]) {
        assert_eq!(Signal::named(name), None, "{name}");
    }
    assert_eq!(signals.into_iter().chain(verbs).collect::<BTreeSet<_>>().len(), 15);
}

#[test]
fn each_error_has_its_code() {
    let expected = [
        "invalid-json",
        "invalid-message",
        "unknown-type",
        "missing-target",
        "target-not-connected",
        "other-network",
        "not-announced",
        "forbidden",
        "rate-limited",
    ];
    assert_eq!(ErrorCode::ALL.map(ErrorCode::name), expected);
}
