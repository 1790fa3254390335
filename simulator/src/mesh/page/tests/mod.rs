//! Each habit of the real client, at the page's own edge.

mod dialling;
mod links;

use super::*;
use crate::mesh::introducer::Reason;

/// A page under test and what it said, with the time that passes.
struct Bench {
    page: Page,
    now: Time,
    random: Random,
    outputs: Vec<Output>,
}

/// Keys are told apart, ordered and measured by one byte.
fn key(byte: u32) -> Key {
    Key::new(byte, u64::from(byte) << 32)
}

const ME: u32 = 0x80;

const NOBODY: [u32; 0] = [];

fn page(capacity: u8) -> Bench {
    client(Client::V1_1_3, capacity)
}

fn client(client: Client, capacity: u8) -> Bench {
    Bench {
        page: Page::new(Time(0), key(ME), capacity, client),
        now: Time(0),
        random: Random::new(1),
        outputs: Vec::new(),
    }
}

impl Bench {
    fn act(&mut self, act: impl FnOnce(&mut Page, &mut Turn<'_>)) {
        let mut turn = Turn { now: self.now, random: &mut self.random, outputs: &mut self.outputs };
        act(&mut self.page, &mut turn);
    }

    /// Lets time pass, in ms.
    fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some(due) = self.page.timeout()
            && due <= end
        {
            assert!(due >= self.now, "it wants to be woken in the past");
            self.now = due;
            self.act(Page::tick);
        }
        self.now = end;
    }

    fn discovered(&mut self, byte: u32) {
        self.act(|page, turn| page.discovered(turn, key(byte)));
    }

    fn signal(&mut self, byte: u32, message: Message) {
        self.act(|page, turn| page.signal(turn, key(byte), message));
    }

    fn rejected(&mut self, byte: u32) {
        self.signal(byte, Message::Rejected(Reason::Full));
    }

    fn change(&mut self, end: End, change: Change) {
        self.act(|page, turn| page.change(turn, end, change));
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// To whom it sent offers.
    fn offers(&mut self) -> Vec<u32> {
        let outputs = self.outputs();
        let offers = outputs.into_iter().filter_map(|output| match output {
            Output::Signal { to, message: Message::Offer { .. } } => Some(to.number()),
            Output::Signal { .. } | Output::Check { .. } | Output::Closed { .. } => None,
        });
        offers.collect()
    }

    fn end_to(&self, byte: u32) -> Option<End> {
        self.page.connections().iter().find(|one| one.peer == key(byte)).map(|one| one.end)
    }

    /// Links it to a peer with a larger id, which dials.
    fn link(&mut self, byte: u32) {
        assert!(byte > ME);
        self.signal(byte, Message::Offer { end: 1 });
        self.pass(15);
        let end = self.end_to(byte).expect("the offer was taken");
        self.open(end);
        self.outputs.clear();
    }

    /// The link of this end comes up.
    fn open(&mut self, end: End) {
        for change in [Change::Reached, Change::Secured, Change::Opened] {
            self.change(end, change);
        }
    }

    fn linked(&self) -> Vec<u32> {
        self.page.connections().iter().filter(|one| one.is_up()).map(|one| one.peer.number()).collect()
    }

    fn closed(&mut self, byte: u32, cause: Cause) -> bool {
        let closed = |output: &Output| matches!(output, Output::Closed { peer, cause: why, .. } if *peer == key(byte) && *why == cause);
        self.outputs().iter().any(closed)
    }
}

fn signal(byte: u32, message: Message) -> Output {
    Output::Signal { to: key(byte), message }
}
