//! What is kept, for whom, and for how long.

use crate::engine::{ALICE, BOB, Engine, letter};
use peerpigeon_core::{Letter, Limits, Question};
use peerpigeon_server::OwnedAnswer;
use peerpigeon_tests::postgres::Postgres;

#[test]
fn what_is_put_is_taken_once_in_its_order_and_byte_for_byte() {
    let database = Postgres::start();
    let mut engine = Engine::new(&database.url());
    let data = [
        "{\"b\": 1,\t\"a\":2, \"a\":3}",
        "\"\\u0000 \\ud83d \\uD83D\\uDC26 \u{1f426}\"",
        "1E400",
        "-0.0",
        "1e999999",
        "[[[]]]",
        "\"'; DROP TABLE signaling_messages; --\"",
    ];
    let mut letters: Vec<Letter> = data
        .iter()
        .zip(1..)
        .map(|(data, number)| Letter { data: Some((*data).into()), ..letter(number) })
        .collect();
    letters.push(Letter { data: None, ..letter(100) });
    letters.push(Letter {
        network: "a\0b\\0'\"$1\u{1f426}".into(),
        from: "A".repeat(90).into(),
        sender: "p".repeat(90).into(),
        kind: "a kind of more than twenty characters".into(),
        name: "".into(),
        is_proven: true,
        ..letter(u64::MAX)
    });
    for letter in &letters {
        engine.put(letter);
    }
    let mut taken = engine.take();
    for taken in &mut taken {
        assert!((290_000..=300_000).contains(&taken.ttl_ms), "{taken:?}");
        taken.ttl_ms = 300_000;
    }
    assert_eq!(taken, letters);
    assert_eq!(engine.numbers(), [0; 0]);
}

#[test]
fn nothing_in_a_letter_costs_those_beside_it_their_place() {
    let database = Postgres::start();
    let limits = Limits { mailbox_bytes: 1 << 20, ..Limits::default() };
    let mut engine = Engine::with(&database.url(), &limits);
    let escapes = ["0000", "D800", "dc00", "d83d\\uDC26", "dbff\\u0041", "D7FF", "e000", "ffff"];
    let mut data: Vec<String> = escapes.iter().map(|hex| format!("{{\"\\u{hex}\": \"\\u{hex}\"}}")).collect();
    data.extend(
        ["1e999", "1e131071", "1e131072", "-1e-16384", "1e-99999", "1.5E+10000", "no JSON", "", "[1", "\0"]
            .map(Into::into),
    );
    data.extend([300, 3_000, 30_000].map(|deep| "[".repeat(deep) + &"]".repeat(deep)));
    data.extend([1_000, 200_000].map(|digits| "9".repeat(digits)));
    data.extend([1_000, 200_000].map(|digits| format!("0.{}", "9".repeat(digits))));
    let questions: Vec<Question> = data
        .iter()
        .zip(0..)
        .map(|(data, n)| Question::Put(Letter { data: Some(data.as_str().into()), ..letter(n) }))
        .collect();
    for (answer, data) in engine.answers(&questions).iter().zip(&data) {
        assert_eq!(*answer, OwnedAnswer::Stored, "{data:.40}");
    }
    assert_eq!(database.sql("mail", "SELECT data FROM signaling_messages WHERE name = 'message-0'"), "null");
    let there: Vec<String> = engine.take().into_iter().map(|letter| letter.data.unwrap().into()).collect();
    assert_eq!(there, data);
}

