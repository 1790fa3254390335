//! Counters, from nothing but the events of the core.

use peerpigeon_core::{
    CloseReason, Departure, ErrorCode, Event, Gone, Limit, MailEnd, Occasion, Signal, Verb,
};

/// How often each thing has happened since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerCounters {
    /// WebSocket connections.
    pub opened: u64,
    /// Connections that got their `connected`.
    pub admitted: u64,
    /// `announce` messages that were followed.
    pub announced: u64,
    /// Times that a peer was told to take one that had refused it off its list.
    pub struck: u64,
    /// Refusals that were not relayed, since they crossed with an offer of their sender.
    pub withheld: u64,
    /// Frames that went from one page to another (dialect PSP).
    pub passed_on: u64,
    /// Bytes of these.
    pub passed_on_bytes: u64,
    /// Lists of peers that were sent (dialect PSP).
    pub lists: u64,
    /// Peers on them, all together.
    pub listed: u64,
    /// Signals kept for an absent peer.
    pub mailed: u64,
    /// Sweeps of expired state.
    pub swept: u64,
    /// Messages kept for peers that signal without a WebSocket.
    pub shelved: u64,
    /// Signals that came from peers of other nodes and went to their targets.
    pub arrived: u64,
    /// Other nodes that came, for the first time or anew.
    pub nodes_opened: u64,
    /// Other nodes that said goodbye.
    pub nodes_left: u64,
    /// Other nodes that were heard no more.
    pub nodes_dead: u64,
    /// What came by the bus and was no frame.
    pub frames_refused: u64,
    accepted: [u64; Signal::ALL.len()],
    accepted_bytes: [u64; Signal::ALL.len()],
    relayed: [u64; Signal::ALL.len()],
    relayed_bytes: [u64; Signal::ALL.len()],
    handled: [u64; Verb::ALL.len()],
    refused: [u64; ErrorCode::ALL.len()],
    held: [u64; CloseReason::ALL.len()],
    closed: [u64; CloseReason::ALL.len()],
    lost: [u64; LOST.len()],
    introduced: [u64; OCCASIONS.len()],
    mail_ended: [u64; MAIL_ENDS.len()],
    shelf_ended: [u64; MAIL_ENDS.len()],
    letter_ended: [u64; MAIL_ENDS.len()],
    limited: [u64; Limit::ALL.len()],
}

impl PeerCounters {
    /// Counts one event.
    pub fn count(&mut self, event: &Event) {
        match event {
            Event::Opened { .. } => self.opened += 1,
            Event::Admitted { .. } => self.admitted += 1,
            Event::Announced { .. } => self.announced += 1,
            Event::Introduced { occasion, .. } => self.introduced[*occasion as usize] += 1,
            Event::Struck { .. } => self.struck += 1,
            Event::Withheld { .. } => self.withheld += 1,
            Event::Accepted { signal, bytes, .. } => {
                self.accepted[*signal as usize] += 1;
                self.accepted_bytes[*signal as usize] += u64::from(*bytes);
            }
            Event::Relayed { signal, bytes, .. } => {
                self.relayed[*signal as usize] += 1;
                self.relayed_bytes[*signal as usize] += u64::from(*bytes);
            }
            Event::PassedOn { bytes, .. } => {
                self.passed_on += 1;
                self.passed_on_bytes += u64::from(*bytes);
            }
            Event::Listed { peers, .. } => {
                self.lists += 1;
                self.listed += u64::from(*peers);
            }
            Event::Mailed { .. } => self.mailed += 1,
            Event::MailEnded { end, .. } => self.mail_ended[*end as usize] += 1,
            Event::Shelved { .. } => self.shelved += 1,
            Event::LetterEnded { end, .. } => self.letter_ended[*end as usize] += 1,
            Event::ShelfEnded { end, .. } => self.shelf_ended[*end as usize] += 1,
            Event::Held { why, .. } => self.held[*why as usize] += 1,
            Event::Refused { code, .. } => self.refused[*code as usize] += 1,
            Event::Handled { verb, .. } => self.handled[*verb as usize] += 1,
            Event::Limited { limit, .. } => self.limited[*limit as usize] += 1,
            Event::Swept { .. } => self.swept += 1,
            Event::Arrived { .. } => self.arrived += 1,
            Event::NodeOpened { .. } => self.nodes_opened += 1,
            Event::NodeClosed { said_bye: true, .. } => self.nodes_left += 1,
            Event::NodeClosed { said_bye: false, .. } => self.nodes_dead += 1,
            Event::FrameRefused => self.frames_refused += 1,
            Event::Gone { cause: Departure::Closed(why), .. } => self.closed[*why as usize] += 1,
            Event::Gone { cause: Departure::Lost(how), .. } => self.lost[*how as usize] += 1,
            // No connection ends by these two; they end a stay in a network.
            Event::Gone { cause: Departure::Goodbye | Departure::Moved, .. }
            | Event::Left { .. }
            | Event::NetworkOpened { .. }
            | Event::NetworkClosed { .. } => {}
        }
    }

