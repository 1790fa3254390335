//! Nothing grows past its limit, the gauges tell the truth, and deadlines lie ahead.

use peerpigeon_core::{Census, Limits};

use super::{Law, Rest, Scene, Verdict, demand};
use crate::watch::Stage;

#[derive(Debug)]
pub(crate) struct Bounds {
    limits: Limits,
}

impl Bounds {
    pub(crate) fn new(limits: Limits) -> Bounds {
        Bounds { limits }
    }
}

impl Law for Bounds {
    fn name(&self) -> &'static str {
        "bounds"
    }

    fn rest(&mut self, scene: Scene<'_>, rest: &Rest) -> Verdict {
        let (limits, census) = (&self.limits, &rest.census);
        let most = |name: &str, value: usize, limit: u64| {
            let value = u64::try_from(value).unwrap_or(u64::MAX);
            demand!(value <= limit, "{value} {name}, at most {limit} allowed");
            Ok(())
        };
        let held_bytes = u64::from(limits.held_connections) * u64::from(limits.held_bytes);
        let acquaintances = census.peers as u64 * u64::from(limits.acquaintances) / 2;
        most(
            "admitted connections",
            census.connections - census.held - census.unregistered,
            limits.connections.into(),
        )?;
        most("unregistered connections", census.unregistered, limits.unregistered_connections.into())?;
        most("held connections", census.held, limits.held_connections.into())?;
        most("held bytes", census.held_bytes, held_bytes)?;
        most("acquaintances", census.acquaintances, acquaintances)?;
        most("mailboxes", census.mailboxes, limits.mailboxes.into())?;
        most("mails", census.mails, u64::from(limits.mailboxes) * u64::from(limits.mailbox_messages))?;
        most("bytes of mail", census.mail_bytes, limits.mailbox_total_bytes)?;
        let mailbox_bytes = census.mailboxes as u64 * u64::from(limits.mailbox_bytes);
        most("bytes of mail", census.mail_bytes, mailbox_bytes)?;
        if let Some((deadline, kind)) = rest.deadline {
            demand!(deadline > scene.now, "{kind:?} is due at {deadline:?}, which has passed");
        }
        let timers = census.timers;
        demand!(rest.deadline.is_some() == (timers > 0), "{timers} timers, next {:?}", rest.deadline);
        if rest.thorough { counted(scene, rest) } else { Ok(()) }
    }

    fn empty(&mut self, _: Scene<'_>, rest: &Rest) -> Verdict {
        let empty = rest.census == Census::default() && rest.deadline.is_none();
        demand!(empty, "everybody has left, but there are {:?}, next {:?}", rest.census, rest.deadline);
        Ok(())
    }
}

/// The gauges against what was told.
fn counted(scene: Scene<'_>, rest: &Rest) -> Verdict {
    let (ledger, census) = (scene.ledger, &rest.census);
    let held = ledger.count(|party| matches!(party.stage, Stage::Held(_)));
    let peers = ledger.networks.values().map(|network| network.members.len()).sum();
    let same = |name: &str, told: usize, counted: usize| {
        demand!(told == counted, "the census says {told} {name}, counted were {counted}");
        Ok(())
    };
    same("held connections", census.held, held)?;
    let unregistered = ledger.count(|party| party.stage == Stage::Unregistered);
    same("unregistered connections", census.unregistered, unregistered)?;
    same("peers", census.peers, peers)?;
    same("networks", census.networks, ledger.networks.len())?;
    Ok(())
}
