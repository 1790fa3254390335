//! The head of a request: read alike however it is cut, and never in a way that another reader would not.

use peerpigeon_server::http::{
    self, BodyLength, HttpRefusal, HttpRequest, MAX_HEAD_BYTES, MAX_HEADERS, MAX_TARGET_BYTES, Method,
};

/// What matters of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Read {
    method: Method,
    target: String,
    path: String,
    query: String,
    is_1_1: bool,
    keep_alive: bool,
    body: BodyLength,
    fields: Vec<(String, Vec<u8>)>,
    head_bytes: usize,
}

/// The first byte says how the rest is cut.
pub fn run(data: &[u8]) {
    let Some((&cut_byte, bytes)) = data.split_first() else { return };
    let whole = read(bytes, 0);
    // Enough pieces, and not so many that a long head takes long.
    let piece = 1 + usize::from(cut_byte).max(bytes.len() / 100);
    let cut = read_in_pieces(bytes, piece);
    match &whole {
        Ok(Some(read)) => check(read, bytes),
        Ok(None) => assert!(bytes.len() <= MAX_HEAD_BYTES, "kept more than a head may have"),
        // Byte by byte only a whole head is looked at again, and another rule may be found broken first.
        Err(_) => {
            let ended = [bytes, b"\r\n\r\n"].concat();
            let cut = read_in_pieces(&ended, piece);
            return assert!(cut.is_err(), "{cut:?} instead of {whole:?}");
        }
    }
    assert_eq!(whole, cut);
}

fn read(bytes: &[u8], seen: usize) -> Result<Option<Read>, HttpRefusal> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let parsed = http::parse(bytes, seen, &mut headers, MAX_HEAD_BYTES)?;
    Ok(parsed.map(|(request, head_bytes)| keep(&request, head_bytes)))
}

fn keep(request: &HttpRequest<'_>, head_bytes: usize) -> Read {
    let fields = request.headers.iter().map(|header| (header.name.to_owned(), header.value.to_vec()));
    Read {
        method: request.method,
        target: request.target.to_owned(),
        path: request.path().to_owned(),
        query: request.query().to_owned(),
        is_1_1: request.is_1_1,
        keep_alive: request.keep_alive,
        body: request.body,
        fields: fields.collect(),
        head_bytes,
    }
}

/// As the loop does it: what has come so far, and how much of it was there the last time.
fn read_in_pieces(bytes: &[u8], piece: usize) -> Result<Option<Read>, HttpRefusal> {
    let mut seen = 0;
    for end in (piece..bytes.len()).step_by(piece).chain([bytes.len()]) {
        if let Some(read) = read(&bytes[..end], seen)? {
            return Ok(Some(read));
        }
        seen = end;
    }
    Ok(None)
}

fn check(read: &Read, bytes: &[u8]) {
    let head = &bytes[..read.head_bytes];
    assert!(head.len() <= MAX_HEAD_BYTES && head.ends_with(b"\r\n\r\n"));
    for (i, byte) in head.iter().enumerate() {
        // A reader that takes either alone for the end of a line would see another request.
        assert!(*byte != b'\n' || (i > 0 && head[i - 1] == b'\r'), "LF without CR");
        assert!(*byte != b'\r' || head.get(i + 1) == Some(&b'\n'), "CR without LF");
        assert_ne!(*byte, 0);
    }
    assert!(read.target.len() <= MAX_TARGET_BYTES);
    assert!(!read.target.bytes().any(|byte| byte <= b' ' || byte == 0x7f), "{:?}", read.target);
    assert!(read.method == Method::Known || read.path.starts_with('/') || read.path == "*", "{read:?}");
    assert!(read.target.is_empty() || read.target.starts_with(&read.path) || read.path == "/");
    assert!(read.target.ends_with(&read.query));
    let count = |name: &str| read.fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).count();
    // Two readers must find the same end of the body.
    match read.body {
        BodyLength::Known(0) => assert!(count("Transfer-Encoding") == 0 && count("Content-Length") <= 1),
        BodyLength::Known(_) => assert!(count("Transfer-Encoding") == 0 && count("Content-Length") == 1),
        BodyLength::Chunked => assert!(count("Transfer-Encoding") == 1 && count("Content-Length") == 0),
    }
    assert!(count("Host") == 1 || (count("Host") == 0 && !read.is_1_1));
    for (name, value) in &read.fields {
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':'));
        assert!(!value.iter().any(|byte| *byte < b' ' && *byte != b'\t'), "{name}: {value:?}");
    }
    if !read.is_1_1 {
        assert!(!read.keep_alive || count("Connection") > 0, "HTTP/1.0 goes on only when asked to");
    }
}