    /// Messages that were read, each counted once by what came of it: an accepted signal is relayed, mailed or
    /// refused at once.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.mailed
            + self.passed_on
            + self.relayed.iter().chain(&self.handled).chain(&self.refused).sum::<u64>()
    }

    /// Signals relayed, of all types and dialects.
    #[must_use]
    pub fn relays(&self) -> u64 {
        self.passed_on + self.relayed.iter().sum::<u64>()
    }

    /// Messages that were answered with an `error`.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.refused.iter().sum()
    }

    /// Signals accepted, by type.
    pub fn accepted(&self) -> impl Iterator<Item = (&'static str, u64)> {
        named(Signal::ALL, Signal::name, &self.accepted)
    }

    /// Bytes of the `data` of accepted signals, by type.
    pub fn accepted_bytes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        named(Signal::ALL, Signal::name, &self.accepted_bytes)
    }

    /// Signals relayed, by type.
    pub fn relayed(&self) -> impl Iterator<Item = (&'static str, u64)> {
        named(Signal::ALL, Signal::name, &self.relayed)
    }

    /// Bytes of the messages that were relayed, by type.
    pub fn relayed_bytes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        named(Signal::ALL, Signal::name, &self.relayed_bytes)
    }

    /// Bytes of all messages that were relayed.
    #[must_use]
    pub fn relayed_bytes_total(&self) -> u64 {
        self.relayed_bytes.iter().sum()
    }

    /// Messages handled by the server itself, by type.
    pub fn handled(&self) -> impl Iterator<Item = (&'static str, u64)> {
        named(Verb::ALL, Verb::name, &self.handled)
    }

    /// Messages refused, by code.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        named(ErrorCode::ALL, ErrorCode::name, &self.refused)
    }

    /// Connections that were held, by what they would be told.
    pub fn held(&self) -> impl Iterator<Item = (&'static str, u64)> {
        named(CloseReason::ALL, CloseReason::text, &self.held)
    }

    /// Connections closed by the server, by why.
    pub fn closes(&self) -> impl Iterator<Item = (CloseReason, u64)> {
        CloseReason::ALL.into_iter().zip(self.closed)
    }

    /// Connections closed by the server, by reason.
    pub fn closed(&self) -> impl Iterator<Item = (&'static str, u64)> {
        named(CloseReason::ALL, CloseReason::text, &self.closed)
    }

    /// Connections that ended otherwise, by how.
    pub fn lost(&self) -> impl Iterator<Item = (&'static str, u64)> {
        named(LOST, gone_name, &self.lost)
    }

    /// Introductions, by occasion.
    pub fn introduced(&self) -> impl Iterator<Item = (&'static str, u64)> {
        named(OCCASIONS, occasion_name, &self.introduced)
    }

    /// Ends of messages that were kept for peers without a WebSocket, by how.
    pub fn shelf_ended(&self) -> impl Iterator<Item = (&'static str, u64)> {
        named(MAIL_ENDS, mail_end_name, &self.shelf_ended)
    }

    /// Limits that were met, by the setting.
    pub fn limited(&self) -> impl Iterator<Item = (&'static str, u64)> {
        named(Limit::ALL, limit_name, &self.limited)
    }

    /// Ends of mails, by how.
    pub fn mail_ended(&self) -> impl Iterator<Item = (&'static str, u64)> {
        named(MAIL_ENDS, mail_end_name, &self.mail_ended)
    }
}

fn named<K, const N: usize>(
    keys: [K; N],
    name: fn(K) -> &'static str,
    counts: &[u64; N],
) -> impl Iterator<Item = (&'static str, u64)> {
    keys.into_iter().map(name).zip(counts.iter().copied())
}

fn limit_name(limit: Limit) -> &'static str {
    match limit {
        Limit::MessageRate => "MESSAGE_RATE",
        Limit::ByteRate => "BYTE_RATE",
        Limit::JsonDepth => "MAX_JSON_DEPTH",
        Limit::AnnouncedData => "MAX_ANNOUNCED_DATA",
        Limit::NetworkName => "MAX_NETWORK_NAME",
        Limit::Networks => "MAX_NETWORKS",
        Limit::FanOut => "MAX_FAN_OUT",
        Limit::Acquaintances => "MAX_ACQUAINTANCES",
        Limit::Mailbox => "MAILBOX_BYTES",
        Limit::Queue => "MAX_QUEUE_SIZE",
    }
}

