//! Every connection is opened once and gone once, and nothing follows its end.

use peerpigeon_core::{CloseReason, ConnId, Departure, Event, Input};

use super::{Law, Rest, Scene, Verdict, demand};
use crate::client::Frame;
use crate::watch::{Answer, Said, Stage, is_virtual};

#[derive(Debug, Default)]
pub(crate) struct Life {
    /// The input is about a connection that is over or never was: nothing may come of it.
    deaf: Option<ConnId>,
    /// Opened by the input, not yet by an event.
    opening: Option<ConnId>,
    /// Let in, not yet greeted.
    greeting: Option<ConnId>,
    opened: u64,
    gone: u64,
}

impl Life {
    fn unmoved(&self) -> Verdict {
        demand!(self.deaf.is_none(), "something came of an input from {:?}, which is over", self.deaf);
        Ok(())
    }

    fn greeted(&self) -> Verdict {
        demand!(self.greeting.is_none(), "{:?} was let in without a `connected` at once", self.greeting);
        Ok(())
    }
}

impl Law for Life {
    fn name(&self) -> &'static str {
        "life of a connection"
    }

    fn input(&mut self, scene: Scene<'_>, input: &Input<'_>, _: Option<&Said<'_>>) -> Verdict {
        let about = match *input {
            Input::Opened { conn, .. } => {
                self.opening = Some(conn);
                None
            }
            Input::Text { conn, .. }
            | Input::Heard { conn }
            | Input::Closed { conn, .. }
            | Input::Backlog { conn, .. }
            | Input::QueueFull { conn } => Some(conn),
            Input::Posted { .. }
            | Input::Polled { .. }
            | Input::Drain { .. }
            | Input::Adjust { .. }
            | Input::Store { .. }
            | Input::Answered { .. }
            | Input::ClockSet { .. }
            | Input::Bus { .. }
            | Input::Frame { .. }
            | Input::Flush
            | Input::Tick => None,
        };
        self.deaf = about.filter(|conn| !scene.ledger.parties.contains_key(conn));
        Ok(())
    }

    fn sent(&mut self, scene: Scene<'_>, conn: ConnId, frame: &Frame<'_>) -> Verdict {
        self.unmoved()?;
        let stage = scene.ledger.parties.get(&conn).map(|party| party.stage);
        demand!(stage == Some(Stage::Admitted), "`{}` was sent to {conn:?}, which is {stage:?}", frame.kind);
        let first = self.greeting.take_if(|greeting| *greeting == conn).is_some();
        demand!(
            first == (frame.kind == "connected"),
            "`{}` as {} message of {conn:?}",
            frame.kind,
            if first { "first" } else { "later" }
        );
        Ok(())
    }

    fn answered(&mut self, scene: Scene<'_>, conn: Option<ConnId>, answer: &Answer<'_>) -> Verdict {
        self.unmoved()?;
        let stage = conn.and_then(|conn| scene.ledger.parties.get(&conn)).map(|party| party.stage);
        let known = match stage {
            Some(Stage::Admitted) => true,
            Some(Stage::Unregistered) => !answer.success,
            Some(Stage::Fresh | Stage::Held(_) | Stage::Over) | None => conn.is_none(),
        };
        demand!(known, "{conn:?}, which is {stage:?}, was told {answer:?}");
        Ok(())
    }

    fn pinged(&mut self, scene: Scene<'_>, conn: ConnId) -> Verdict {
        self.unmoved()?;
        let stage = scene.ledger.parties.get(&conn).map(|party| party.stage);
        demand!(stage == Some(Stage::Admitted), "a ping was sent to {conn:?}, which is {stage:?}");
        Ok(())
    }

    fn closed(&mut self, scene: Scene<'_>, conn: ConnId, why: CloseReason) -> Verdict {
        self.unmoved()?;
        let stage = scene.ledger.parties.get(&conn).map(|party| party.stage);
        let alive = stage.is_some_and(|stage| stage != Stage::Over);
        demand!(alive, "{conn:?}, which is {stage:?}, was closed for {why:?}");
        Ok(())
    }

    fn event(&mut self, scene: Scene<'_>, event: Event) -> Verdict {
        self.unmoved()?;
        self.greeted()?;
        let party = |conn: ConnId| scene.ledger.parties.get(&conn);
        match event {
            Event::Opened { conn } if is_virtual(conn) => self.opened += 1,
            Event::Opened { conn } => {
                demand!(self.opening.take() == Some(conn), "{conn:?} was told as opened without being so");
                self.opened += 1;
            }
            Event::Admitted { conn, peer } => {
                let known = party(conn).and_then(|party| party.me);
                demand!(known.is_some_and(|me| *me.id() == peer), "{conn:?} was let in as {peer}");
                demand!(!scene.ledger.by_peer.contains_key(&peer), "{peer} was let in twice");
                let waiting = |stage| matches!(stage, Stage::Fresh | Stage::Held(_));
                demand!(
                    party(conn).is_some_and(|party| waiting(party.stage)),
                    "{conn:?} was let in when over"
                );
                self.greeting = (!is_virtual(conn)).then_some(conn);
            }
            Event::Gone { conn, peer, cause } => {
                let Some(party) = party(conn) else { return Err(format!("{conn:?} was gone twice")) };
                demand!(party.stage == Stage::Over || is_virtual(conn), "{conn:?} was gone without an end");
                let named = party.me.map(|me| *me.id());
                // Whoever is turned away at the door is not always asked for its name.
                let told = peer == named || (peer.is_none() && !party.entered);
                demand!(told, "{conn:?} was gone as {peer:?} instead of {named:?}");
                let lasting = matches!(cause, Departure::Lost(_) | Departure::Closed(_));
                demand!(lasting, "{conn:?} was gone for {cause:?}, which ends no connection");
                demand!(party.network.is_none(), "{conn:?} was gone before its peer had left");
                self.gone += 1;
            }
            Event::Held { .. }
            | Event::Announced { .. }
            | Event::Left { .. }
            | Event::NetworkOpened { .. }
            | Event::NetworkClosed { .. }
            | Event::Introduced { .. }
            | Event::Struck { .. }
            | Event::Withheld { .. }
            | Event::Accepted { .. }
            | Event::Relayed { .. }
            | Event::PassedOn { .. }
            | Event::Listed { .. }
            | Event::Mailed { .. }
            | Event::MailEnded { .. }
            | Event::LetterEnded { .. }
            | Event::Shelved { .. }
            | Event::ShelfEnded { .. }
            | Event::Refused { .. }
            | Event::Handled { .. }
            | Event::Limited { .. }
            | Event::Arrived { .. }
            | Event::NodeOpened { .. }
            | Event::NodeClosed { .. }
            | Event::FrameRefused
            | Event::Swept { .. } => {}
        }
        Ok(())
    }

    fn rest(&mut self, scene: Scene<'_>, rest: &Rest) -> Verdict {
        self.greeted()?;
        demand!(self.opening.is_none(), "{:?} was opened and never told so", self.opening);
        let open = self.opened - self.gone;
        demand!(
            usize::try_from(open) == Ok(rest.census.connections),
            "{} opened and {} gone leave {open}, but {} are there",
            self.opened,
            self.gone,
            rest.census.connections
        );
        if !rest.thorough {
            return Ok(());
        }
        for (conn, party) in &scene.ledger.parties {
            let settled = matches!(party.stage, Stage::Held(_) | Stage::Admitted | Stage::Unregistered);
            demand!(settled, "{conn:?} is {:?} and not gone", party.stage);
        }
        Ok(())
    }
}
