//! Why a message is refused: each variant is the sender's fault, and says what would have been allowed.

use core::fmt;

use crate::{ErrorCode, Limit, Limits};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotJson,
    NotAnObject,
    TooDeep {
        levels: u32,
    },
    BatchWrong,
    ConnectedElsewhere,
    NoPlace,
    TypeNotAString,
    DataNotAnObject,
    DataTooLarge {
        bytes: u32,
    },
    DataRequired,
    PeerNotAnId,
    PeerNotTheSender,
    NotRegistered,
    MaxPeersOutOfRange,
    TargetNotAnId,
    TargetIsSender,
    NetworkNotAString,
    NetworkTooLong {
        bytes: u32,
    },
    TooManyNetworks {
        networks: u32,
    },
    FanOutTooLarge {
        bytes: u32,
    },
    UnknownType,
    MissingTarget,
    TargetNotConnected,
    MailboxFull,
    TargetTooSlow,
    MessageForOtherNetwork,
    TargetInOtherNetwork,
    NotAnnounced,
    PeerNotGranted,
    NetworkNotGranted,
    RateLimited {
        per_second: u32,
        burst: u32,
    },
    BytesLimited {
        per_second: u32,
        burst: u32,
    },
    /// Both count for all peers of one address.
    AddressLimited {
        messages: u64,
        bytes: u64,
    },
}

impl Refusal {
    pub(crate) fn code(self) -> ErrorCode {
        match self {
            Refusal::NotJson => ErrorCode::InvalidJson,
            Refusal::NotAnObject
            | Refusal::TooDeep { .. }
            | Refusal::TooManyNetworks { .. }
            | Refusal::FanOutTooLarge { .. }
            | Refusal::BatchWrong
            | Refusal::ConnectedElsewhere
            | Refusal::NoPlace
            | Refusal::TypeNotAString
            | Refusal::DataNotAnObject
            | Refusal::DataTooLarge { .. }
            | Refusal::DataRequired
            | Refusal::PeerNotAnId
            | Refusal::PeerNotTheSender
            | Refusal::NotRegistered
            | Refusal::MaxPeersOutOfRange
            | Refusal::TargetNotAnId
            | Refusal::TargetIsSender
            | Refusal::NetworkNotAString
            | Refusal::NetworkTooLong { .. } => ErrorCode::InvalidMessage,
            Refusal::UnknownType => ErrorCode::UnknownType,
            Refusal::MissingTarget => ErrorCode::MissingTarget,
            Refusal::TargetNotConnected | Refusal::MailboxFull => ErrorCode::TargetNotConnected,
            Refusal::MessageForOtherNetwork | Refusal::TargetInOtherNetwork => ErrorCode::OtherNetwork,
            Refusal::NotAnnounced => ErrorCode::NotAnnounced,
            Refusal::PeerNotGranted | Refusal::NetworkNotGranted => ErrorCode::Forbidden,
            Refusal::TargetTooSlow
            | Refusal::RateLimited { .. }
            | Refusal::BytesLimited { .. }
            | Refusal::AddressLimited { .. } => ErrorCode::RateLimited,
        }
    }

    /// The limit that the message has met, if that is why.
    pub(crate) fn limit(self) -> Option<Limit> {
        Some(match self {
            Refusal::TooDeep { .. } => Limit::JsonDepth,
            Refusal::DataTooLarge { .. } => Limit::AnnouncedData,
            Refusal::NetworkTooLong { .. } => Limit::NetworkName,
            Refusal::TooManyNetworks { .. } => Limit::Networks,
            Refusal::FanOutTooLarge { .. } => Limit::FanOut,
            Refusal::RateLimited { .. } | Refusal::AddressLimited { .. } => Limit::MessageRate,
            Refusal::BytesLimited { .. } => Limit::ByteRate,
            Refusal::MailboxFull => Limit::Mailbox,
            Refusal::TargetTooSlow => Limit::Queue,
            Refusal::NotJson
            | Refusal::NotAnObject
            | Refusal::BatchWrong
            | Refusal::ConnectedElsewhere
            | Refusal::NoPlace
            | Refusal::TypeNotAString
            | Refusal::DataNotAnObject
            | Refusal::DataRequired
            | Refusal::PeerNotAnId
            | Refusal::PeerNotTheSender
            | Refusal::NotRegistered
            | Refusal::MaxPeersOutOfRange
            | Refusal::TargetNotAnId
            | Refusal::TargetIsSender
            | Refusal::NetworkNotAString
            | Refusal::UnknownType
            | Refusal::MissingTarget
            | Refusal::TargetNotConnected
            | Refusal::MessageForOtherNetwork
            | Refusal::TargetInOtherNetwork
            | Refusal::NotAnnounced
            | Refusal::PeerNotGranted
            | Refusal::NetworkNotGranted => return None,
        })
    }
}

