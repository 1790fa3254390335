//! What becomes of what a database sends, or somebody who is none.

use super::*;
use bytes::BufMut as _;

const NOW: Clocks = Clocks { now: Time(1_000), wall: UnixMillis(1_700_000_000_000) };

fn session() -> Session {
    let limits = MailLimits { messages: 64, bytes: 65_536, total_bytes: 1 << 24 };
    let mut session = Session::new(7, limits, BytesMut::new());
    // All letters together are few.
    session.known_bytes = 0;
    session
}

fn letter(number: u64) -> Letter {
    Letter {
        number,
        address: "b".into(),
        sender: "a".into(),
        from: "a".into(),
        network: "n".into(),
        kind: "offer".into(),
        name: "m".into(),
        data: Some("{}".into()),
        ttl_ms: 1_000,
        is_proven: false,
        is_newest: false,
    }
}

fn ask(session: &mut Session, id: u64, question: &Question) {
    let asked = Asked { id: QuestionId(id), kind: QuestionKind::from(question), at: Time(0) };
    session.ask(asked, NOW.wall, question);
}

fn put(session: &mut Session, id: u64) {
    ask(session, id, &Question::Put(letter(id)));
}

fn write_all(session: &mut Session) -> Vec<u8> {
    session.finish_batch();
    let output = session.output().to_vec();
    session.note_written(output.len());
    output
}

fn answers(session: &mut Session) -> Vec<(u64, OwnedAnswer)> {
    std::iter::from_fn(|| session.poll()).map(|finished| (finished.asked.id.0, finished.answer)).collect()
}

/// A message with this tag.
fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![tag];
    message.put_u32(u32::try_from(body.len() + 4).unwrap());
    message.extend_from_slice(body);
    message
}

/// What says that one statement is done.
fn done(tag: &str) -> Vec<u8> {
    [message(b'2', b""), message(b'C', format!("{tag}\0").as_bytes())].concat()
}

fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

fn error(severity: &str) -> Vec<u8> {
    message(b'E', format!("S{severity}\0V{severity}\0C40001\0Mnot \"now\"\n\x1b[31m\0\0").as_bytes())
}

/// Where each message begins, by its tag.
fn tags(output: &[u8]) -> String {
    let mut tags = String::new();
    let mut rest = output;
    while let [tag, a, b, c, d, ..] = *rest {
        tags.push(tag.into());
        rest = &rest[1 + u32::from_be_bytes([a, b, c, d]) as usize..];
    }
    tags
}

#[test]
fn letters_one_after_the_other_are_one_transaction_and_all_else_is_one_each() {
    let mut session = session();
    put(&mut session, 1);
    put(&mut session, 2);
    ask(&mut session, 3, &Question::DiscardAll);
    put(&mut session, 4);
    assert_eq!(tags(&write_all(&mut session)), "BEBESBESBES");
    let input = [
        done("INSERT 0 1"),
        done("INSERT 0 1"),
        ready(),
        done("UPDATE 5"),
        ready(),
        done("INSERT 0 0"),
        ready(),
    ];
    // Byte by byte.
    for byte in input.concat() {
        session.receive(&[byte], NOW).unwrap();
    }
    let expected = [OwnedAnswer::Stored, OwnedAnswer::Stored, OwnedAnswer::Gone(5), OwnedAnswer::Stored];
    assert_eq!(answers(&mut session), (1..).zip(expected).collect::<Vec<_>>());
    assert_eq!(session.pending(), 0);
}

#[test]
fn an_error_fails_its_transaction_and_no_other_and_its_line_has_no_control_characters() {
    let mut session = session();
    put(&mut session, 1);
    put(&mut session, 2);
    ask(&mut session, 3, &Question::DiscardAll);
    write_all(&mut session);
    let input = [done("INSERT 0 1"), error("ERROR"), ready(), done("UPDATE 0"), ready()].concat();
    session.receive(&input, NOW).unwrap();
    let expected = [OwnedAnswer::Failed, OwnedAnswer::Failed, OwnedAnswer::Gone(0)];
    assert_eq!(answers(&mut session), (1..).zip(expected).collect::<Vec<_>>());
    assert_eq!(session.poll_error().unwrap(), "it says: not \"now\"[31m (40001)");
}

#[test]
fn what_is_not_written_to_its_end_has_failed_when_the_connection_is_lost() {
    let mut session = session();
    put(&mut session, 1);
    ask(&mut session, 2, &Question::DiscardAll);
    session.finish_batch();
    let first = session.output().iter().position(|byte| *byte == b'S').unwrap();
    let whole = session.output().len();
    // All but a byte of the last `Sync`.
    session.note_written(whole - 1);
    assert!(first < whole);
    put(&mut session, 3);
    session.lose();
    let expected = [OwnedAnswer::Unknown, OwnedAnswer::Failed, OwnedAnswer::Failed];
    assert_eq!(answers(&mut session), (1..).zip(expected).collect::<Vec<_>>());
    assert_eq!(session.pending(), 0);
}

