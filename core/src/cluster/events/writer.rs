//! The writing side: what is told as bytes.

use alloc::vec::Vec;

use super::*;

/// Writes events; each method appends one.
pub(crate) struct Writer<'a>(pub(crate) &'a mut Vec<u8>);

impl Writer<'_> {
    pub(crate) fn begin(self) {
        self.0.push(BEGIN);
    }

    pub(crate) fn end(self) {
        self.0.push(END);
    }

    pub(crate) fn here(
        self,
        own: Number,
        stamp: u64,
        spelling: Spelling,
        is_proven: bool,
        is_reachable: bool,
    ) {
        let flags = u8::from(is_proven) | u8::from(is_reachable) << 1;
        self.kind(HERE).u64(own).u64(stamp).bytes(&spelling.packed()).u8(flags);
    }

    pub(crate) fn announced(self, before: Number, own: Number, max_links: u8, network: &str, data: &str) {
        self.kind(ANNOUNCED).u64(before).u64(own).u8(max_links).text(network).text(data);
    }

    pub(crate) fn departed(self, before: Number, own: Number) {
        self.kind(DEPARTED).u64(before).u64(own);
    }

    pub(crate) fn gone(self, own: Number, cause: Departure) {
        self.kind(GONE).u64(own).u8(code_of(cause));
    }

    pub(crate) fn links(
        self,
        own: Number,
        is_full: bool,
        acquaintances: u16,
        ties: impl ExactSizeIterator<Item = ToldTie>,
    ) {
        let count = u8::try_from(ties.len()).unwrap_or(u8::MAX);
        let mut writer =
            self.kind(LINKS).u64(own).u8(u8::from(is_full)).bytes(&acquaintances.to_le_bytes()).u8(count);
        for tie in ties.take(count.into()) {
            let (node, number) = tie.other.unwrap_or((NodeId(0), 0));
            let stage = match tie {
                ToldTie { other: None, .. } => ENDED,
                ToldTie { is_linked: true, .. } => LINKED,
                ToldTie { .. } => COMING,
            };
            writer = writer.u8(stage).u64(node.0).u64(number);
        }
    }

    pub(crate) fn knows(self, own: Number, others: impl ExactSizeIterator<Item = Number>) {
        let count = u32::try_from(others.len()).unwrap_or(u32::MAX);
        let writer = self.kind(KNOWS).u64(own).bytes(&count.to_le_bytes());
        others.fold(writer, Writer::u64);
    }

    pub(crate) fn introduced(self, own: Number, other: Number, are_mates: bool, occasion: Occasion) {
        let occasion = Occasion::ALL.iter().position(|known| *known == occasion).unwrap_or_default();
        self.kind(INTRODUCED).u64(own).u64(other).u8(u8::from(are_mates)).u8(short(occasion));
    }

    pub(crate) fn parted(self, own: Number, other: Number) {
        self.kind(PARTED).u64(own).u64(other);
    }

    pub(crate) fn evicted(self, own: Number, other: Number) {
        self.kind(EVICTED).u64(own).u64(other);
    }

    pub(crate) fn signal(
        self,
        from: Spelling,
        other: Number,
        signal: Signal,
        name: Name,
        passage: Passed,
        data: Option<&str>,
    ) {
        let signal = Signal::ALL.iter().position(|known| *known == signal).unwrap_or_default();
        let (start, number) = name.parts();
        let writer = self.kind(SIGNAL).bytes(&from.packed()).u64(other).u8(short(signal));
        let writer = writer.u64(start).u64(number).u8(passage as u8).u8(u8::from(data.is_some()));
        writer.text(data.unwrap_or_default());
    }

    pub(crate) fn refused(self, from: PeerId, why: Refused) {
        self.kind(REFUSED).bytes(&from.0).u8(why as u8);
    }

    pub(crate) fn challenge(self, other: Number) {
        self.kind(CHALLENGE).u64(other);
    }

    pub(crate) fn alive(self, own: Number) {
        self.kind(ALIVE).u64(own);
    }

    pub(crate) fn posted(self, request: u64, body: &str, grant: &Grant) {
        self.kind(POSTED).u64(request).text(body).grant(grant);
    }

    pub(crate) fn polled(self, request: u64, target: &str, grant: &Grant) {
        self.kind(POLLED).u64(request).text(target).grant(grant);
    }

    pub(crate) fn replied(self, request: u64, status: u16, text: &str) {
        self.kind(REPLIED).u64(request).bytes(&status.to_le_bytes()).text(text);
    }

    pub(crate) fn abandoned(self, request: u64) {
        self.kind(ABANDONED).u64(request);
    }

    pub(crate) fn ask(self, id: PeerId) {
        self.kind(ASK).bytes(&id.0);
    }

    pub(crate) fn cleanup(self, from: PeerId, to: Option<PeerId>) {
        self.kind(CLEANUP).bytes(&from.0).u8(u8::from(to.is_some())).bytes(&to.unwrap_or_default().0);
    }

    fn kind(self, kind: u8) -> Self {
        self.u8(kind)
    }

    fn u8(self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    fn u64(self, value: u64) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    fn bytes(self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn grant(self, grant: &Grant) {
        let flags = u8::from(grant.peer.is_some()) | u8::from(grant.networks.is_some()) << 1;
        let writer = self.u8(flags).text(grant.peer.as_deref().unwrap_or_default());
        let networks = grant.networks.as_deref().unwrap_or_default();
        let bytes: usize = networks.iter().map(|network| 4 + network.len()).sum();
        let writer = writer.bytes(&u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes());
        networks.iter().fold(writer, |writer, network| writer.text(network));
    }

    /// With its length before it.
    fn text(self, text: &str) -> Self {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.bytes(&length.to_le_bytes()).bytes(text.as_bytes())
    }
}