/// One sentence for a developer. Holds nothing that would have to be escaped in JSON.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NotJson => write!(f, "The message is not valid JSON"),
            Refusal::NotAnObject => write!(f, "The message must be a JSON object"),
            Refusal::TooDeep { levels } => {
                write!(f, "The message must not be nested deeper than {levels} levels")
            }
            Refusal::BatchWrong => {
                write!(f, "messages must be an array of at most {} messages", Limits::BATCH_MESSAGES)
            }
            Refusal::ConnectedElsewhere => write!(f, "This peerId is connected by WebSocket"),
            Refusal::NoPlace => write!(f, "The server takes no more peers now; try again later"),
            Refusal::TypeNotAString => write!(f, "type is required and must be a string"),
            Refusal::DataNotAnObject => write!(f, "data of an announce must be an object, null or absent"),
            Refusal::DataTooLarge { bytes } => write!(f, "data of an announce must not exceed {bytes} bytes"),
            Refusal::DataRequired => write!(f, "data is required and must be an object"),
            Refusal::PeerNotAnId => write!(f, "peerId must be a string of 40 hexadecimal digits"),
            Refusal::PeerNotTheSender => write!(f, "peerId must be the registered one"),
            Refusal::NotRegistered => write!(f, "Register with your peerId first"),
            Refusal::MaxPeersOutOfRange => {
                write!(f, "maxPeers must be a whole number from 1 to {}", Limits::MAX_PEERS)
            }
            Refusal::TargetNotAnId => write!(f, "targetPeerId must be a string of 40 hexadecimal digits"),
            Refusal::TargetIsSender => write!(f, "targetPeerId must not be the sender itself"),
            Refusal::NetworkNotAString => write!(f, "networkName must be a string or null"),
            Refusal::NetworkTooLong { bytes } => write!(f, "networkName must not exceed {bytes} bytes"),
            Refusal::TooManyNetworks { networks } => {
                write!(f, "There are {networks} networks, the most there may be; name one that exists")
            }
            Refusal::FanOutTooLarge { bytes } => {
                write!(f, "A message to all acquaintances must not become more than {bytes} bytes")
            }
            Refusal::UnknownType => write!(f, "Unknown message type"),
            Refusal::MissingTarget => write!(f, "targetPeerId is required"),
            Refusal::TargetNotConnected => write!(f, "Target peer is not connected"),
            Refusal::MailboxFull => write!(f, "Target peer is not connected and its mailbox is full"),
            Refusal::TargetTooSlow => {
                write!(f, "Target peer reads too slowly for so much from you; slow down")
            }
            Refusal::MessageForOtherNetwork => write!(f, "networkName is not the network of the sender"),
            Refusal::TargetInOtherNetwork => write!(f, "Target peer is in another network"),
            Refusal::NotAnnounced => write!(f, "Announce yourself before signaling"),
            Refusal::PeerNotGranted => write!(f, "The token does not allow this peerId"),
            Refusal::NetworkNotGranted => write!(f, "The token does not allow this network"),
            Refusal::RateLimited { per_second, burst } => {
                write!(f, "More than {per_second} messages per second (bursts up to {burst}); slow down")
            }
            Refusal::BytesLimited { per_second, burst } => {
                write!(f, "More than {per_second} bytes per second (bursts up to {burst}); slow down")
            }
            Refusal::AddressLimited { messages, bytes } => {
                write!(
                    f,
                    "More than {messages} messages or {bytes} bytes per second from all peers of this address; slow down"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json_string;
    use alloc::{format, string::ToString};

    #[test]
    fn no_sentence_needs_escaping() {
        for refusal in [
            Refusal::NotJson,
            Refusal::NotAnObject,
            Refusal::TooDeep { levels: 1 },
            Refusal::BatchWrong,
            Refusal::ConnectedElsewhere,
            Refusal::NoPlace,
            Refusal::TypeNotAString,
            Refusal::DataNotAnObject,
            Refusal::DataTooLarge { bytes: 1 },
            Refusal::DataRequired,
            Refusal::PeerNotAnId,
            Refusal::PeerNotTheSender,
            Refusal::NotRegistered,
            Refusal::MaxPeersOutOfRange,
            Refusal::TargetNotAnId,
            Refusal::TargetIsSender,
            Refusal::NetworkNotAString,
            Refusal::NetworkTooLong { bytes: 1 },
            Refusal::UnknownType,
            Refusal::MissingTarget,
            Refusal::TargetNotConnected,
            Refusal::MailboxFull,
            Refusal::TargetTooSlow,
            Refusal::MessageForOtherNetwork,
            Refusal::TargetInOtherNetwork,
            Refusal::NotAnnounced,
            Refusal::PeerNotGranted,
            Refusal::NetworkNotGranted,
            Refusal::RateLimited { per_second: 1, burst: 2 },
            Refusal::BytesLimited { per_second: 1, burst: 2 },
            Refusal::AddressLimited { messages: 1, bytes: 2 },
            Refusal::TooDeep { levels: 1 },
            Refusal::TooManyNetworks { networks: 1 },
            Refusal::FanOutTooLarge { bytes: 1 },
        ] {
            assert_eq!(json_string(&refusal.to_string()), format!("\"{refusal}\""));
        }
    }
}