#[test]
fn who_is_no_database_is_found_out_at_once_and_without_memory() {
    let row = |values: &[&[u8]]| {
        let mut body = Vec::new();
        body.put_u16(u16::try_from(values.len()).unwrap());
        for value in values {
            body.put_u32(u32::try_from(value.len()).unwrap());
            body.extend_from_slice(value);
        }
        message(b'D', &body)
    };
    let take = Question::Take { address: "b".into(), is_proven: true };
    for (what, input) in [
        ("a length of 2 GiB", vec![b'D', 0x7f, 0xff, 0xff, 0xff]),
        ("a length below 4", vec![b'D', 0, 0, 0, 3]),
        ("no tag of the protocol", message(b'!', b"")),
        ("an answer to nothing", [ready(), ready()].concat()),
        ("ready without an answer", ready()),
        ("a row that is none", row(&[b"1", b"2"])),
        ("a row of nothing", message(b'D', b"")),
        ("HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ("a login", message(b'R', &[0, 0, 0, 0])),
        ("too many statements", [done("SELECT 0"), done("SELECT 0")].concat()),
    ] {
        let mut session = session();
        ask(&mut session, 1, &take);
        write_all(&mut session);
        assert_eq!(session.receive(&input, NOW), Err(Failure::Garbled), "{what}");
        assert!(session.input.capacity() < 1_024 * 1_024, "{what}");
    }
}

#[test]
fn a_database_that_goes_says_why() {
    let mut session = session();
    put(&mut session, 1);
    write_all(&mut session);
    let failure = session.receive(&error("FATAL"), NOW).unwrap_err();
    assert!(failure.ends_session());
    session.lose();
    assert_eq!(answers(&mut session), [(1, OwnedAnswer::Unknown)]);
}

#[test]
fn what_is_taken_in_has_a_limit_and_what_is_too_much_fails_at_once() {
    let mut session = session();
    let long = Letter { data: Some(format!("\"{}\"", "x".repeat(60_000)).into()), ..letter(0) };
    let mut taken = 0;
    for id in 0..1_000 {
        ask(&mut session, id, &Question::Put(Letter { number: id, ..long.clone() }));
        taken += u64::from(session.poll().is_none());
    }
    // Each is written twice: its bytes, and as JSONB.
    assert!((30..40).contains(&taken), "{taken}");
    assert!(session.output().len() < MAX_UNWRITTEN_BYTES + 2 * 65_536);
    let too_long = Letter { data: Some("x".repeat(70_000).into()), ..letter(1_001) };
    let mut session = self::session();
    ask(&mut session, 1_001, &Question::Put(too_long));
    assert_eq!(answers(&mut session), [(1_001, OwnedAnswer::Failed)]);
}

#[test]
fn a_sweep_goes_on_while_there_is_more_and_others_come_in_between() {
    let row = |numbers: [i64; 2]| {
        let mut body = vec![0, 2];
        for number in numbers {
            body.put_u32(8);
            body.put_i64(number);
        }
        message(b'D', &body)
    };
    let step = |numbers| [message(b'2', b""), row(numbers), message(b'C', b"SELECT 1\0"), ready()].concat();
    let mut session = session();
    ask(&mut session, 1, &Question::Sweep);
    assert_eq!(tags(&write_all(&mut session)), "BES");
    put(&mut session, 2);
    session.receive(&step([SWEPT_AT_ONCE, 10]), NOW).unwrap();
    assert_eq!(tags(&write_all(&mut session)), "BESBES", "the letter, and the next step");
    session.receive(&[done("INSERT 0 1"), ready()].concat(), NOW).unwrap();
    session.receive(&step([3, 1]), NOW).unwrap();
    assert_eq!(tags(&write_all(&mut session)), "BES", "what is too much");
    session.receive(&step([5, 1 << 25]), NOW).unwrap();
    assert_eq!(answers(&mut session), [(2, OwnedAnswer::Stored), (1, OwnedAnswer::Gone(16))]);
    assert_eq!(tags(&write_all(&mut session)), "");
}

#[test]
fn letters_that_could_be_too_much_together_are_looked_at_at_once() {
    let mut session = session();
    session.known_bytes = session.limits.total_bytes - 600;
    put(&mut session, 1);
    assert_eq!(tags(&write_all(&mut session)), "BES");
    put(&mut session, 2);
    assert_eq!(tags(&write_all(&mut session)), "BESBES");
    put(&mut session, 3);
    assert_eq!(tags(&write_all(&mut session)), "BES", "that is under way");
}
