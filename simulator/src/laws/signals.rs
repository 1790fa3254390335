//! Every accepted signal and every mail ends exactly once.

use peerpigeon_core::{Event, PeerId};

use super::{Law, Rest, Scene, Verdict, demand};

#[derive(Debug, Default)]
pub(crate) struct Signals {
    /// Accepted, and not yet ended.
    accepted: Option<PeerId>,
    mailed: u64,
    ended: u64,
}

impl Signals {
    fn end(&mut self, from: Option<PeerId>, how: &str) -> Verdict {
        let accepted = self.accepted.take();
        let known = accepted.is_some() && from.is_none_or(|from| Some(from) == accepted);
        demand!(known, "a signal of {from:?} was {how}, accepted was one of {accepted:?}");
        Ok(())
    }
}

impl Law for Signals {
    fn name(&self) -> &'static str {
        "ends of signals and mails"
    }

    fn event(&mut self, _: Scene<'_>, event: Event) -> Verdict {
        match event {
            Event::Accepted { from, .. } => {
                demand!(self.accepted.is_none(), "a signal was accepted before the one before it ended");
                self.accepted = Some(from);
            }
            Event::Relayed { from, .. } => self.end(Some(from), "relayed")?,
            Event::Withheld { from, .. } => self.end(Some(from), "withheld")?,
            Event::Mailed { from, .. } => {
                self.mailed += 1;
                self.end(Some(from), "mailed")?;
            }
            Event::Refused { .. } => self.accepted = None,
            Event::MailEnded { to, end } => {
                self.ended += 1;
                // A full mailbox drops its oldest before it takes the new one.
                demand!(self.ended <= self.mailed, "a mail for {to} was {end:?} that never began");
            }
            Event::Opened { .. }
            | Event::Held { .. }
            | Event::Admitted { .. }
            | Event::Gone { .. }
            | Event::Announced { .. }
            | Event::Left { .. }
            | Event::NetworkOpened { .. }
            | Event::NetworkClosed { .. }
            | Event::Introduced { .. }
            | Event::Struck { .. }
            | Event::PassedOn { .. }
            | Event::Listed { .. }
            | Event::Handled { .. }
            | Event::Shelved { .. }
            | Event::ShelfEnded { .. }
            | Event::LetterEnded { .. }
            | Event::Limited { .. }
            | Event::Arrived { .. }
            | Event::NodeOpened { .. }
            | Event::NodeClosed { .. }
            | Event::FrameRefused
            | Event::Swept { .. } => {}
        }
        Ok(())
    }

    fn rest(&mut self, _: Scene<'_>, rest: &Rest) -> Verdict {
        demand!(self.accepted.is_none(), "a signal of {:?} was accepted and never ended", self.accepted);
        let waiting = self.mailed - self.ended;
        demand!(
            usize::try_from(waiting) == Ok(rest.census.mails),
            "{} mailed and {} ended leave {waiting}, but {} are there",
            self.mailed,
            self.ended,
            rest.census.mails
        );
        Ok(())
    }
}
