//! A WebSocket server that sends every message back: what the frame decoder does, without signaling around it. A
//! binary message that is no text is answered by `not text`.
//!
//! Listens on a free port of the loopback and says which on standard output; the first argument is the longest
//! message in bytes. One thread for each connection.

use peerpigeon_server::http::{self, MAX_HEAD_BYTES, MAX_HEADERS};
use peerpigeon_server::websocket::{Decoder, Found, encode};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use tungstenite::handshake::derive_accept_key;

fn main() -> io::Result<()> {
    let limit = std::env::args().nth(1).and_then(|argument| argument.parse().ok()).unwrap_or(1 << 20);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    for stream in listener.incoming() {
        let stream = stream?;
        // What a client does wrong ends its own connection.
        thread::spawn(move || serve(stream, limit));
    }
    Ok(())
}

fn serve(mut stream: TcpStream, limit: usize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut early = upgrade(&mut stream)?;
    let mut decoder = Decoder::default();
    let mut is_over = answer(&mut stream, &mut decoder, &mut early, limit)?;
    let mut room = vec![0; 64 * 1024];
    while !is_over {
        let count = stream.read(&mut room)?;
        is_over = count == 0 || answer(&mut stream, &mut decoder, &mut room[..count], limit)?;
    }
    stream.shutdown(Shutdown::Write)?;
    // A socket that is closed with unread input is reset, and the reset destroys what the client has not read.
    while stream.read(&mut room)? > 0 {}
    Ok(())
}

/// Accepts the handshake; returns what came behind it.
fn upgrade(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut room = [0; 1024];
    loop {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        match http::parse(&bytes, 0, &mut headers, MAX_HEAD_BYTES) {
            Ok(Some((request, head_bytes))) => {
                let key = request.field("Sec-WebSocket-Key").ok_or(io::ErrorKind::InvalidData)?;
                write!(
                    stream,
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Accept: {}\r\n\r\n",
                    derive_accept_key(key.as_bytes())
                )?;
                return Ok(bytes.split_off(head_bytes));
            }
            Ok(None) if bytes.len() <= MAX_HEAD_BYTES => {}
            Ok(None) | Err(_) => return Err(io::ErrorKind::InvalidData.into()),
        }
        match stream.read(&mut room)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => bytes.extend_from_slice(&room[..count]),
        }
    }
}

/// Answers everything in `input`; true when the connection is over.
fn answer(stream: &mut TcpStream, decoder: &mut Decoder, input: &mut [u8], limit: usize) -> io::Result<bool> {
    let mut out = Vec::new();
    let mut at = 0;
    let is_over = loop {
        match decoder.next(input, &mut at, limit) {
            Ok(Some(Found::Text(text))) => encode::text(&mut out, text),
            Ok(Some(Found::Binary(_))) => encode::text(&mut out, "not text"),
            Ok(Some(Found::Ping(payload))) => encode::pong(&mut out, payload),
            Ok(Some(Found::Pong)) => {}
            Ok(Some(Found::Close(code))) => {
                encode::close(&mut out, code, "");
                break true;
            }
            Ok(None) => break false,
            Err(violation) => {
                encode::close(&mut out, Some(violation.close_code()), violation.text());
                break true;
            }
        }
    };
    stream.write_all(&out)?;
    Ok(is_over)
}
