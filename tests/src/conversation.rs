//! Conversations with a server, as text: script and transcript in one file.
//!
//! ```text
//! # What is shown.
//! set MESSAGE_RATE=1
//! A connects /?peerId=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
//! A< {"type":"connected",…,"timestamp":<now>}
//! A> {"type":"ping"}
//! A< {"type":"pong",…}
//! ```
//!
//! | line | meaning |
//! | --- | --- |
//! | `# …`, empty | for the reader |
//! | `set NAME=VALUE` | a setting of the server; before the first action |
//! | `A connects TARGET` | a client named `A` upgrades with this request target |
//! | `A> TEXT`, `A binary> TEXT` | it sends a message |
//! | `A 12> TEXT` | it sends a message twelve times at once |
//! | `A closes CODE` | it sends a close frame and waits for the answer |
//! | `A drops` | its socket ends without a word |
//! | `A freezes` | from now on it neither reads nor answers |
//! | `A waits` | until something comes to it by itself |
//! | `A< TEXT` | what it got: a message |
//! | `A< close CODE REASON`, `A< lost` | the end of its connection |
//!
//! [`play`] carries out the actions and writes down what every client got because of each, exactly as it came,
//! with one exception: a `timestamp` that is the present time becomes `<now>`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::websocket::{self, opcode};
use crate::{Peer, Received, Server, wait_until};

/// Carries out the actions of `script`; gives it back with the lines that were received instead of those in it.
///
/// # Panics
///
/// When a line means nothing, or something awaited does not come.
#[must_use]
pub fn play(script: &str) -> String {
    let settings: Vec<(&str, &str)> = script
        .lines()
        .filter_map(|line| line.strip_prefix("set "))
        .filter_map(|set| set.split_once('='))
        .collect();
    let mut stage = Stage { server: Server::with(&settings), clients: Vec::new(), start: now_ms() };
    let mut transcript = String::new();
    for line in script.lines().filter(|line| !is_received(line)) {
        transcript.push_str(line);
        transcript.push('\n');
        if line.is_empty() || line.starts_with('#') || line.starts_with("set ") {
            continue;
        }
        stage.act(line);
        stage.settle(&mut transcript);
    }
    transcript
}

/// The lines in which two transcripts differ: `-` the first's, `+` the second's; empty when they are equal.
#[must_use]
pub fn difference(expected: &str, got: &str) -> String {
    let (expected, got): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), got.lines().collect());
    let same = |(a, b): &(&&str, &&str)| a == b;
    let head = expected.iter().zip(&got).take_while(same).count();
    let tail = expected[head..].iter().rev().zip(got[head..].iter().rev()).take_while(same).count();
    let context = expected[head.saturating_sub(3)..head].iter().map(|line| format!("  {line}\n"));
    let removed = expected[head..expected.len() - tail].iter().map(|line| format!("- {line}\n"));
    let added = got[head..got.len() - tail].iter().map(|line| format!("+ {line}\n"));
    let mut changed = removed.chain(added).peekable();
    if changed.peek().is_none() { String::new() } else { context.chain(changed).collect() }
}

/// ` 12> TEXT` as 12 and `TEXT`.
fn repeated(action: &str) -> Option<(usize, &str)> {
    let (count, text) = action.strip_prefix(' ')?.split_once("> ")?;
    Some((count.parse().ok()?, text))
}

/// Whether a line of a transcript says what a client got.
fn is_received(line: &str) -> bool {
    let name = line.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    !name.is_empty() && line[name.len()..].starts_with("< ")
}

struct Stage {
    server: Server,
    clients: Vec<Client>,
    start: u64,
}

struct Client {
    name: String,
    /// `None` once its connection is over.
    peer: Option<Peer>,
    is_frozen: bool,
    /// Received, not yet written down.
    received: Vec<Received>,
}

impl Stage {
    fn act(&mut self, line: &str) {
        let end = line.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(line.len());
        let (name, action) = line.split_at(end);
        if let Some(target) = action.strip_prefix(" connects ") {
            let peer = Peer::upgrade(self.server.address(), target);
            let client =
                Client { name: name.to_owned(), peer: Some(peer), is_frozen: false, received: Vec::new() };
            self.clients.retain(|client| client.name != name);
            return self.clients.push(client);
        }
        let connections = self.connections();
        let Some(client) = self.clients.iter_mut().find(|client| client.name == name) else {
            panic!("nobody is called {name}: {line}")
        };
        let Some(peer) = &mut client.peer else { panic!("{name} is not connected: {line}") };
        if let Some(text) = action.strip_prefix("> ") {
            peer.send(text);
        } else if let Some(text) = action.strip_prefix(" binary> ") {
            peer.send_bytes(&websocket::frame(opcode::BINARY, text.as_bytes()));
        } else if let Some((count, text)) = repeated(action) {
            (0..count).for_each(|_| peer.send(text));
        } else if let Some(code) = action.strip_prefix(" closes ") {
            let code = code.parse().unwrap_or_else(|error| panic!("{error}: {line}"));
            client.received = client.peer.take().map(|peer| peer.close(code, "")).unwrap_or_default();
            self.wait_for_connections(connections - 1);
        } else if action == " drops" {
            client.peer = None;
            self.wait_for_connections(connections - 1);
        } else if action == " freezes" {
            client.is_frozen = true;
            peer.freeze();
        } else if action == " waits" {
            client.received.push(peer.receive());
        } else {
            panic!("no action: {line}")
        }
    }

