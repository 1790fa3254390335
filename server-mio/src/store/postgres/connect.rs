//! From an URL to a session that is ready: host, TLS, password, table, statements.
//!
//! All of this waits for somebody, and a password costs thousands of hashes: it is done by a thread, not by the loop.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "there are many messages, and those who write the list may add others"
)]

use crate::net::{ClientTls, DialError, Dialed};
use crate::program::settings::Pem;
use crate::store::StoreUrl;
use crate::store::postgres::line::Line;
use crate::store::postgres::messages::{Failure, failure_of};
use crate::store::postgres::sql::{INSPECT, SCHEMA, Statement};
use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{DataRowBody, Message};
use postgres_protocol::message::frontend;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Which database, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) url: StoreUrl,
    /// Who may have signed its certificate.
    pub(super) authorities: Option<Pem>,
    /// How long one statement may take.
    pub(super) timeout_ms: u64,
}

/// A connection, and what it takes to go on with it.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) stream: Dialed,
    pub(super) tls: Option<ClientTls>,
    /// What has come already.
    pub(super) input: BytesMut,
}

/// Connects, and sees to it that questions can be asked.
pub(super) fn connect(target: &Target) -> Result<Connected, Failure> {
    let mut line = Line::open(&target.url, target.authorities.as_ref(), Instant::now() + PATIENCE)?;
    log_in(&mut line, &target.url)?;
    // What the server says of itself, and then that it is ready.
    let version = until_ready(&mut line)?;
    if version.is_some_and(|version| version < OLDEST) {
        return Err(Failure::Unfit("it is older than PostgreSQL 13"));
    }
    let timeout = target.timeout_ms;
    let rows = query(
        &mut line,
        &format!(
            "SET TIME ZONE 'UTC'; SET lock_timeout = {}; \
             SELECT current_setting('server_encoding'), current_setting('transaction_read_only')",
            (timeout / 2).max(1)
        ),
    )?;
    match rows.first().map(|row| row.iter().map(String::as_str).collect::<Vec<_>>()).as_deref() {
        Some(["UTF8", "off"]) => {}
        Some(["UTF8", _]) => return Err(Failure::Unfit("it can only be read, as a standby")),
        _ => return Err(Failure::Unfit("it keeps text in another encoding than UTF8")),
    }
    see_to_schema(&mut line)?;
    // Only now: an index of a large table takes longer than a question may.
    query(&mut line, &format!("SET statement_timeout = {timeout}"))?;
    prepare(&mut line)?;
    let (stream, tls) = line.line.into_parts();
    Ok(Connected { stream, tls, input: line.input })
}

/// Connects once, waiting no longer than it would take the server; for `--check`.
///
/// # Errors
///
/// Why it is impossible, as one line.
pub(crate) fn try_out(url: StoreUrl, authorities: Option<Pem>, timeout_ms: u64) -> Result<(), Failure> {
    let target = Target { url, authorities, timeout_ms };
    let (tell, told) = mpsc::channel();
    let spawned = thread::Builder::new().name("mail store".to_owned()).spawn(move || {
        // Nobody listens once it has taken too long.
        let _ = tell.send(connect(&target).map(|_| ()));
    });
    spawned.map_err(|error| Failure::Dial(DialError::Socket(error.to_string())))?;
    told.recv_timeout(PATIENCE + Duration::from_secs(1)).unwrap_or(Err(Failure::SILENT))
}

fn log_in(line: &mut Line, url: &StoreUrl) -> Result<(), Failure> {
    let parameters = [
        ("user", url.user.as_str()),
        ("database", &url.database),
        ("application_name", env!("CARGO_PKG_NAME")),
        ("client_encoding", "UTF8"),
    ];
    said(frontend::startup_message(parameters, &mut line.output))?;
    line.send()?;
    loop {
        match line.receive()? {
            Message::AuthenticationOk => return Ok(()),
            Message::AuthenticationSasl(body) => {
                let mechanisms: Vec<_> = body.mechanisms().collect().map_err(|_| Failure::GARBLED)?;
                if !mechanisms.contains(&SCRAM_SHA_256) {
                    return Err(Failure::Authentication(
                        "it wants a password in a way that is none of ours: allowed is scram-sha-256",
                    ));
                }
                let password = url.password.as_deref().ok_or(NO_PASSWORD)?;
                prove(line, password)?;
            }
            Message::AuthenticationCleartextPassword => {
                return Err(Failure::Authentication(
                    "it wants the password itself, which is not told: allowed is scram-sha-256",
                ));
            }
            Message::AuthenticationMd5Password(_) => {
                return Err(Failure::Authentication(
                    "it wants the password by MD5, which whoever listens can undo: allowed is scram-sha-256",
                ));
            }
            Message::ErrorResponse(body) => return Err(failure_of(&body)),
            Message::NoticeResponse(_) => {}
            _ => {
                return Err(Failure::Authentication(
                    "it wants us to prove who we are in a way that is none of ours: allowed are scram-sha-256, peer and trust",
                ));
            }
        }
    }
}

