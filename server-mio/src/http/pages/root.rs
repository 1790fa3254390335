//! `/`

use crate::http::pages::Vitals;
use crate::http::{Answer, Status};

pub(crate) fn page(_: &Vitals<'_>) -> Answer {
    Answer::text(Status::Ok, "PeerPigeon signaling server\n")
}
