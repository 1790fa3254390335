//! HTTP/1.1 (RFC 9112) and its semantics (RFC 9110), apart from the WebSocket handshake.

use crate::bodies::{self, post};
use crate::exchange::Reply::{Head, Status};
use crate::exchange::{Exchange, get};
use crate::report::Level::{May, Must, Should};

/// `HANDSHAKE_TIMEOUT` and `KEEP_ALIVE_TIMEOUT` are what ends them.
pub(crate) fn slow() -> Vec<Exchange> {
    let slow = |level, what: &str, bytes: &str| Exchange::new("RFC 9110 15.5.9", level, what, bytes);
    vec![
        slow(Should, "half a method", "GE").ends(408),
        slow(Should, "half a request line", "GET /health").ends(408),
        slow(Should, "a head whose last field never ends", "GET / HTTP/1.1\r\nHost: x\r\nA: ").ends(408),
        slow(Should, "half a body that is thrown away", &post("/health", 60_000))
            .all_end(&[Status(405), Status(408)]),
        slow(Should, "half a body that is wanted", &post("/signaling", 1_000_000)).ends(408),
        Exchange::new("RFC 9112 9.5", May, "nothing at all", "").ends_later(&[]),
        Exchange::new("RFC 9112 9.5", May, "nothing after a request", &get("/", ""))
            .ends_later(&[Status(200)]),
    ]
}

pub(crate) fn all() -> Vec<Exchange> {
    [
        lines(),
        versions(),
        request_lines(),
        methods(),
        targets(),
        hosts(),
        fields(),
        sizes(),
        bodies::all(),
        connections(),
        answers(),
    ]
    .concat()
}

