//! The head of a request, strictly by RFC 9112: what several readers could understand in several ways is refused.

use crate::http::request::{BodyLength, HttpRequest, Method, fields, list};
use crate::http::{HttpRefusal, Status};
use httparse::Header;
use std::net::Ipv6Addr;

/// Bytes of a head, with the empty line that ends it, where nothing else is set.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Bytes of a request target; more is 414.
pub const MAX_TARGET_BYTES: usize = 8 * 1024;

/// Header fields of a request; more is 431.
pub const MAX_HEADERS: usize = 64;

/// Bytes of a body that is read and thrown away, so that the connection can go on; more is 413.
pub const MAX_BODY_BYTES: u64 = 64 * 1024;

/// Reads one head at the start of `bytes`: the request and the length of the head, or `None` when it is not whole.
///
/// `seen` is how much of `bytes` was there at the last attempt: what comes byte by byte is not parsed again
/// for every byte. A head of more than `max_head_bytes` is 431.
///
/// # Errors
///
/// What to answer. The connection cannot go on after it, since nobody knows where the next request begins.
pub fn parse<'b>(
    bytes: &'b [u8],
    seen: usize,
    headers: &'b mut [Header<'b>; MAX_HEADERS],
    max_head_bytes: usize,
) -> Result<Option<(HttpRequest<'b>, usize)>, HttpRefusal> {
    let end = end_of_head(bytes, seen);
    refuse_bare_newlines(&bytes[..end.unwrap_or(bytes.len())], seen)?;
    if end.is_none() && seen > 0 {
        return incomplete(bytes, max_head_bytes);
    }
    let mut parsed = httparse::Request::new(headers);
    let head_bytes = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(head_bytes)) => head_bytes,
        Ok(httparse::Status::Partial) => return incomplete(bytes, max_head_bytes),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(refusal(Status::HeadersTooLarge, "More than 64 header fields"));
        }
        Err(httparse::Error::Version) => return Err(wrong_version(bytes)),
        Err(_) if over_target(bytes) => return Err(TARGET_TOO_LONG),
        Err(httparse::Error::HeaderName | httparse::Error::HeaderValue) => {
            return Err(bad("Malformed header field"));
        }
        Err(_) => return Err(bad("Malformed request line")),
    };
    if head_bytes > max_head_bytes {
        return Err(HEAD_TOO_LONG);
    }
    let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(bad("Malformed request line"));
    };
    let request = check(method, target, minor == 1, parsed.headers)?;
    Ok(Some((request, head_bytes)))
}

/// Judges the parts that came so far of a head that is not whole.
fn incomplete<T>(bytes: &[u8], max_head_bytes: usize) -> Result<Option<T>, HttpRefusal> {
    if over_target(bytes) {
        return Err(TARGET_TOO_LONG);
    }
    if bytes.len() > max_head_bytes {
        return Err(HEAD_TOO_LONG);
    }
    Ok(None)
}

/// Whether the request line is longer than one with the longest target can be.
fn over_target(bytes: &[u8]) -> bool {
    const LONGEST_METHOD_AND_VERSION: usize = 32;
    let line = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    line > MAX_TARGET_BYTES + LONGEST_METHOD_AND_VERSION
}

/// RFC 9112 section 2.2: a line ends with CR LF. A lone LF may be accepted, but then two readers can see two
/// different requests in the same bytes.
fn refuse_bare_newlines(head: &[u8], seen: usize) -> Result<(), HttpRefusal> {
    let mut new = seen.min(head.len())..head.len();
    let bare = new.any(|at| head[at] == b'\n' && (at == 0 || head[at - 1] != b'\r'));
    if bare { Err(bad("Line feed without carriage return")) } else { Ok(()) }
}

/// Where the head ends, behind its empty line. Empty lines before the request do not count (section 2.2).
fn end_of_head(bytes: &[u8], seen: usize) -> Option<usize> {
    let empty_lines = bytes.chunks(2).take_while(|line| *line == b"\r\n").count();
    let from = seen.saturating_sub(3).max(2 * empty_lines);
    let at = bytes[from..].windows(4).position(|window| window == b"\r\n\r\n")?;
    Some(from + at + 4)
}

/// 505 for a version that has the form of one (RFC 9112 section 2.3), else 400.
fn wrong_version(bytes: &[u8]) -> HttpRefusal {
    let line = bytes.trim_ascii_start().split(|byte| *byte == b'\r').next().unwrap_or_default();
    let words: Vec<&[u8]> = line.splitn(4, |byte| *byte == b' ').collect();
    match words[..] {
        [_, _, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            refusal(Status::VersionNotSupported, "Only HTTP/1.1 and HTTP/1.0 are spoken here")
        }
        _ => bad("Malformed request line"),
    }
}

fn check<'b>(
    method: &str,
    target: &'b str,
    is_1_1: bool,
    headers: &'b [Header<'b>],
) -> Result<HttpRequest<'b>, HttpRefusal> {
    check_host(headers, is_1_1)?;
    let body = body_length(headers, is_1_1)?;
    if target.len() > MAX_TARGET_BYTES {
        return Err(TARGET_TOO_LONG);
    }
    let (method, target) = (self::method(method), path_and_query(method, target)?);
    let mut request = HttpRequest { method, target, is_1_1, keep_alive: false, body, headers };
    // A client that expects 100 may or may not send its body after another answer: no way to go on.
    request.keep_alive = !request.lists("Connection", "close")
        && (is_1_1 || request.lists("Connection", "keep-alive"))
        && request.fields("Expect").next().is_none();
    Ok(request)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "OPTIONS" => Method::Options,
        "POST" => Method::Post,
        "PUT" | "DELETE" | "CONNECT" | "TRACE" | "PATCH" => Method::Known,
        _ => Method::Unknown,
    }
}

