//! Bodies of requests, and how they tell where they end (RFC 9112 section 6).

use crate::exchange::Reply::Status;
use crate::exchange::{Exchange, get};
use crate::report::Level::{May, Must, Should};

pub(crate) fn all() -> Vec<Exchange> {
    [transfer_codings(), lengths()].concat()
}

/// The head of a request whose body is so long.
pub(crate) fn post(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")
}

fn transfer_codings() -> Vec<Exchange> {
    let post = |section, level, what: &str, fields: &str, body: &str| {
        let head = format!("POST /signaling HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
        Exchange::new(section, level, what, &(head + body))
    };
    const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
    const BODY: &str = "2\r\n{}\r\n0\r\n\r\n";
    vec![
        // It is read, and holds no message.
        post("RFC 9112 6.1", Must, "chunks", CHUNKED, BODY).stays(400),
        post("RFC 9112 6.1", Must, "chunks before another request", CHUNKED, BODY)
            .then(get("/nothing", ""))
            .all_stay(&[Status(400), Status(404)]),
        post("RFC 9112 7.1.1", Must, "an extension", CHUNKED, "2;a=\"b\"\r\n{}\r\n0\r\n\r\n").stays(400),
        post("RFC 9112 7.1.2", Must, "a trailer field", CHUNKED, "2\r\n{}\r\n0\r\nA: b\r\n\r\n").stays(400),
        post("RFC 9112 7.1", Must, "the size of a chunk in words", CHUNKED, "two\r\n{}\r\n0\r\n\r\n")
            .ends(400),
        post("RFC 9112 7.1", Must, "a chunk without its end", CHUNKED, "2\r\n{}0\r\n\r\n").ends(400),
        post("RFC 9112 2.2", Must, "chunks with LF alone", CHUNKED, "2\n{}\n0\n\n").ends(400),
        post("RFC 9112 7.1", Must, "a size beyond 64 bits", CHUNKED, "10000000000000000\r\n{}").ends(400),
        post(
            "RFC 9112 6.3",
            Should,
            "chunks and a length",
            "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
            BODY,
        )
        .ends(400),
        post(
            "RFC 9112 6.3",
            Should,
            "a length and chunks",
            "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
            BODY,
        )
        .ends(400),
        post("RFC 9112 6.3", Must, "chunks in something else", "Transfer-Encoding: chunked, gzip\r\n", BODY)
            .ends(400),
        post("RFC 9112 6.3", Must, "no chunks at all", "Transfer-Encoding: gzip\r\n", BODY).ends(400),
        post(
            "RFC 9112 6.1",
            Should,
            "something else in chunks",
            "Transfer-Encoding: gzip, chunked\r\n",
            BODY,
        )
        .ends(501),
        post("RFC 9112 6.1", Should, "a coding that nobody knows", "Transfer-Encoding: x, chunked\r\n", BODY)
            .ends(501),
        post("RFC 9112 6.1", Must, "chunked in another case", "Transfer-Encoding: CHUNKED\r\n", BODY)
            .stays(400),
        post("RFC 9112 6.1", Must, "chunks in chunks", "Transfer-Encoding: chunked, chunked\r\n", BODY)
            .ends(400),
        post(
            "RFC 9112 6.1",
            Must,
            "chunked on two lines",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            BODY,
        )
        .ends(400),
        post("RFC 9112 6.3", Must, "an empty Transfer-Encoding", "Transfer-Encoding:\r\n", BODY).ends(400),
        Exchange::new(
            "RFC 9112 6.1",
            Must,
            "chunks in HTTP/1.0",
            &format!("POST /signaling HTTP/1.0\r\n{CHUNKED}\r\n{BODY}"),
        )
        .ends(400),
        // Nobody reads them to their end.
        Exchange::new("RFC 9112 6.3", May, "chunks for a page", &get("/health", CHUNKED))
            .then(BODY)
            .ends(200),
    ]
}

fn lengths() -> Vec<Exchange> {
    let post = |level, what: &str, fields: &str| {
        let head = format!("POST /health HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
        Exchange::new("RFC 9112 6.3", level, what, &head)
    };
    vec![
        post(Must, "a body", "Content-Length: 5\r\n").then("hello").stays(405),
        post(Must, "a body that looks like a request", "Content-Length: 18\r\n")
            .then("GET / HTTP/1.1\r\n\r\n")
            .stays(405),
        post(Must, "no body and no length", "").stays(405),
        post(Must, "an empty body", "Content-Length: 0\r\n").stays(405),
        post(Must, "zeros before the length", "Content-Length: 005\r\n").then("hello").stays(405),
        post(Must, "two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n").ends(400),
        post(May, "the same length twice", "Content-Length: 5\r\nContent-Length: 5\r\n").ends(400),
        post(May, "the same length as a list", "Content-Length: 5, 5\r\n").ends(400),
        post(Must, "two lengths as a list", "Content-Length: 5, 6\r\n").ends(400),
        post(Must, "a length below zero", "Content-Length: -1\r\n").ends(400),
        post(Must, "a length with a sign", "Content-Length: +5\r\n").ends(400),
        post(Must, "a length in hex", "Content-Length: 0x5\r\n").ends(400),
        post(Must, "a length with a fraction", "Content-Length: 5.0\r\n").ends(400),
        post(Must, "a length of two numbers", "Content-Length: 5 5\r\n").ends(400),
        post(Must, "an empty length", "Content-Length:\r\n").ends(400),
        post(Must, "a length that is a word", "Content-Length: five\r\n").ends(400),
        post(Must, "a length beyond 64 bits", "Content-Length: 99999999999999999999\r\n").ends(413),
        post(May, "a body that is too long", "Content-Length: 65537\r\n").ends(413),
        Exchange::new("RFC 9112 6.3", Must, "GET with a body", &get("/", "Content-Length: 5\r\n"))
            .then("hello")
            .stays(200),
        Exchange::new("RFC 9112 6.3", Must, "a body before another request", &post_text("/health", "hello"))
            .then(get("/nothing", ""))
            .all_stay(&[Status(405), Status(404)]),
        Exchange::new("RFC 9110 15.5.1", Should, "a body that is no JSON", &post_text("/signaling", "hello"))
            .stays(400),
        Exchange::new("RFC 9110 15.5.1", Should, "two bodies in a row", &post_text("/signaling", "hello"))
            .then(post_text("/signaling", "[]"))
            .all_stay(&[Status(400), Status(400)]),
        Exchange::new("RFC 9110 10.1.1", Must, "a client that waits before its body", EXPECTING)
            .then("hello")
            .all_end(&[Status(100), Status(400)]),
    ]
}

const EXPECTING: &str =
    "POST /signaling HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";

fn post_text(path: &str, body: &str) -> String {
    post(path, body.len()) + body
}