    fn connections(&self) -> u64 {
        self.server.gauge("/health", "connections")
    }

    fn wait_for_connections(&self, connections: u64) {
        wait_until(&format!("{connections} connections"), || self.connections() == connections);
    }

    /// Lets everybody read until nothing comes any more: one client's answer (a pong, say) can be what another one
    /// is waiting for, so everybody is asked until a whole round brought nothing.
    fn settle(&mut self, transcript: &mut String) {
        loop {
            let mut is_quiet = true;
            for client in self.clients.iter_mut().filter(|client| !client.is_frozen) {
                let Some(peer) = &mut client.peer else { continue };
                let pings = peer.pings();
                let received = if peer.is_over() { Vec::new() } else { peer.settle() };
                is_quiet &= received.is_empty() && peer.pings() == pings;
                client.received.extend(received);
            }
            if is_quiet {
                break;
            }
        }
        for client in &mut self.clients {
            let mut received = std::mem::take(&mut client.received);
            sort_introductions(&mut received);
            for received in received {
                if !matches!(received, Received::Text(_)) {
                    client.peer = None;
                }
                transcript.push_str(&format!("{}< {}\n", client.name, show(&received, self.start)));
            }
        }
    }
}

/// In which order a peer is told of several others depends on the numbers of their connections, and those on who else came.
fn sort_introductions(received: &mut [Received]) {
    let text = |received: &Received| match received {
        Received::Text(text) if text.starts_with(r#"{"type":"peer-discovered""#) => Some(text.clone()),
        Received::Text(_) | Received::Closed(_) | Received::Lost => None,
    };
    for several in received.chunk_by_mut(|one, two| text(one).is_some() == text(two).is_some()) {
        if text(&several[0]).is_some() {
            several.sort_by_key(text);
        }
    }
}

fn show(received: &Received, start: u64) -> String {
    match received {
        Received::Text(text) => with_placeholders(text, start),
        Received::Closed(Some((code, reason))) => format!("close {code} {reason}").trim_end().to_owned(),
        Received::Closed(None) => "close".to_owned(),
        Received::Lost => "lost".to_owned(),
    }
}

/// Replaces each `"timestamp":MS` whose value lies between `start` and now.
fn with_placeholders(text: &str, start: u64) -> String {
    const KEY: &str = r#""timestamp":"#;
    // The server computes wall time from its start in whole milliseconds, so it may be off by some.
    const SLACK_MS: u64 = 1_000;
    let mut parts = text.split(KEY);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown.push_str(KEY);
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        match part[..end].parse::<u64>() {
            Ok(ms) if (start - SLACK_MS..=now_ms() + SLACK_MS).contains(&ms) => {
                shown.push_str("<now>");
                shown.push_str(&part[end..]);
            }
            _ => shown.push_str(part),
        }
    }
    shown
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).expect("before the year 500 million")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_present_timestamps_become_placeholders() {
        let now = now_ms();
        let text = format!(r#"{{"data":{{"timestamp":1}},"timestamp":{now}}}"#);
        assert_eq!(with_placeholders(&text, now), r#"{"data":{"timestamp":1},"timestamp":<now>}"#);
    }

    #[test]
    fn a_difference_shows_the_lines_that_differ_and_those_before_them() {
        assert_eq!(difference("a\nb\nc\n", "a\nb\nc\n"), "");
        assert_eq!(difference("a\nb\nc\n", "a\nx\nc\n"), "  a\n- b\n+ x\n");
        assert_eq!(difference("a\n", "a\nb\n"), "  a\n+ b\n");
    }

    #[test]
    fn received_lines_are_told_from_actions() {
        assert!(is_received(r#"A< {"type":"pong"}"#));
        assert!(is_received("A2< close 1008 Invalid peerId"));
        assert!(!is_received(r#"A> {"text":"A< no"}"#));
        assert!(!is_received("# A< no"));
    }
}
