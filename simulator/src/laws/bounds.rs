//! Nothing grows past its limit, the gauges tell the truth, and deadlines lie ahead.

use peerpigeon_core::{Census, Limits, TimerKind};

use super::{Law, Rest, Scene, Verdict, demand};
use crate::gauges;
use crate::watch::Stage;

#[derive(Debug)]
pub(crate) struct Bounds {
    limits: Limits,
    most: Census,
}

impl Bounds {
    pub(crate) fn new(limits: Limits) -> Bounds {
        Bounds { most: gauges::most(&limits), limits }
    }

    /// No gauge is above the most that it can ever show, nor above what the others of this moment leave room for.
    fn hold(&self, census: &Census) -> Verdict {
        let within = |name: &str, value: usize, most: usize| {
            demand!(value <= most, "{value} {name}, at most {most} allowed");
            Ok(())
        };
        for ((name, value), (_, most)) in gauges::named(census).into_iter().zip(gauges::named(&self.most)) {
            within(name, value, most)?;
        }
        let limits = &self.limits;
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let admitted = census.connections - census.held - census.unregistered;
        within("admitted connections", admitted, count(limits.connections))?;
        within("announced peers of all connections", census.peers, admitted)?;
        within("networks of all peers", census.networks, census.peers)?;
        let acquaintances = census.peers * count(limits.acquaintances) / 2;
        within("pairs of acquaintances", census.acquaintances, acquaintances)?;
        let mailbox_bytes = census.mailboxes * count(limits.mailbox_bytes);
        within("bytes of mail", census.mail_bytes, mailbox_bytes)?;
        let timers = gauges::timers(admitted, census.polls);
        within("deadlines", census.timers, timers + census.held + census.unregistered)
    }
}

impl Law for Bounds {
    fn name(&self) -> &'static str {
        "bounds"
    }

    fn rest(&mut self, scene: Scene<'_>, rest: &Rest) -> Verdict {
        self.hold(&rest.census)?;
        if let Some((deadline, kind)) = rest.deadline {
            demand!(deadline > scene.now, "{kind:?} is due at {deadline:?}, which has passed");
        }
        let timers = rest.census.timers;
        demand!(rest.deadline.is_some() == (timers > 0), "{timers} timers, next {:?}", rest.deadline);
        if rest.thorough { counted(scene, rest) } else { Ok(()) }
    }

    fn empty(&mut self, _: Scene<'_>, rest: &Rest) -> Verdict {
        // A store that others use, too, is swept all the time.
        let timers = usize::from(self.limits.store_timeout_ms > 0).min(rest.census.timers);
        let next = rest.deadline.filter(|(_, kind)| timers == 0 || *kind != TimerKind::Sweep);
        let empty = rest.census == Census { timers, ..Census::default() } && next.is_none();
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

#[cfg(test)]
mod tests {
    use super::*;

    /// One gauge, to be changed.
    type Gauge = (&'static str, fn(&mut Census) -> &mut usize);

    /// Taken apart without `..`: a new gauge of the core does not build until it is in the list.
    fn each() -> [Gauge; 17] {
        let Census {
            nodes: _,
            remote_peers: _,
            connections: _,
            unregistered: _,
            held: _,
            held_bytes: _,
            peers: _,
            networks: _,
            members: _,
            rooms: _,
            acquaintances: _,
            mailboxes: _,
            mails: _,
            mail_bytes: _,
            shelved: _,
            shelved_bytes: _,
            polls: _,
            questions: _,
            timers: _,
        } = Census::default();
        [
            ("connections", |census| &mut census.connections),
            ("unregistered connections", |census| &mut census.unregistered),
            ("held connections", |census| &mut census.held),
            ("held bytes", |census| &mut census.held_bytes),
            ("announced peers", |census| &mut census.peers),
            ("networks", |census| &mut census.networks),
            ("members of rooms", |census| &mut census.members),
            ("rooms", |census| &mut census.rooms),
            ("pairs of acquaintances", |census| &mut census.acquaintances),
            ("mailboxes", |census| &mut census.mailboxes),
            ("mails", |census| &mut census.mails),
            ("bytes of mail", |census| &mut census.mail_bytes),
            ("messages in inboxes", |census| &mut census.shelved),
            ("bytes in inboxes", |census| &mut census.shelved_bytes),
            ("waiting requests", |census| &mut census.polls),
            ("questions to the store", |census| &mut census.questions),
            ("deadlines", |census| &mut census.timers),
        ]
    }

    #[test]
    fn every_gauge_that_shows_one_more_than_its_limit_breaks_the_law() {
        let limits = Limits {
            connections: 20,
            mailboxes: 5,
            networks: 3,
            acquaintances: 4,
            store_timeout_ms: 1_000,
            ..Limits::default()
        };
        let law = Bounds::new(limits);
        for (name, of) in each() {
            let mut all = law.most;
            let most = *of(&mut all);
            assert!(most > 0, "{name}");
            // Whatever else must be there for so much of it.
            let mut full = Census { timers: 0, ..law.most };
            *of(&mut full) = most + 1;
            let error = law.hold(&full).unwrap_err();
            assert_eq!(error, format!("{} {name}, at most {most} allowed", most + 1));
        }
    }

    #[test]
    fn everything_can_be_full_at_the_same_time() {
        let law = Bounds::new(Limits { connections: 2, acquaintances: 1, ..Limits::default() });
        assert_eq!(law.most.acquaintances, 1);
        assert_eq!(law.hold(&law.most), Ok(()));
        assert_eq!(law.hold(&Census::default()), Ok(()));
    }
}
