//! The body of a request, as far as it has come.

use crate::http::chunked::Chunked;
use crate::http::request::BodyLength;
use crate::http::{HttpRefusal, Status};

/// A body that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestBody {
    /// So many bytes are missing.
    Sized { left: u64 },
    /// Its end is found on the way.
    Chunked(Chunked),
}

impl Default for RequestBody {
    /// None.
    fn default() -> RequestBody {
        RequestBody::Sized { left: 0 }
    }
}

impl RequestBody {
    /// Of which nothing has come.
    pub(crate) fn new(length: BodyLength) -> RequestBody {
        match length {
            BodyLength::Known(left) => RequestBody::Sized { left },
            BodyLength::Chunked => RequestBody::Chunked(Chunked::default()),
        }
    }

    pub(crate) fn is_whole(&self) -> bool {
        match self {
            RequestBody::Sized { left } => *left == 0,
            RequestBody::Chunked(chunked) => chunked.is_whole(),
        }
    }

    /// Takes what there is of it in `input`, and says how much that was; `kept` gets what is data, if somebody wants
    /// it, up to `limit` bytes.
    ///
    /// # Errors
    ///
    /// What to answer. The connection cannot go on after it.
    pub(crate) fn take(
        &mut self,
        input: &[u8],
        kept: Option<&mut Vec<u8>>,
        limit: usize,
    ) -> Result<usize, HttpRefusal> {
        let mut nothing = Vec::new();
        match self {
            RequestBody::Sized { left } => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                if let Some(kept) = kept {
                    // A reload may have lowered the limit since the head was looked at.
                    if left.saturating_add(kept.len() as u64) > limit as u64 {
                        return Err(TOO_LONG);
                    }
                    kept.extend_from_slice(&input[..taken]);
                }
                *left -= taken as u64;
                Ok(taken)
            }
            RequestBody::Chunked(chunked) => {
                let kept = kept.unwrap_or(&mut nothing);
                let mut at = 0;
                while at < input.len() && !chunked.is_whole() {
                    let (taken, data) = chunked.next(&input[at..])?;
                    if kept.len() + data.len() > limit {
                        return Err(TOO_LONG);
                    }
                    kept.extend_from_slice(data);
                    at += taken;
                }
                Ok(at)
            }
        }
    }
}

pub(crate) const TOO_LONG: HttpRefusal = HttpRefusal::new(
    Status::ContentTooLarge,
    "Body is longer than allowed (MAX_MESSAGE_SIZE, elsewhere 65536 bytes)",
);
