//! A client of PostgreSQL.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `connect.rs`, `line.rs` | from an URL to a session that is ready: on a thread, which may wait |
//! | `link.rs` | the connection that the loop uses, and when there is another |
//! | `session.rs`, `messages.rs` | what is asked and answered, without a socket |
//! | `letters.rs`, `jsonb.rs`, `sql.rs` | letters as rows; the table and the statements |

mod connect;
mod jsonb;
mod letters;
mod line;
mod link;
mod messages;
mod session;
mod sql;

pub use link::PostgresStore;

pub(crate) use connect::try_out;
