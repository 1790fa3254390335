//! Why a message was refused, as clients are told.

use super::{EnvelopeMember, Flaw};

/// The `code` of an `error`. None ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PspCode {
    InvalidJson,
    InvalidEnvelope,
    UnknownType,
    InstanceIdMismatch,
    NotAnnounced,
    NotYourId,
    OtherScope,
    TargetNotConnected,
    TooLarge,
    RateLimited,
    QueueFull,
}

impl PspCode {
    pub(crate) const ALL: [PspCode; 11] = [
        PspCode::InvalidJson,
        PspCode::InvalidEnvelope,
        PspCode::UnknownType,
        PspCode::InstanceIdMismatch,
        PspCode::NotAnnounced,
        PspCode::NotYourId,
        PspCode::OtherScope,
        PspCode::TargetNotConnected,
        PspCode::TooLarge,
        PspCode::RateLimited,
        PspCode::QueueFull,
    ];

    /// On the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            PspCode::InvalidJson => "invalid_json",
            PspCode::InvalidEnvelope => "invalid_envelope",
            PspCode::UnknownType => "unknown_type",
            PspCode::InstanceIdMismatch => "instance_id_mismatch",
            PspCode::NotAnnounced => "not_announced",
            PspCode::NotYourId => "not_your_id",
            PspCode::OtherScope => "other_scope",
            PspCode::TargetNotConnected => "target_not_connected",
            PspCode::TooLarge => "too_large",
            PspCode::RateLimited => "rate_limited",
            PspCode::QueueFull => "queue_full",
        }
    }

    /// For people; needs no escaping in a JSON string.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            PspCode::InvalidJson => {
                "The message must be a JSON object, nested no deeper than the server allows"
            }
            PspCode::InvalidEnvelope => "A member of the envelope is missing or wrong",
            PspCode::UnknownType => "type is none of the 19 of PSP 1.0",
            PspCode::InstanceIdMismatch => "body.instance_id must be the network, or absent",
            PspCode::NotAnnounced => "Announce yourself before you address peers",
            PspCode::NotYourId => "from must be the id that you announced on this connection",
            PspCode::OtherScope => {
                "network and session_id must be those that you announced on this connection"
            }
            PspCode::TargetNotConnected => "The target is not connected",
            PspCode::TooLarge => "The message is too large",
            PspCode::RateLimited => "Too much in too short a time; slow down",
            PspCode::QueueFull => "The target reads too slowly for so much; slow down",
        }
    }
}

impl Flaw {
    pub(crate) fn code(self) -> PspCode {
        match self {
            Flaw::Json => PspCode::InvalidJson,
            Flaw::Member(_) => PspCode::InvalidEnvelope,
            Flaw::UnknownType => PspCode::UnknownType,
        }
    }

    /// For people; needs no escaping in a JSON string.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Flaw::Member(member) => member.sentence(),
            Flaw::Json | Flaw::UnknownType => self.code().sentence(),
        }
    }
}

impl EnvelopeMember {
    /// What is allowed.
    fn sentence(self) -> &'static str {
        match self {
            EnvelopeMember::PspVersion => "psp_version must be the string 1.0",
            EnvelopeMember::Type => "type is required and must be a string",
            EnvelopeMember::Network => {
                "network is required and must be a string of 1 to 128 bytes, not blank"
            }
            EnvelopeMember::From => "from is required and must be a string of 1 to 128 bytes, not blank",
            EnvelopeMember::To => "to must be a string of 1 to 128 bytes, not blank, or null",
            EnvelopeMember::SessionId => "session_id must be a string of at most 128 bytes, or null",
            EnvelopeMember::MessageId => {
                "message_id is required and must be a string of 1 to 128 bytes, not blank"
            }
            EnvelopeMember::Timestamp => "timestamp is required and must be a number",
            EnvelopeMember::Body => "body must be an object",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json_string;
    use alloc::collections::BTreeSet;
    use alloc::format;

    #[test]
    fn each_code_has_a_name_of_its_own_and_no_sentence_needs_escaping() {
        let members = [
            EnvelopeMember::PspVersion,
            EnvelopeMember::Type,
            EnvelopeMember::Network,
            EnvelopeMember::From,
            EnvelopeMember::To,
            EnvelopeMember::SessionId,
            EnvelopeMember::MessageId,
            EnvelopeMember::Timestamp,
            EnvelopeMember::Body,
        ];
        let sentences: BTreeSet<&str> = PspCode::ALL
            .map(PspCode::sentence)
            .into_iter()
            .chain(members.map(EnvelopeMember::sentence))
            .collect();
        assert_eq!(sentences.len(), PspCode::ALL.len() + members.len());
        for sentence in sentences {
            assert_eq!(json_string(sentence), format!("\"{sentence}\""));
        }
        let names: BTreeSet<&str> = PspCode::ALL.map(PspCode::name).into_iter().collect();
        assert_eq!(names.len(), 11);
    }

    #[test]
    fn a_flaw_of_a_member_names_it() {
        let flaw = Flaw::Member(EnvelopeMember::SessionId);
        assert_eq!(flaw.code(), PspCode::InvalidEnvelope);
        assert!(flaw.sentence().starts_with("session_id "));
        assert_eq!(
            (Flaw::Json.code(), Flaw::UnknownType.code()),
            (PspCode::InvalidJson, PspCode::UnknownType)
        );
    }
}
