//! What a client can do against RFC 6455, and what it is told.

use std::fmt;
use tungstenite::protocol::frame::coding::CloseCode;

/// A broken rule of RFC 6455, or of this server's limits. The connection cannot go on after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Violation {
    /// Section 5.2: a reserved bit is set, and no extension was agreed on.
    ReservedBits,
    /// Section 5.2: opcodes 3 to 7 and 11 to 15 mean nothing.
    UnknownOpcode,
    /// Section 5.1: a client must mask every frame.
    Unmasked,
    /// Section 5.5: a control frame must not be fragmented.
    FragmentedControl,
    /// Section 5.5: the payload of a control frame has at most 125 bytes.
    LongControl,
    /// Section 5.2: the length must be written in the shortest form that holds it.
    NonMinimalLength,
    /// Section 5.2: the top bit of a 64-bit length must be 0.
    LengthTopBit,
    /// Section 5.4: a continuation frame without a message to continue.
    NothingToContinue,
    /// Section 5.4: a new message inside one that has not ended.
    MessageInMessage,
    /// Section 5.5.1: the payload of a close frame is empty or has at least 2 bytes.
    ShortClose,
    /// Section 7.4: a close code that must not be sent or is not defined.
    CloseCode,
    /// Section 5.5.1: the reason of a close frame is not UTF-8.
    CloseReason,
    /// Section 8.1: a text message is not UTF-8.
    NotUtf8,
    /// Section 10.4: the message is longer than `MAX_MESSAGE_SIZE`.
    TooBig,
}

impl Violation {
    /// The status code of the close frame that answers it (RFC 6455 section 7.4.1).
    #[must_use]
    pub fn close_code(self) -> CloseCode {
        match self {
            Violation::ReservedBits
            | Violation::UnknownOpcode
            | Violation::Unmasked
            | Violation::FragmentedControl
            | Violation::LongControl
            | Violation::NonMinimalLength
            | Violation::LengthTopBit
            | Violation::NothingToContinue
            | Violation::MessageInMessage
            | Violation::ShortClose
            | Violation::CloseCode => CloseCode::Protocol,
            Violation::CloseReason | Violation::NotUtf8 => CloseCode::Invalid,
            Violation::TooBig => CloseCode::Size,
        }
    }

    /// The reason in that close frame.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Violation::ReservedBits => "Reserved bit set without an extension",
            Violation::UnknownOpcode => "Unknown opcode",
            Violation::Unmasked => "Frame is not masked",
            Violation::FragmentedControl => "Control frame is fragmented",
            Violation::LongControl => "Control frame is longer than 125 bytes",
            Violation::NonMinimalLength => "Length is not in its shortest form",
            Violation::LengthTopBit => "Length has its top bit set",
            Violation::NothingToContinue => "Continuation without a message",
            Violation::MessageInMessage => "New message inside an unfinished one",
            Violation::ShortClose => "Close frame with a payload of one byte",
            Violation::CloseCode => "Close code is not allowed",
            Violation::CloseReason => "Close reason is not UTF-8",
            Violation::NotUtf8 => "Message is not UTF-8",
            Violation::TooBig => "Message is longer than MAX_MESSAGE_SIZE",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Violation {}