#[test]
fn everything_that_is_asked_at_once_is_answered_in_order() {
    let database = Postgres::start();
    let mut engine = Engine::new(&database.url());
    let mut questions: Vec<Question> = (0..200).map(|n| Question::Put(letter(n))).collect();
    let take = Question::Take { address: BOB.into(), is_proven: true };
    questions.push(take.clone());
    questions.push(Question::Put(letter(1_000)));
    questions.push(take);
    let answers = engine.answers(&questions);
    assert!(answers[..200].iter().all(|answer| *answer == OwnedAnswer::Stored));
    let numbers = |answer: &OwnedAnswer| match answer {
        OwnedAnswer::Taken(letters) => letters.iter().map(|letter| letter.number).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    // The oldest had to go.
    assert_eq!(numbers(&answers[200]), (136..200).collect::<Vec<_>>());
    assert_eq!(numbers(&answers[202]), [1_000]);
}

#[test]
fn to_put_it_once_more_changes_nothing_taken_or_not() {
    let database = Postgres::start();
    let mut engine = Engine::new(&database.url());
    engine.put(&letter(1));
    engine.put(&Letter { is_newest: true, ..letter(2) });
    // One that is put once more does not forget what is newer.
    engine.put(&Letter { is_newest: true, ..letter(1) });
    assert_eq!(engine.numbers(), [2]);
    engine.put(&letter(1));
    engine.put(&letter(2));
    assert_eq!(engine.numbers(), [0; 0]);
}

#[test]
fn the_newest_of_its_kind_replaces_the_older_ones_of_its_sender_and_no_others() {
    let database = Postgres::start();
    let mut engine = Engine::new(&database.url());
    engine.put(&letter(1));
    engine.put(&letter(2));
    engine.put(&Letter { kind: "answer".into(), ..letter(3) });
    engine.put(&Letter { sender: BOB.into(), ..letter(4) });
    engine.put(&Letter { address: ALICE.into(), ..letter(5) });
    engine.put(&Letter { is_newest: true, ..letter(6) });
    assert_eq!(engine.numbers(), [3, 4, 6]);
}

#[test]
fn what_is_proven_is_for_who_has_proven_it() {
    let database = Postgres::start();
    let mut engine = Engine::new(&database.url());
    engine.put(&letter(1));
    engine.put(&Letter { is_proven: true, ..letter(2) });
    engine.put(&letter(3));
    let numbers: Vec<u64> = engine.take_as(false).iter().map(|letter| letter.number).collect();
    assert_eq!(numbers, [1, 3]);
    let discard = |is_proven| Question::Discard { address: BOB.into(), is_proven };
    assert_eq!(engine.answer(&discard(false)), OwnedAnswer::Gone(0));
    assert_eq!(engine.answer(&discard(true)), OwnedAnswer::Gone(1));
    assert_eq!(engine.numbers(), [0; 0]);
}

#[test]
fn what_one_sender_left_is_forgotten_at_one_address_or_at_all() {
    let database = Postgres::start();
    let mut engine = Engine::new(&database.url());
    let forget = |address: Option<&str>, is_proven| Question::Forget {
        sender: ALICE.into(),
        address: address.map(Into::into),
        is_proven,
    };
    engine.put(&letter(1));
    engine.put(&Letter { address: ALICE.into(), ..letter(2) });
    engine.put(&Letter { sender: BOB.into(), ..letter(3) });
    engine.put(&Letter { is_proven: true, ..letter(4) });
    assert_eq!(engine.answer(&forget(Some(BOB), false)), OwnedAnswer::Gone(1));
    assert_eq!(engine.answer(&forget(None, true)), OwnedAnswer::Gone(2));
    assert_eq!(engine.numbers(), [3]);
}

#[test]
fn two_servers_that_take_at_once_share_what_there_is() {
    let database = Postgres::start();
    let mut engines = [Engine::new(&database.url()), Engine::new(&database.url())];
    for round in 0..20 {
        for n in 0..20 {
            for (engine, side) in engines.iter_mut().zip(0..) {
                engine.put(&letter(round * 100 + 2 * n + side));
            }
        }
        let take = Question::Take { address: BOB.into(), is_proven: true };
        let asked = engines.each_mut().map(|engine| {
            let id = engine.ask(&take);
            engine.write();
            id
        });
        let mut all = Vec::new();
        for (engine, id) in engines.iter_mut().zip(asked) {
            let OwnedAnswer::Taken(letters) = engine.answer_to(id) else { panic!("taken") };
            let numbers: Vec<u64> = letters.iter().map(|letter| letter.number).collect();
            assert!(numbers.is_sorted(), "in the order in which they were put: {numbers:?}");
            all.extend(numbers);
        }
        all.sort_unstable();
        assert_eq!(all, (0..40).map(|n| round * 100 + n).collect::<Vec<_>>(), "each of them once");
    }
}

#[test]
fn an_address_keeps_the_newest_within_its_limits() {
    let database = Postgres::start();
    let limits = Limits { mailbox_messages: 3, mailbox_bytes: 2_500, ..Limits::default() };
    let mut engine = Engine::with(&database.url(), &limits);
    for n in 0..5 {
        engine.put(&letter(n));
    }
    assert_eq!(engine.numbers(), [2, 3, 4]);
    let long = format!("\"{}\"", "x".repeat(1_000));
    for n in 10..13 {
        engine.put(&Letter { data: Some(long.as_str().into()), ..letter(n) });
    }
    // Of 1514 bytes each, with what a letter counts at least.
    assert_eq!(engine.numbers(), [12]);
    let longest = format!("\"{}\"", "x".repeat(2_000));
    let too_long = Letter { data: Some(longest.as_str().into()), ..letter(20) };
    assert_eq!(engine.answer(&Question::Put(too_long)), OwnedAnswer::Failed, "it never fits");
}

#[test]
fn all_together_keep_the_newest_within_their_limit() {
    let database = Postgres::start();
    let limits = Limits { mailbox_bytes: 10_000, mailbox_total_bytes: 20_000, ..Limits::default() };
    let mut engine = Engine::with(&database.url(), &limits);
    // Each of them takes 512 and a few bytes.
    for n in 0..60 {
        engine.put(&Letter { address: format!("{n:040}").into(), ..letter(n) });
    }
    let left = "SELECT sum(512 + octet_length(body)), min(name), max(name) FROM signaling_messages \
                WHERE taken_at IS NULL";
    engine.answer(&Question::Sweep);
    let left = database.sql("mail", left);
    let bytes: u64 = left.split('|').next().unwrap().parse().unwrap();
    assert!((17_000..=20_000).contains(&bytes) && left.ends_with("|message-59"), "{left}");
}

#[test]
fn what_has_expired_is_swept_and_counted_and_tombstones_go_with_it() {
    let database = Postgres::start();
    let mut engine = Engine::new(&database.url());
    engine.put(&letter(1));
    engine.put(&letter(2));
    engine.put(&Letter { address: ALICE.into(), ..letter(3) });
    assert_eq!(engine.numbers(), [1, 2]);
    engine.put(&letter(4));
    assert_eq!(engine.answer(&Question::Sweep), OwnedAnswer::Gone(0));
    database.sql(
        "mail",
        "UPDATE signaling_messages SET expires_at = expires_at - INTERVAL '1 hour' WHERE name <> 'message-4'",
    );
    assert_eq!(engine.answer(&Question::Sweep), OwnedAnswer::Gone(1));
    assert_eq!(database.sql("mail", "SELECT name FROM signaling_messages"), "message-4");
}

#[test]
fn a_sweep_of_more_than_goes_at_once_ends_and_keeps_its_place() {
    let database = Postgres::start();
    let mut engine = Engine::new(&database.url());
    engine.put(&letter(1));
    database.sql(
        "mail",
        "INSERT INTO signaling_messages (from_peer_id, message_type, data, address, sender, sender_text, network, \
         kind, name, expires_at) SELECT 's', 'offer', '1', 'a', 's', 's', 'n', 'offer', 'x', NOW() - INTERVAL '1 hour' \
         FROM generate_series(1, 5000)",
    );
    assert_eq!(engine.answer(&Question::Sweep), OwnedAnswer::Gone(5_000));
    assert_eq!(engine.numbers(), [1]);
}

#[test]
fn a_letter_is_as_old_as_the_clock_says_that_makes_it_older() {
    let database = Postgres::start();
    let mut engine = Engine::new(&database.url());
    let age = |engine: &mut Engine, change: &str, ahead_ms: i64| {
        engine.put(&letter(engine.now().0 + 1_000_000));
        database.sql("mail", &format!("UPDATE signaling_messages SET {change} WHERE taken_at IS NULL"));
        engine.wall_is_ahead_ms = ahead_ms;
        let taken = engine.take();
        engine.wall_is_ahead_ms = 0;
        assert_eq!(taken.len(), 1);
        300_000 - taken[0].ttl_ms
    };
    let about =
        |age: u64, expected: u64| assert!((expected..expected + 10_000).contains(&age), "{age} {expected}");
    about(age(&mut engine, "name = 'x'", 0), 0);
    let older =
        "created_at = created_at - INTERVAL '1 minute', expires_at = expires_at - INTERVAL '1 minute'";
    about(age(&mut engine, older, 0), 60_000);
    about(age(&mut engine, "name = 'x'", 60_000), 60_000);
    about(age(&mut engine, older, 20_000), 60_000);
    about(age(&mut engine, older, 90_000), 90_000);
    // Our clock was set back by a little, which the database's shows; or by more than the letter's age.
    about(age(&mut engine, older, -500), 60_000);
    assert_eq!(age(&mut engine, "name = 'x'", -60_000), 300_000, "from the future");
    let future =
        "created_at = created_at + INTERVAL '1 minute', expires_at = expires_at + INTERVAL '1 minute'";
    assert_eq!(age(&mut engine, future, 0), 300_000, "from the future");
    let past = "created_at = created_at - INTERVAL '1 hour', expires_at = expires_at - INTERVAL '1 hour'";
    assert_eq!(age(&mut engine, past, 0), 300_000, "it has expired");
}

#[test]
fn a_letter_that_is_locked_by_somebody_else_waits_and_holds_up_nobody() {
    let database = Postgres::start();
    let mut engine = Engine::new(&database.url());
    engine.put(&letter(1));
    engine.put(&letter(2));
    let mut operator = Engine::new(&database.url());
    database.sql(
        "mail",
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS \
        'BEGIN IF NEW.name = ''message-2'' THEN PERFORM pg_sleep(1); END IF; RETURN NEW; END'; \
        CREATE TRIGGER wait BEFORE UPDATE ON signaling_messages FOR EACH ROW EXECUTE FUNCTION wait()",
    );
    let id = operator.ask(&Question::Discard { address: BOB.into(), is_proven: true });
    operator.write();
    peerpigeon_tests::wait_until("the lock", || {
        database.sql("mail", "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "1"
    });
    assert_eq!(engine.numbers(), [0; 0]);
    assert_eq!(operator.answer_to(id), OwnedAnswer::Gone(2));
}

/// Rows that were looked at, once nobody is connected any more: a session tells what it has read at its end.
fn rows_read(database: &Postgres) -> u64 {
    let connected = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'pigeon'";
    peerpigeon_tests::wait_until("the session to end", || database.sql("mail", connected) == "0");
    let read = "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables \
                WHERE relname = 'signaling_messages'";
    database.sql("mail", read).parse().unwrap()
}

#[test]
fn what_waits_elsewhere_is_looked_at_neither_to_put_nor_to_take() {
    let database = Postgres::start();
    let others = "INSERT INTO signaling_messages (from_peer_id, message_type, data, address, sender, sender_text, \
                  network, kind, name, body, sent_at_ms) SELECT 'x', 'offer', 'null', 'a' || i / 50, 'one sender', \
                  's', 'n', 'offer', i::text, 'null', 0 FROM generate_series(1, 5000) AS i";
    drop(Engine::new(&database.url()));
    database.sql("mail", others);
    let mut since = rows_read(&database);
    // The first put of a session looks once at how much all take.
    let mut session = |work: &mut dyn FnMut(&mut Engine)| {
        let mut engine = Engine::new(&database.url());
        engine.put(&letter(0));
        work(&mut engine);
        drop(engine);
        let before = std::mem::replace(&mut since, rows_read(&database));
        since - before
    };
    let first = session(&mut |_| {});
    let all = session(&mut |engine| {
        (1..20).for_each(|number| engine.put(&letter(number)));
        engine.take();
        let discard = Question::Discard { address: BOB.into(), is_proven: true };
        let forget = Question::Forget { sender: ALICE.into(), address: None, is_proven: true };
        engine.answers(&[discard, forget]);
    });
    // Each looks at what waits at its address, a few times.
    assert!((5_000..all).contains(&first) && all - first < 2_000, "{first} and {all} rows were read");
}
