//! `/`

use crate::http::{Answer, Status};
use crate::observe::Snapshot;

pub(in crate::http) fn page(_: &Snapshot<'_>) -> Answer {
    Answer::text(Status::Ok, "PeerPigeon signaling server\n")
}
