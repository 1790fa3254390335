//! All tests of this folder as one program, for mutation testing: a mutant is linked twice and not a dozen times.
#![allow(clippy::duplicate_mod, reason = "each of them has its own driver where it runs alone")]

#[path = "adjusting.rs"]
mod adjusting;
#[path = "dialect_b.rs"]
mod dialect_b;
#[path = "drain.rs"]
mod drain;
#[path = "duplicates.rs"]
mod duplicates;
#[path = "grants.rs"]
mod grants;
#[path = "held.rs"]
mod held;
#[path = "http.rs"]
mod http;
#[path = "inboxes.rs"]
mod inboxes;
#[path = "introductions.rs"]
mod introductions;
#[path = "limits.rs"]
mod limits;
#[path = "links.rs"]
mod links;
#[path = "mail.rs"]
mod mail;
#[path = "mailboxes.rs"]
mod mailboxes;
#[path = "peers.rs"]
mod peers;
#[path = "signals.rs"]
mod signals;
#[path = "time.rs"]
mod time;
#[path = "words.rs"]
mod words;