fn lines() -> Vec<Exchange> {
    let case = |level, what: &str, bytes: &str| Exchange::new("RFC 9112 2.2", level, what, bytes);
    vec![
        case(Must, "an ordinary request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n").stays(200),
        case(Should, "an empty line before the request", "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n").stays(200),
        case(Must, "an empty line between two requests", "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .then("\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
            .all_stay(&[Status(200), Status(404)]),
        case(May, "lines that end with LF alone", "GET / HTTP/1.1\nHost: x\n\n").ends(400),
        case(May, "one line that ends with LF alone", "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n").ends(400),
        case(Must, "a CR within a field", "GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n").ends(400),
        case(Must, "a CR within the request line", "GET /\r HTTP/1.1\r\nHost: x\r\n\r\n").ends(400),
        case(Must, "a blank before the first field", "GET / HTTP/1.1\r\n Host: x\r\n\r\n").ends(400),
        case(Must, "a tab before the first field", "GET / HTTP/1.1\r\n\tHost: x\r\n\r\n").ends(400),
        case(Should, "zeros", "\0\0\0\0\r\n\r\n").ends(400),
        case(Should, "the beginning of a TLS handshake", "\x16\x03\x01\x02\0\x01\0\x01\x7c\x03\x03\r\n\r\n")
            .ends(400),
        case(Should, "the beginning of an SSH session", "SSH-2.0-OpenSSH_9.6\r\n\r\n").ends(400),
        case(Should, "the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").ends(505),
        case(Should, "a WebSocket frame", "\u{1}\u{5}hello\r\n\r\n").ends(400),
    ]
}

fn versions() -> Vec<Exchange> {
    let line = |what: &str, version: &str| {
        Exchange::new("RFC 9112 2.3", Should, what, &format!("GET / {version}\r\nHost: x\r\n\r\n"))
    };
    vec![
        line("a name in lower case", "http/1.1").ends(400),
        line("a name of something else", "HTCPCP/1.1").ends(400),
        line("no minor version", "HTTP/1").ends(400),
        line("no dot", "HTTP/11").ends(400),
        line("no major version", "HTTP/.1").ends(400),
        line("two digits", "HTTP/1.10").ends(400),
        line("no digits", "HTTP/x.y").ends(400),
        line("more behind it", "HTTP/1.1x").ends(400),
        Exchange::new("RFC 9110 15.6.6", Should, "HTTP/2.0", "GET / HTTP/2.0\r\nHost: x\r\n\r\n").ends(505),
        Exchange::new("RFC 9110 15.6.6", Should, "HTTP/0.9 with a number", "GET / HTTP/0.9\r\n\r\n")
            .ends(505),
        Exchange::new("RFC 9110 15.6.6", Should, "HTTP/3.0", "GET / HTTP/3.0\r\nHost: x\r\n\r\n").ends(505),
        Exchange::new(
            "RFC 9110 2.5",
            May,
            "HTTP/1.2, which nobody speaks",
            "GET / HTTP/1.2\r\nHost: x\r\n\r\n",
        )
        .ends(505),
        Exchange::new("RFC 9110 2.5", Must, "HTTP/1.0", "GET /health HTTP/1.0\r\n\r\n").ends(200),
    ]
}

fn request_lines() -> Vec<Exchange> {
    let line = |what: &str, line: &str| {
        Exchange::new("RFC 9112 3", Should, what, &format!("{line}\r\nHost: x\r\n\r\n"))
    };
    vec![
        line("no version", "GET /").ends(400),
        line("no target", "GET HTTP/1.1").ends(400),
        line("a method alone", "GET").ends(400),
        line("two blanks before the target", "GET  / HTTP/1.1").ends(400),
        line("two blanks behind the target", "GET /  HTTP/1.1").ends(400),
        line("a blank behind the version", "GET / HTTP/1.1 ").ends(400),
        line("a blank before the method", " GET / HTTP/1.1").ends(400),
        line("tabs for blanks", "GET\t/\tHTTP/1.1").ends(400),
        line("a blank within the target", "GET /a b HTTP/1.1").ends(400),
        line("NUL within the target", "GET /\0 HTTP/1.1").ends(400),
        line("DEL within the target", "GET /\x7f HTTP/1.1").ends(400),
        line("a control character within the target", "GET /\x01 HTTP/1.1").ends(400),
    ]
}

fn methods() -> Vec<Exchange> {
    let line = |section, level, what: &str, method: &str, path: &str| {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        Exchange::new(section, level, what, &request)
    };
    let mut cases = vec![
        line("RFC 9110 9.1", Should, "a method that nobody knows", "BREW", "/").stays(501),
        line("RFC 9112 3.1", Must, "a method in lower case", "get", "/").stays(501),
        line("RFC 9112 3.1", Should, "a method of 1000 letters", &"X".repeat(1000), "/").stays(501),
        line("RFC 9112 3.1", Should, "a method with an @", "G@T", "/").ends(400),
        line("RFC 9112 3.1", Should, "a method with a parenthesis", "GE(T", "/").ends(400),
        line("RFC 9112 3.1", Should, "no method", "", "/").ends(400),
        Exchange::new("RFC 9110 9.3.2", Must, "HEAD of a page", "HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n")
            .all_stay(&[Head(200)]),
        Exchange::new("RFC 9110 9.3.2", Must, "HEAD of nothing", "HEAD /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
            .all_stay(&[Head(404)]),
        Exchange::new("RFC 9110 9.3.2", Must, "HEAD between GETs", &get("/", ""))
            .then("HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n")
            .then(get("/nothing", ""))
            .all_stay(&[Status(200), Head(200), Status(404)]),
        Exchange::new(
            "RFC 9110 9.3.7",
            Should,
            "OPTIONS of a page",
            "OPTIONS /health HTTP/1.1\r\nHost: x\r\n\r\n",
        )
        .stays(200)
        .with_field("allow", "GET, HEAD, POST, OPTIONS"),
        Exchange::new(
            "RFC 9112 3.2.4",
            Must,
            "OPTIONS of everything",
            "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        )
        .stays(200),
    ];
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE"] {
        let case = line("RFC 9110 9.1", Should, &format!("{method} of a page"), method, "/health");
        cases.push(case.stays(405).with_field("allow", "GET, HEAD, OPTIONS"));
    }
    cases
}

fn targets() -> Vec<Exchange> {
    let line = |section, level, what: &str, target: &str| {
        Exchange::new(section, level, what, &format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"))
    };
    let origin = |level, what: &str, target: &str| line("RFC 9112 3.2.1", level, what, target);
    let absolute = |level, what: &str, target: &str| line("RFC 9112 3.2.2", level, what, target);
    vec![
        origin(Must, "a query", "/health?x=y").stays(200),
        origin(Must, "an empty query", "/health?").stays(200),
        origin(Must, "slashes only", "//").stays(404),
        origin(Must, "what could be a host", "//host/path").stays(404),
        origin(Must, "dots that lead out", "/../../etc/passwd").stays(404),
        origin(Should, "half an escape", "/%").stays(404),
        origin(Should, "an escaped NUL", "/%00").stays(404),
        origin(Should, "no slash", "health").ends(400),
        origin(Should, "a query alone", "?x=y").ends(400),
        origin(Must, "no path that exists", "/nothing").stays(404),
        absolute(Must, "an absolute target", "http://example.org/health").stays(200),
        absolute(Must, "one without a path", "http://example.org").stays(200),
        absolute(Must, "one with a query only", "http://example.org?x=y").stays(200),
        absolute(Must, "one with a port", "http://example.org:8080/health").stays(200),
        absolute(Must, "one with an IPv6 address", "http://[::1]/health").stays(200),
        absolute(Must, "a scheme in capitals", "HTTP://EXAMPLE.ORG/health").stays(200),
        absolute(Must, "an IPv6 address and a port", "http://[::1]:8080/health").stays(200),
        absolute(Must, "an IPv6 address without its end", "http://[::1").ends(400),
        absolute(Must, "no IPv6 address in brackets", "http://[host]/health").ends(400),
        absolute(Must, "something behind the brackets", "http://[::1]x/health").ends(400),
        absolute(Must, "a port that is no number", "http://example.org:http/health").ends(400),
        absolute(Must, "two ports", "http://example.org:80:80/health").ends(400),
        absolute(Should, "no host", "http:///health").ends(400),
        absolute(Should, "nothing behind the scheme", "http://").ends(400),
        absolute(Should, "a scheme of something else", "ftp://example.org/").ends(400),
        absolute(Should, "a user before the host", "http://user@example.org/health").ends(400),
        line("RFC 9112 3.2.3", Should, "a host alone", "example.org:80").ends(400),
        Exchange::new(
            "RFC 9112 3.2.3",
            Should,
            "CONNECT",
            "CONNECT example.org:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        )
        .stays(404),
        line("RFC 9112 3.2.4", Should, "GET of an asterisk", "*").ends(400),
    ]
}

fn hosts() -> Vec<Exchange> {
    let request = |level, what: &str, fields: &str| {
        Exchange::new("RFC 9112 3.2", level, what, &format!("GET / HTTP/1.1\r\n{fields}\r\n"))
    };
    vec![
        request(Must, "no Host", "").ends(400),
        request(Must, "no Host among others", "Accept: */*\r\n").ends(400),
        request(Must, "two Hosts", "Host: a\r\nHost: b\r\n").ends(400),
        request(Must, "the same Host twice", "Host: a\r\nHost: a\r\n").ends(400),
        request(Must, "a blank in the Host", "Host: a b\r\n").ends(400),
        request(Must, "a path in the Host", "Host: a/b\r\n").ends(400),
        request(Must, "a user in the Host", "Host: me@a\r\n").ends(400),
        request(Must, "two in one Host", "Host: a, b\r\n").ends(400),
        request(Must, "an empty Host", "Host:\r\n").stays(200),
        request(Must, "a Host in another case", "hOsT: EXAMPLE.org\r\n").stays(200),
        request(Must, "a Host with a port", "Host: example.org:3000\r\n").stays(200),
        request(Must, "a Host in IPv6", "Host: [::1]:3000\r\n").stays(200),
        request(Must, "half an IPv6 address in the Host", "Host: [::1\r\n").ends(400),
        request(Must, "an IPv6 address without brackets in the Host", "Host: ::1\r\n").ends(400),
        request(Must, "a port that is no number in the Host", "Host: a:b\r\n").ends(400),
        request(Must, "blanks around the Host", "Host: \t example.org \t \r\n").stays(200),
        Exchange::new("RFC 9112 3.2", Must, "HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n").ends(200),
        Exchange::new(
            "RFC 9112 3.2",
            Must,
            "HTTP/1.0 with two Hosts",
            "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        )
        .ends(400),
        Exchange::new(
            "RFC 9112 3.2.2",
            Must,
            "an absolute target without Host",
            "GET http://x/ HTTP/1.1\r\n\r\n",
        )
        .ends(400),
    ]
}

fn fields() -> Vec<Exchange> {
    let field = |section, level, what: &str, line: &str| {
        Exchange::new(section, level, what, &get("/", &format!("{line}\r\n")))
    };
    let line = |level, what: &str, line: &str| field("RFC 9112 5", level, what, line);
    let around = |level, what: &str, line: &str| field("RFC 9112 5.1", level, what, line);
    let value = |level, what: &str, line: &str| field("RFC 9110 5.5", level, what, line);
    vec![
        line(Should, "no colon", "No colon").ends(400),
        line(Should, "no name", ": no name").ends(400),
        line(Should, "a name with a blank", "No name: x").ends(400),
        line(Should, "a name with a parenthesis", "A(b): x").ends(400),
        line(Should, "a name that is not ASCII", "Ä: x").ends(400),
        line(Must, "an empty value", "A:").stays(200),
        line(Must, "no blank before the value", "A:b").stays(200),
        line(Must, "a colon in the value", "A: b: c").stays(200),
        line(Must, "every character that a name may have", "!#$%&'*+-.^_`|~09azAZ: x").stays(200),
        around(Must, "a blank before the colon", "A : b").ends(400),
        around(Must, "a tab before the colon", "A\t: b").ends(400),
        around(Must, "a blank before the colon of Content-Length", "Content-Length : 5").ends(400),
        around(Must, "blanks and tabs around the value", "Connection: \t  close \t ").ends(200),
        field("RFC 9112 5.2", Must, "a folded line", "A: b\r\n folded").ends(400),
        field("RFC 9112 5.2", Must, "a line folded with a tab", "A: b\r\n\tfolded").ends(400),
        field("RFC 9112 5.2", Must, "a folded line of nothing", "A: b\r\n \r\nC: d").ends(400),
        value(Must, "NUL", "A: b\0c").ends(400),
        value(May, "a control character", "A: b\x01c").ends(400),
        value(May, "DEL", "A: b\x7fc").ends(400),
        value(May, "a tab", "A: b\tc").stays(200),
        value(May, "bytes above ASCII", "A: b\u{e4}c").stays(200),
        Exchange::new("RFC 9110 5.3", May, "the same field many times", &get("/", &"A: b\r\n".repeat(60)))
            .stays(200),
        Exchange::new(
            "RFC 9110 10.1.1",
            Must,
            "an expectation that does not matter",
            &get("/", "Expect: 100-continue\r\n"),
        )
        .ends(200),
    ]
}

fn sizes() -> Vec<Exchange> {
    let target = |level, what: &str, bytes: usize| {
        let target = format!("/{}", "x".repeat(bytes - 1));
        Exchange::new("RFC 9112 3", level, what, &get(&target, ""))
    };
    let head = |what: &str, fields: &str| Exchange::new("RFC 9110 5.4", Must, what, &get("/", fields));
    vec![
        target(Should, "a target of 8000 bytes", 8_000).stays(404),
        target(May, "a target of 8192 bytes", 8_192).stays(404),
        target(Must, "a target of 8193 bytes", 8_193).ends(414),
        target(Must, "a target of 100,000 bytes", 100_000).ends(414),
        Exchange::new(
            "RFC 9112 3",
            Must,
            "a target that never ends",
            &format!("GET /{}", "x".repeat(20_000)),
        )
        .ends(414),
        head("a field of 15,000 bytes", &format!("A: {}\r\n", "x".repeat(15_000))).stays(200),
        head("a field of 17,000 bytes", &format!("A: {}\r\n", "x".repeat(17_000))).ends(431),
        head("a field of 100,000 bytes", &format!("A: {}\r\n", "x".repeat(100_000))).ends(431),
        head("a name of 17,000 bytes", &format!("{}: x\r\n", "x".repeat(17_000))).ends(431),
        head("64 fields", &"A: b\r\n".repeat(63)).stays(200),
        head("65 fields", &"A: b\r\n".repeat(64)).ends(431),
        head("20,000 fields", &"A: b\r\n".repeat(20_000)).ends(431),
        Exchange::new(
            "RFC 9110 5.4",
            Must,
            "a field that never ends",
            &format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}", "x".repeat(20_000)),
        )
        .ends(431),
    ]
}

fn connections() -> Vec<Exchange> {
    let case =
        |level, what: &str, fields: &str| Exchange::new("RFC 9112 9.3", level, what, &get("/", fields));
    let old = |what: &str, fields: &str| {
        Exchange::new("RFC 9112 9.3", Should, what, &format!("GET / HTTP/1.0\r\n{fields}\r\n"))
    };
    let many = |count: usize| {
        let request = get("/", "");
        let what = format!("{count} requests at once");
        Exchange::new("RFC 9112 9.3.2", Must, &what, &request.repeat(count))
            .all_stay(&vec![Status(200); count])
    };
    vec![
        case(Must, "nothing said about the connection", "").stays(200),
        case(Must, "close", "Connection: close\r\n").ends(200),
        case(Must, "close in another case", "Connection: CLOSE\r\n").ends(200),
        case(Must, "close among others", "Connection: x, close, y\r\n").ends(200),
        case(Must, "close on a second line", "Connection: x\r\nConnection: close\r\n").ends(200),
        case(Must, "keep-alive", "Connection: keep-alive\r\n").stays(200),
        case(Must, "keep-alive and close", "Connection: keep-alive, close\r\n").ends(200),
        case(Must, "something else", "Connection: x-close\r\n").stays(200),
        old("HTTP/1.0", "").ends(200),
        old("HTTP/1.0 that wants to go on", "Connection: keep-alive\r\n")
            .stays(200)
            .with_field("connection", "keep-alive"),
        Exchange::new(
            "RFC 9112 9.6",
            Must,
            "a request behind the last one",
            &get("/", "Connection: close\r\n"),
        )
        .then(get("/nothing", ""))
        .ends(200),
        Exchange::new(
            "RFC 9112 9.6",
            Should,
            "a request behind a broken one",
            "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
        )
        .then(get("/", ""))
        .ends(400),
        Exchange::new("RFC 9112 9.3.2", Must, "two requests and half a third", &get("/", ""))
            .then(get("/nothing", "") + "GET / HTTP/1.1\r\n")
            .then("Host: x\r\n\r\n")
            .all_stay(&[Status(200), Status(404), Status(200)]),
        many(2),
        many(16),
        many(17),
        many(100),
    ]
}

fn answers() -> Vec<Exchange> {
    vec![
        Exchange::new("RFC 9110 8.3", Should, "the type of a page", &get("/health", ""))
            .stays(200)
            .with_field("content-type", "application/json"),
        Exchange::new("RFC 9110 15.5.5", Must, "nothing there", &get("/favicon.ico", "")).stays(404),
        Exchange::new("RFC 9110 13.1.1", Must, "a condition", &get("/", "If-None-Match: *\r\n")).stays(200),
        Exchange::new("RFC 9110 14.2", May, "a range", &get("/health", "Range: bytes=0-1\r\n")).stays(200),
        Exchange::new("RFC 9110 7.8", Must, "an upgrade to something else", &get("/health", H2C)).stays(200),
        Exchange::new(
            "RFC 9110 7.8",
            Must,
            "an upgrade in HTTP/1.0",
            "GET /health HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        )
        .ends(200),
    ]
}

const H2C: &str = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n";
