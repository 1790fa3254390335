//! Messages of a database, none longer than is allowed, and what is wrong with a connection.

use crate::net::DialError;
use crate::store::postgres::sql::SCHEMA;
use bytes::BytesMut;
use core::fmt;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::{ErrorResponseBody, Header, Message};

/// Why there is no connection. As text it is one line without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There is none to its host.
    Dial(DialError),
    /// The database wants us to prove who we are in a way that we do not.
    Authentication(&'static str),
    /// What the database says: its code (`SQLSTATE`), whether the session ends by it, and the words.
    Refused {
        /// Five characters.
        code: String,
        /// `FATAL` or worse.
        is_fatal: bool,
        /// Its message.
        message: String,
    },
    /// The table, or something of it, is missing and could not be made, for this reason.
    NotMade(String),
    /// The table is not as it must be.
    Schema(String),
    /// It is a database that will not do.
    Unfit(&'static str),
    /// It does not speak as a database does.
    Garbled,
}

impl Failure {
    pub(super) const GARBLED: Failure = Failure::Garbled;
    pub(super) const SILENT: Failure = Failure::Dial(DialError::Silent);

    pub(super) fn tls(detail: String) -> Failure {
        Failure::Dial(DialError::Tls(detail))
    }

    /// The SQL that makes good what is wrong, for somebody who has the right.
    pub(crate) fn remedy(&self) -> Option<&'static str> {
        matches!(self, Failure::NotMade(_)).then_some(SCHEMA)
    }

    /// Whether nothing can be asked any more after it.
    pub(super) fn ends_session(&self) -> bool {
        !matches!(self, Failure::Refused { is_fatal: false, .. })
    }
}

impl From<DialError> for Failure {
    fn from(error: DialError) -> Failure {
        Failure::Dial(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Dial(error) => error.fmt(f),
            Failure::Authentication(detail) => f.write_str(detail),
            Failure::Refused { code, message, .. } => write!(f, "it says: {message} ({code})"),
            Failure::NotMade(reason) => write!(
                f,
                "the table signaling_messages is missing or lacks something, and the user may not make it ({reason}); \
                 peerpigeon-server --check shows the SQL for whoever may"
            ),
            Failure::Schema(detail) => f.write_str(detail),
            Failure::Unfit(detail) => f.write_str(detail),
            Failure::Garbled => f.write_str("what it sends is nothing that PostgreSQL would send here"),
        }
    }
}

/// The next whole message, taken out of `input`. What says that it is longer than `longest` is not waited for.
pub(super) fn next_message(input: &mut BytesMut, longest: usize) -> Result<Option<Message>, Failure> {
    let header = Header::parse(input).map_err(|_| Failure::GARBLED)?;
    if header.is_some_and(|header| usize::try_from(header.len()).is_ok_and(|length| length > longest)) {
        return Err(Failure::GARBLED);
    }
    Message::parse(input).map_err(|_| Failure::GARBLED)
}

/// What an error says. Its details are left out: they quote what was to be written.
pub(super) fn failure_of(body: &ErrorResponseBody) -> Failure {
    let (mut code, mut message, mut is_fatal) = (String::new(), String::new(), false);
    let mut fields = body.fields();
    while let Ok(Some(field)) = fields.next() {
        let value = String::from_utf8_lossy(field.value_bytes());
        match field.type_() {
            b'C' => code = value.chars().filter(char::is_ascii_alphanumeric).take(5).collect(),
            b'V' => is_fatal = matches!(&*value, "FATAL" | "PANIC"),
            b'M' => message = value.chars().take(SHOWN_CHARS).filter(|char| !char.is_control()).collect(),
            _ => {}
        }
    }
    Failure::Refused { code, is_fatal, message }
}

const SHOWN_CHARS: usize = 160;
