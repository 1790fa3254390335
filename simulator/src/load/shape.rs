//! Checks what comes, byte for byte, at the price of a comparison.
//!
//! The first message of a kind is read as JSON and checked in full: type, sender, addressee, and `data` as it
//! was sent. Its text then is the shape of all that follow: only ids, number and timestamp may differ, and
//! the ids must be those of the two peers. Whatever does not fit a known shape is read in full again.

use super::letter::{FIRST_NUMBER, ID_DIGITS, Id, NUMBER_AT, NUMBER_DIGITS, Signal, read_number};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// What a text from the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A signal from the partner, whole and unchanged.
    Signal { signal: Signal, number: u64 },
    /// Something else that a server may say: `connected`, `peer-discovered` and so on.
    Notice,
    /// An `error` of the server.
    Error,
    /// Anything else: not JSON, from somebody else, for somebody else, or not what was sent.
    Wrong,
}

/// The known shapes, and the `data` that all signals carry.
#[derive(Debug)]
pub(super) struct Shapes {
    data: String,
    known: Vec<Shape>,
}

#[derive(Debug)]
struct Shape {
    signal: Signal,
    len: usize,
    pieces: Vec<Piece>,
    /// Where the number stands.
    number: usize,
}

/// A stretch of text.
#[derive(Debug, PartialEq)]
enum Piece {
    Same(Vec<u8>),
    Own,
    Partner,
    Number,
    /// Digits that may be any.
    Digits(usize),
}

/// One server has one shape per signal; a few more for those that are not constant in length.
const MAX_SHAPES: usize = 8;

impl Shapes {
    /// Knows nothing yet; `data` is what every signal must carry, but for its number.
    pub(super) fn new(data: String) -> Shapes {
        Shapes { data, known: Vec::new() }
    }

    /// What `text` is, which the peer `own` got, whose partner is `partner`.
    pub(super) fn hear(&mut self, text: &[u8], own: &Id, partner: &Id) -> Heard {
        for shape in &self.known {
            if let Some(number) = shape.number_in(text, own, partner) {
                return Heard::Signal { signal: shape.signal, number };
            }
        }
        self.read(text, own, partner)
    }

    fn read(&mut self, text: &[u8], own: &Id, partner: &Id) -> Heard {
        let Ok(text) = str::from_utf8(text) else { return Heard::Wrong };
        let Ok(members) = serde_json::from_str::<BTreeMap<&str, &RawValue>>(text) else {
            return Heard::Wrong;
        };
        let string = |key| members.get(key).map_or("", |raw| raw.get().trim_matches('"'));
        let signal = match string("type") {
            "offer" => Signal::Offer,
            "answer" => Signal::Answer,
            "error" => return Heard::Error,
            "" => return Heard::Wrong,
            _ => return Heard::Notice,
        };
        let data = members.get("data").map_or("", |raw| raw.get());
        let Some(number) = self.number_of(data) else { return Heard::Wrong };
        if string("fromPeerId").as_bytes() != partner || string("targetPeerId").as_bytes() != own {
            return Heard::Wrong;
        }
        let timestamp = members.get("timestamp").map_or("", |raw| raw.get());
        if self.known.len() < MAX_SHAPES
            && timestamp.parse::<u64>().is_ok()
            && let Some(shape) = Shape::learn(signal, text, data, timestamp, own, partner)
        {
            self.known.push(shape);
        }
        Heard::Signal { signal, number }
    }

    /// The number in `data`, if the rest of it is what was sent. Spelled differently it may still mean the same.
    fn number_of(&self, data: &str) -> Option<u64> {
        let mut value: Value = serde_json::from_str(data).ok()?;
        let number = value.get("n")?.as_u64()?;
        value["n"] = FIRST_NUMBER.into();
        let sent: Value = serde_json::from_str(&self.data).ok()?;
        (value == sent).then_some(number)
    }
}