fn gone_name(gone: Gone) -> &'static str {
    match gone {
        Gone::Closed => "closed",
        Gone::Reset => "reset",
        Gone::ProtocolError => "protocol-error",
        Gone::TooBig => "too-big",
    }
}

fn occasion_name(occasion: Occasion) -> &'static str {
    match occasion {
        Occasion::Announce => "announce",
        Occasion::Healing => "healing",
        Occasion::Again => "again",
        Occasion::Free => "free",
    }
}

fn mail_end_name(end: MailEnd) -> &'static str {
    match end {
        MailEnd::Delivered => "delivered",
        MailEnd::Expired => "expired",
        MailEnd::Dropped => "dropped",
        MailEnd::Forgotten => "forgotten",
        MailEnd::Stored => "stored",
    }
}

// In the order of their declaration: the counters are indexed by it.
const LOST: [Gone; 4] = [Gone::Closed, Gone::Reset, Gone::ProtocolError, Gone::TooBig];
const OCCASIONS: [Occasion; 4] = [Occasion::Announce, Occasion::Healing, Occasion::Again, Occasion::Free];
const MAIL_ENDS: [MailEnd; 5] =
    [MailEnd::Delivered, MailEnd::Expired, MailEnd::Dropped, MailEnd::Forgotten, MailEnd::Stored];

#[cfg(test)]
mod tests {
    use super::*;
    use peerpigeon_core::{ConnId, PeerId};

    #[test]
    fn every_count_is_kept_under_its_own_name() {
        for (i, signal) in Signal::ALL.into_iter().enumerate() {
            assert_eq!(signal as usize, i);
        }
        for (i, verb) in Verb::ALL.into_iter().enumerate() {
            assert_eq!(verb as usize, i);
        }
        for (i, code) in ErrorCode::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, i);
        }
        for (i, why) in CloseReason::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, i);
        }
        assert!(Limit::ALL.into_iter().enumerate().all(|(i, limit)| limit as usize == i));
        assert!(LOST.into_iter().enumerate().all(|(i, gone)| gone as usize == i));
        assert!(OCCASIONS.into_iter().enumerate().all(|(i, occasion)| occasion as usize == i));
        assert!(MAIL_ENDS.into_iter().enumerate().all(|(i, end)| end as usize == i));
    }

    #[test]
    fn a_message_counts_once_however_it_ends() {
        let (from, to, signal) = (PeerId::default(), PeerId::default(), Signal::Answer);
        let mut peer_counters = PeerCounters::default();
        peer_counters.count(&Event::Accepted { from, signal, bytes: 7 });
        peer_counters.count(&Event::Relayed { from, to, signal, bytes: 300 });
        peer_counters.count(&Event::Handled { conn: ConnId(1), verb: Verb::Ping });
        peer_counters.count(&Event::Refused { conn: ConnId(1), code: ErrorCode::InvalidJson });
        peer_counters.count(&Event::Accepted { from, signal, bytes: 7 });
        peer_counters.count(&Event::Refused { conn: ConnId(1), code: ErrorCode::TargetNotConnected });
        peer_counters.count(&Event::Accepted { from, signal, bytes: 7 });
        peer_counters.count(&Event::Mailed { from, to });
        assert_eq!(peer_counters.messages(), 5);
        assert_eq!(peer_counters.refusals(), 2);
        assert_eq!(peer_counters.relayed_bytes_total(), 300);
        assert_eq!(peer_counters.accepted_bytes().map(|(_, bytes)| bytes).sum::<u64>(), 21);
        assert_eq!(peer_counters.relayed().find(|(name, _)| *name == "answer"), Some(("answer", 1)));
        assert_eq!(peer_counters.relayed().map(|(_, count)| count).sum::<u64>(), 1);
    }

    #[test]
    fn an_end_counts_by_its_cause() {
        let mut peer_counters = PeerCounters::default();
        for cause in [Departure::Closed(CloseReason::TooSlow), Departure::Lost(Gone::Reset)] {
            peer_counters.count(&Event::Gone { conn: ConnId(1), peer: None, cause });
        }
        assert_eq!(peer_counters.closed().find(|(_, count)| *count == 1), Some(("Too slow", 1)));
        assert_eq!(peer_counters.lost().find(|(_, count)| *count == 1), Some(("reset", 1)));
    }
}
