//! `/`

use crate::http::{Answer, Status};
use crate::observe::Vitals;

pub(in crate::http) fn page(_: &Vitals<'_>) -> Answer {
    Answer::text(Status::Ok, "PeerPigeon signaling server\n")
}
