//! Faults that the simulator's tests plant, to show that its laws find them. None is in a normal build: without the
//! feature `planted-faults` [`is`] is `false` wherever it is asked.

/// One fault, named by what goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "planted-faults"),
    expect(unreachable_pub, reason = "the simulator's tests reach it with that feature")
)]
pub enum Fault {
    /// The late close of an old connection ends somebody who is there.
    LateCloseEndsAnother,
    /// A signal reaches a target in another network.
    OtherNetworkReached,
    /// A peer that says goodbye stays in the index of its network.
    GoodbyeForgetsIndex,
    /// Who lacks links is looked for others once, and never again.
    NeverLookedAgain,
    /// Nobody looks again whether a pinged peer has answered.
    LivenessNotRearmed,
    /// Two mails change places.
    MailsSwapped,
    /// A full page that dials has not lost a link.
    LostLinkIgnored,
    /// A full page that answers has not given up its farthest link.
    EvictionIgnored,
    /// A refusal ends the very link that its sender is making.
    CrossingRefusalRelayed,
    /// Who is turned away is not told to dial others.
    FullOneDialledForEver,
    /// Acquaintances are told twice that a peer has gone.
    DisconnectedTwice,
    /// They are told nothing.
    DisconnectedNever,
    /// Lost peers are said to have said goodbye.
    GoodbyeForLost,
    /// Mail is delivered past its time.
    MailPastItsTime,
    /// Mail is delivered again.
    MailTwice,
    /// Buckets of messages and bytes never fill.
    RateNotRefilled,
    /// A signal names another sender.
    SenderForged,
    /// One of two who are introduced is not told.
    OneSidedIntroduction,
    /// Those who wait are not told of a shutdown.
    DrainForgetsHeld,
    /// A silent incumbent stays, however long it is challenged.
    ChallengeIgnored,
    /// Everybody is written to in dialect A.
    WrongDialect,
    /// What somebody said while it was held is lost.
    HeldMessagesLost,
    /// Whoever waits for a place is not let in when there is one.
    PlaceNotGiven,
    /// Connections of an address are counted for ever.
    AddressCountLeaks,
    /// An inbox grows without a cap.
    InboxWithoutCap,
    /// What a held connection sends is kept without a cap.
    HeldWithoutCap,
    /// A cleanup forgets nothing.
    CleanupIgnored,
    /// A peer that has gone still counts as a link of those who were linked to it.
    LinkOutlivesPeer,
    /// Who turned somebody away is introduced as free.
    FullCountsAsFree,
    /// Two who are linked are introduced to each other as free.
    LinkedAgain,
    /// Newcomers are let in during a shutdown.
    DrainLetsIn,
    /// Nobody is over its rate.
    RateWithoutLimit,
    /// What a message makes the server send to others costs its sender nothing.
    ChargeForgotten,
    /// A sign of life does not count.
    SignIgnored,
    /// A mailbox grows without a cap.
    MailboxWithoutCap,
    /// Of a key that comes twice the first one counts.
    FirstKeyCounts,
    /// A message that was kept is acknowledged as delivered.
    KeptCountsAsDelivered,
}

/// Whether this fault is planted.
#[cfg(not(feature = "planted-faults"))]
pub(crate) const fn is(_: Fault) -> bool {
    false
}

/// The mails as they are, or the first two in each other's place.
pub(crate) fn swapped<T>(mut mails: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    let first = if is(Fault::MailsSwapped) { mails.next() } else { None };
    let second = first.is_some().then(|| mails.next()).flatten();
    second.into_iter().chain(first).chain(mails)
}

#[cfg(feature = "planted-faults")]
pub(crate) use planted::is;
#[cfg(feature = "planted-faults")]
pub use planted::plant;

#[cfg(feature = "planted-faults")]
mod planted {
    use core::sync::atomic::{AtomicUsize, Ordering};

    use super::Fault;

    static PLANTED: AtomicUsize = AtomicUsize::new(NONE);
    const NONE: usize = usize::MAX;

    /// From now on every switchboard of the process has this fault, or none.
    pub fn plant(fault: Option<Fault>) {
        PLANTED.store(fault.map_or(NONE, |fault| fault as usize), Ordering::SeqCst);
    }

    /// Whether this fault is planted.
    pub(crate) fn is(fault: Fault) -> bool {
        PLANTED.load(Ordering::Relaxed) == fault as usize
    }

    impl Fault {
        /// All of them.
        pub const ALL: [Fault; 37] = [
            Fault::LateCloseEndsAnother,
            Fault::OtherNetworkReached,
            Fault::GoodbyeForgetsIndex,
            Fault::NeverLookedAgain,
            Fault::LivenessNotRearmed,
            Fault::MailsSwapped,
            Fault::LostLinkIgnored,
            Fault::EvictionIgnored,
            Fault::CrossingRefusalRelayed,
            Fault::FullOneDialledForEver,
            Fault::DisconnectedTwice,
            Fault::DisconnectedNever,
            Fault::GoodbyeForLost,
            Fault::MailPastItsTime,
            Fault::MailTwice,
            Fault::RateNotRefilled,
            Fault::SenderForged,
            Fault::OneSidedIntroduction,
            Fault::DrainForgetsHeld,
            Fault::ChallengeIgnored,
            Fault::WrongDialect,
            Fault::HeldMessagesLost,
            Fault::PlaceNotGiven,
            Fault::AddressCountLeaks,
            Fault::InboxWithoutCap,
            Fault::HeldWithoutCap,
            Fault::CleanupIgnored,
            Fault::LinkOutlivesPeer,
            Fault::FullCountsAsFree,
            Fault::LinkedAgain,
            Fault::DrainLetsIn,
            Fault::RateWithoutLimit,
            Fault::ChargeForgotten,
            Fault::SignIgnored,
            Fault::MailboxWithoutCap,
            Fault::FirstKeyCounts,
            Fault::KeptCountsAsDelivered,
        ];
    }
}
