//! The table.

use crate::engine::{Engine, letter};
use peerpigeon_tests::postgres::Postgres;

/// As the guide makes it.
const GUIDE: &str = "CREATE TABLE signaling_messages (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    from_peer_id VARCHAR(40) NOT NULL,
    target_peer_id VARCHAR(40),
    message_type VARCHAR(20) NOT NULL,
    data JSONB NOT NULL,
    created_at TIMESTAMP DEFAULT NOW(),
    expires_at TIMESTAMP DEFAULT NOW() + INTERVAL '5 minutes'
);
CREATE INDEX idx_target_peer_time ON signaling_messages (target_peer_id, created_at);
CREATE INDEX idx_expires_at ON signaling_messages (expires_at);";

const DESCRIBE: &str = "SELECT column_name, data_type, character_maximum_length, is_nullable, column_default \
     FROM information_schema.columns WHERE table_name = 'signaling_messages' ORDER BY ordinal_position LIMIT 7";

const INDEXES: &str = "SELECT indexdef FROM pg_indexes WHERE tablename = 'signaling_messages' \
     AND indexname IN ('idx_target_peer_time', 'idx_expires_at', 'signaling_messages_pkey') ORDER BY 1";

#[test]
fn the_table_is_that_of_the_guide_and_one_that_is_there_is_used() {
    let database = Postgres::start();
    database.sql("mail", &format!("SET ROLE pigeon; {GUIDE}"));
    let by_guide = [DESCRIBE, INDEXES].map(|question| database.sql("mail", question));
    database.sql(
        "mail",
        "INSERT INTO signaling_messages (from_peer_id, target_peer_id, message_type, data, expires_at) \
         VALUES ('a', 'b', 'offer', '{}', NOW() - INTERVAL '1 hour')",
    );
    let mut engine = Engine::new(&database.url());
    engine.put(&letter(1));
    assert_eq!([DESCRIBE, INDEXES].map(|question| database.sql("mail", question)), by_guide);
    // What others wrote is theirs.
    assert_eq!(engine.answer(&peerpigeon_core::Question::Sweep), peerpigeon_server::OwnedAnswer::Gone(0));
    assert_eq!(
        engine.answer(&peerpigeon_core::Question::DiscardAll),
        peerpigeon_server::OwnedAnswer::Gone(1)
    );
    let insert = "INSERT INTO signaling_messages (from_peer_id, message_type, data) VALUES ('c', 'x', '[]')";
    database.sql("mail", insert);
    assert_eq!(database.sql("mail", "SELECT count(*) FROM signaling_messages WHERE address IS NULL"), "2");

    database.sql("mail", "DROP TABLE signaling_messages");
    Engine::new(&database.url());
    assert_eq!([DESCRIBE, INDEXES].map(|question| database.sql("mail", question)), by_guide);
}

#[test]
fn a_row_shows_what_the_guide_shows() {
    let database = Postgres::start();
    let mut engine = Engine::new(&database.url());
    engine.put(&letter(7));
    let row = "SELECT from_peer_id, target_peer_id, message_type, data, expires_at - created_at, \
               abs(extract(epoch FROM (now() AT TIME ZONE 'UTC') - created_at)) < 60 \
               FROM signaling_messages";
    let expected =
        format!("{}|{}|offer|{{\"number\": 7}}|00:05:00|t", crate::engine::ALICE, crate::engine::BOB);
    assert_eq!(database.sql("mail", row), expected);
    // One that is taken says nothing any more, and is there.
    assert_eq!(engine.numbers(), [7]);
    let row = "SELECT data, body IS NULL, taken_at IS NOT NULL FROM signaling_messages";
    assert_eq!(database.sql("mail", row), "null|t|t");
}

#[test]
fn many_servers_that_start_at_once_make_one_table() {
    let database = Postgres::start();
    let mut engines: Vec<Engine> =
        (0..6).map(|_| Engine::down(&database.url(), &peerpigeon_core::Limits::default())).collect();
    for engine in &mut engines {
        engine.turn();
    }
    for engine in &mut engines {
        assert_eq!(engine.next_event(), peerpigeon_server::StoreEvent::Up);
    }
}