/// RFC 9112 section 3.2: the four forms of a target.
fn path_and_query<'b>(method: &str, target: &'b str) -> Result<&'b str, HttpRefusal> {
    if target.starts_with('/') || method == "CONNECT" || (target == "*" && method == "OPTIONS") {
        return Ok(target);
    }
    let Some((scheme, rest)) = target.split_once("://") else {
        return Err(bad("Request target is neither a path nor an absolute URL"));
    };
    if !["http", "https", "ws", "wss"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(bad("Request target has a scheme other than http, https, ws, wss"));
    }
    let authority = rest.find(['/', '?']).unwrap_or(rest.len());
    if authority == 0 || !is_host_and_port(&rest.as_bytes()[..authority]) {
        return Err(bad("Request target has a malformed authority"));
    }
    Ok(match &rest[authority..] {
        "" => "/",
        path_and_query => path_and_query,
    })
}

/// RFC 9112 section 3.2: exactly one `Host` in HTTP/1.1, and a valid one.
fn check_host(headers: &[Header<'_>], is_1_1: bool) -> Result<(), HttpRefusal> {
    let mut hosts = fields(headers, "Host");
    let Some(host) = hosts.next() else {
        return if is_1_1 { Err(bad("Host is missing")) } else { Ok(()) };
    };
    if hosts.next().is_some() {
        return Err(bad("More than one Host"));
    }
    if !is_host_and_port(host) {
        return Err(bad("Host is malformed"));
    }
    Ok(())
}

/// `uri-host [ ":" port ]` (RFC 3986 sections 3.2.2 and 3.2.3); both may be empty.
fn is_host_and_port(authority: &[u8]) -> bool {
    let is_port = |port: &[u8]| port.iter().all(u8::is_ascii_digit);
    if let [b'[', rest @ ..] = authority {
        let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
        let address = std::str::from_utf8(&rest[..end]).unwrap_or_default();
        return address.parse::<Ipv6Addr>().is_ok()
            && matches!(&rest[end + 1..], [] | [b':', ..])
            && is_port(rest[end + 1..].get(1..).unwrap_or_default());
    }
    let colon = authority.iter().position(|byte| *byte == b':').unwrap_or(authority.len());
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(byte);
    authority[..colon].iter().all(is_of_name) && is_port(authority.get(colon + 1..).unwrap_or_default())
}

/// RFC 9112 section 6: where the body ends. Whatever could be read in two ways is refused.
fn body_length(headers: &[Header<'_>], is_1_1: bool) -> Result<BodyLength, HttpRefusal> {
    let mut lengths = fields(headers, "Content-Length");
    let length = lengths.next();
    if lengths.next().is_some() {
        return Err(bad("More than one Content-Length"));
    }
    if fields(headers, "Transfer-Encoding").next().is_some() {
        return if length.is_some() {
            Err(bad("Both Content-Length and Transfer-Encoding"))
        } else if !is_1_1 {
            Err(bad("Transfer-Encoding in HTTP/1.0"))
        } else {
            coded_length(fields(headers, "Transfer-Encoding").flat_map(list))
        };
    }
    let Some(length) = length else { return Ok(BodyLength::Known(0)) };
    if length.is_empty() || !length.iter().all(u8::is_ascii_digit) {
        return Err(bad("Content-Length is not a number"));
    }
    let digits = length.iter().map(|digit| u64::from(digit - b'0'));
    let length = digits.fold(0_u64, |sum, digit| sum.saturating_mul(10).saturating_add(digit));
    Ok(BodyLength::Known(length))
}

/// RFC 9112 sections 6.1 and 6.3: only `chunked`, once and last, says where a body ends.
fn coded_length<'b>(codings: impl Iterator<Item = &'b [u8]>) -> Result<BodyLength, HttpRefusal> {
    let is_chunked: Vec<bool> = codings.map(|coding| coding.eq_ignore_ascii_case(b"chunked")).collect();
    match is_chunked[..] {
        [true] => Ok(BodyLength::Chunked),
        [ref others @ .., true] if !others.contains(&true) => {
            Err(refusal(Status::NotImplemented, "Transfer coding is not known"))
        }
        _ => Err(bad("The last transfer coding, and only that, must be chunked")),
    }
}

const HEAD_TOO_LONG: HttpRefusal =
    refusal(Status::HeadersTooLarge, "Request head is longer than allowed (MAX_HEADER_SIZE)");
const TARGET_TOO_LONG: HttpRefusal = refusal(Status::UriTooLong, "Request target is longer than 8192 bytes");

const fn refusal(status: Status, text: &'static str) -> HttpRefusal {
    HttpRefusal::new(status, text)
}

const fn bad(text: &'static str) -> HttpRefusal {
    refusal(Status::BadRequest, text)
}