impl Shape {
    /// `data` and `timestamp` are slices of `text`. `None` where the number does not stand where it was sent.
    fn learn(
        signal: Signal,
        text: &str,
        data: &str,
        timestamp: &str,
        own: &Id,
        partner: &Id,
    ) -> Option<Shape> {
        let place = |part: &str| text.find(part);
        let number = place(data)? + NUMBER_AT;
        let mut marks = vec![
            (place(str::from_utf8(own).ok()?)?, ID_DIGITS, Piece::Own),
            (place(str::from_utf8(partner).ok()?)?, ID_DIGITS, Piece::Partner),
            (number, NUMBER_DIGITS, Piece::Number),
            (text.rfind(timestamp)?, timestamp.len(), Piece::Digits(timestamp.len())),
        ];
        marks.sort_by_key(|(start, _, _)| *start);
        let bytes = text.as_bytes();
        read_number(bytes.get(number..number + NUMBER_DIGITS)?.try_into().ok()?)?;
        let (mut pieces, mut at) = (Vec::new(), 0);
        for (start, len, piece) in marks {
            pieces.push(Piece::Same(bytes.get(at..start)?.to_vec()));
            pieces.push(piece);
            at = start + len;
        }
        pieces.push(Piece::Same(bytes[at..].to_vec()));
        Some(Shape { signal, len: bytes.len(), pieces, number })
    }

    fn number_in(&self, text: &[u8], own: &Id, partner: &Id) -> Option<u64> {
        if text.len() != self.len {
            return None;
        }
        let mut rest = text;
        for piece in &self.pieces {
            let len = piece.len();
            let (found, after) = rest.split_at(len);
            let fits = match piece {
                Piece::Same(bytes) => found == bytes,
                Piece::Own => found == own,
                Piece::Partner => found == partner,
                Piece::Number => true,
                Piece::Digits(_) => found.iter().all(u8::is_ascii_digit),
            };
            if !fits {
                return None;
            }
            rest = after;
        }
        read_number(text[self.number..self.number + NUMBER_DIGITS].try_into().ok()?)
    }
}

impl Piece {
    fn len(&self) -> usize {
        match self {
            Piece::Same(bytes) => bytes.len(),
            Piece::Own | Piece::Partner => ID_DIGITS,
            Piece::Number => NUMBER_DIGITS,
            Piece::Digits(len) => *len,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::letter::{data, id_of};
    use super::*;

    fn text(signal: &str, data: &str, from: &Id, to: &Id, timestamp: u64) -> String {
        let (from, to) = (str::from_utf8(from).unwrap(), str::from_utf8(to).unwrap());
        format!(
            r#"{{"type":"{signal}","data":{data},"fromPeerId":"{from}","targetPeerId":"{to}","timestamp":{timestamp}}}"#
        )
    }

    fn numbered(data: &str, number: u64) -> String {
        data.replace(&FIRST_NUMBER.to_string(), &number.to_string())
    }

    #[test]
    fn signals_are_recognised_for_any_pair_number_and_time() {
        let data = data(200);
        let mut shapes = Shapes::new(data.clone());
        for round in 0..5_u64 {
            for (name, signal) in [("offer", Signal::Offer), ("answer", Signal::Answer)] {
                let (own, partner) = (id_of(round), id_of(round + 100));
                let number = FIRST_NUMBER + round;
                let text = text(name, &numbered(&data, number), &partner, &own, 1_700_000_000_000 + round);
                let heard = shapes.hear(text.as_bytes(), &own, &partner);
                assert_eq!(heard, Heard::Signal { signal, number });
            }
        }
        assert_eq!(shapes.known.len(), 2);
    }

    #[test]
    fn another_sender_addressee_or_payload_is_wrong_before_and_after_a_shape_is_known() {
        let data = data(120);
        let (own, partner, other) = (id_of(1), id_of(2), id_of(3));
        let mut shapes = Shapes::new(data.clone());
        for _ in 0..2 {
            let changed = data.replacen("v=0", "v=1", 1);
            for wrong in [
                text("offer", &data, &other, &own, 1_700_000_000_000),
                text("offer", &data, &partner, &other, 1_700_000_000_000),
                text("offer", &changed, &partner, &own, 1_700_000_000_000),
                "{}".into(),
                "[".into(),
            ] {
                assert_eq!(shapes.hear(wrong.as_bytes(), &own, &partner), Heard::Wrong, "{wrong}");
            }
            let right = text("offer", &data, &partner, &own, 1_700_000_000_000);
            assert!(matches!(shapes.hear(right.as_bytes(), &own, &partner), Heard::Signal { .. }));
        }
    }

    #[test]
    fn what_the_server_says_itself_is_told_apart() {
        let mut shapes = Shapes::new(data(100));
        let (own, partner) = (id_of(1), id_of(2));
        let mut hear = |text: &str| shapes.hear(text.as_bytes(), &own, &partner);
        assert_eq!(hear(r#"{"type":"connected"}"#), Heard::Notice);
        assert_eq!(hear(r#"{"type":"error","error":"x"}"#), Heard::Error);
    }
}