/// SCRAM-SHA-256 (RFC 7677): the database proves that it knows the password, too.
fn prove(line: &mut Line, password: &str) -> Result<(), Failure> {
    let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
    said(frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut line.output))?;
    line.send()?;
    match line.receive()? {
        Message::AuthenticationSaslContinue(body) => {
            scram.update(body.data()).map_err(|_| Failure::GARBLED)?
        }
        Message::ErrorResponse(body) => return Err(failure_of(&body)),
        _ => return Err(Failure::GARBLED),
    }
    said(frontend::sasl_response(scram.message(), &mut line.output))?;
    line.send()?;
    match line.receive()? {
        Message::AuthenticationSaslFinal(body) => scram.finish(body.data()).map_err(|_| {
            Failure::Authentication("it cannot prove that it knows the password: it is another server")
        }),
        Message::ErrorResponse(body) => Err(failure_of(&body)),
        _ => Err(Failure::GARBLED),
    }
}

/// Its version, if it says one.
fn until_ready(line: &mut Line) -> Result<Option<u32>, Failure> {
    let mut version = None;
    loop {
        match line.receive()? {
            Message::ReadyForQuery(_) => return Ok(version),
            Message::ParameterStatus(body) => {
                if let (Ok("server_version"), Ok(value)) = (body.name(), body.value()) {
                    version =
                        value.split(|char: char| !char.is_ascii_digit()).next().and_then(|v| v.parse().ok());
                }
            }
            Message::BackendKeyData(_) | Message::NoticeResponse(_) => {}
            Message::ErrorResponse(body) => return Err(failure_of(&body)),
            _ => return Err(Failure::GARBLED),
        }
    }
}

/// Makes the table, or what it lacks, if we may.
fn see_to_schema(line: &mut Line) -> Result<(), Failure> {
    if let [is_whole, _, _] = &inspected(line)?
        && is_whole != "t"
    {
        let made = query(line, SCHEMA);
        if let Err(failure) = made {
            return Err(match failure {
                Failure::Refused { message, .. } => Failure::NotMade(message),
                other => other,
            });
        }
    }
    match inspected(line)? {
        [is_whole, _, missing] if is_whole == "t" && missing.is_empty() => Ok(()),
        [is_whole, _, missing] if is_whole == "t" => Err(Failure::Schema(format!(
            "the user lacks rights on the table signaling_messages: {missing}; GRANT gives them"
        ))),
        _ => Err(Failure::Schema("the table signaling_messages is another one than was made".to_owned())),
    }
}

fn inspected(line: &mut Line) -> Result<[String; 3], Failure> {
    let mut rows = query(line, INSPECT)?;
    rows.pop().and_then(|row| row.try_into().ok()).ok_or(Failure::GARBLED)
}

fn prepare(line: &mut Line) -> Result<(), Failure> {
    for statement in Statement::ALL {
        let (text, types) = statement.text();
        said(frontend::parse(statement.name(), text, types.iter().copied(), &mut line.output))?;
    }
    frontend::sync(&mut line.output);
    answered(line).map(|_| ())
}

/// Asks something that has no values; the values of all rows of the answer as text, null as nothing.
fn query(line: &mut Line, text: &str) -> Result<Vec<Vec<String>>, Failure> {
    said(frontend::query(text, &mut line.output))?;
    answered(line)
}

fn answered(line: &mut Line) -> Result<Vec<Vec<String>>, Failure> {
    line.send()?;
    let mut rows = Vec::new();
    let mut outcome = Ok(());
    loop {
        match line.receive()? {
            Message::DataRow(row) if rows.len() < MAX_ROWS => rows.push(values(&row)?),
            Message::ErrorResponse(body) => {
                let failure = failure_of(&body);
                if failure.ends_session() {
                    return Err(failure);
                }
                outcome = outcome.and(Err(failure));
            }
            Message::ReadyForQuery(_) => return outcome.map(|()| rows),
            Message::RowDescription(_)
            | Message::CommandComplete(_)
            | Message::ParseComplete
            | Message::NoticeResponse(_)
            | Message::ParameterStatus(_) => {}
            _ => return Err(Failure::GARBLED),
        }
    }
}

fn values(row: &DataRowBody) -> Result<Vec<String>, Failure> {
    let text = |range: Option<std::ops::Range<usize>>| {
        let bytes = range.and_then(|range| row.buffer().get(range)).unwrap_or_default();
        Ok(String::from_utf8_lossy(bytes).into_owned())
    };
    row.ranges().map(text).collect().map_err(|_| Failure::GARBLED)
}

/// What we say can be said: fails only where it holds a NUL or has 2 GiB.
fn said(result: std::io::Result<()>) -> Result<(), Failure> {
    result.map_err(|_| Failure::Unfit("what it is to be told cannot be said"))
}

const NO_PASSWORD: Failure = Failure::Authentication("it wants a password, and there is none in MAIL_STORE");

/// From the first packet to a session that is ready.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);

/// The first that has `gen_random_uuid`.
const OLDEST: u32 = 13;

/// Of the answers to what is asked here.
const MAX_ROWS: usize = 16;
