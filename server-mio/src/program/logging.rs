//! Log lines: the settings `LOG_LEVEL` and `LOG_FORMAT`.
//!
//! A line must never cost the service. Whoever has something to say puts it into a bounded backlog, and a thread of its
//! own writes it: a pipe that nobody reads stops that thread and nobody else. Where standard error is closed or its disk
//! is full, or the backlog is, lines are dropped, and how many were is said once writing works again. (`eprintln!`, and
//! with it every logger built on that, panics or waits there.)

mod backlog;

use crate::observe::date::{self, Iso8601};
use crate::program::settings::LogFormat;
use backlog::{LogBacklog, Sink};
use core::fmt;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::io::{self, Write as _};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::{panic, thread};

/// Sends log lines to standard error, those of `level` and above; and the last words of a panic.
///
/// Libraries are heard from `warn` on only: what they say about single messages at `debug` and `trace` could
/// hold tokens.
///
/// # Errors
///
/// If there is a logger already, or the system has no thread for one.
pub(super) fn start(level: LevelFilter, format: LogFormat) -> io::Result<()> {
    let logger = Logger { format, backlog: Arc::default() };
    let backlog = BACKLOG.get_or_init(|| Arc::clone(&logger.backlog));
    log::set_boxed_logger(Box::new(logger)).map_err(io::Error::other)?;
    set_level(level);
    let mut sink = Sink::new(io::stderr(), move |lost| notice(format, lost));
    thread::Builder::new()
        .name("log".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || sink.follow(backlog))?;
    panic::set_hook(Box::new(move |panic| {
        backlog.push(&line(format, Level::Error, module_path!(), format_args!("{panic}")));
        flush();
    }));
    Ok(())
}

/// From now on the lines of `level` and above.
pub(super) fn set_level(level: LevelFilter) {
    log::set_max_level(level);
}

/// Says something that is no log line, whatever the level: behind all log lines, or at once where no log has been started.
pub(super) fn say(text: &str) {
    match BACKLOG.get() {
        Some(backlog) => backlog.push(text),
        // Nobody is left to be told if that fails.
        None => drop(io::stderr().write_all(text.as_bytes())),
    }
}

/// Waits until everything has been written, but not for long: whoever does not read cannot keep the process.
pub(super) fn flush() {
    if let Some(backlog) = BACKLOG.get() {
        backlog.settle(PATIENCE);
    }
}

/// Gets only what the level lets through: the macros look at that first.
struct Logger {
    format: LogFormat,
    backlog: Arc<LogBacklog>,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("peerpigeon") || metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.backlog.push(&line(self.format, record.level(), record.target(), *record.args()));
        }
    }

    fn flush(&self) {}
}

/// With the newline at its end, and none before: a peer that gets a line break into a message must not be able to forge
/// a line.
fn line(format: LogFormat, level: Level, target: &str, message: fmt::Arguments<'_>) -> String {
    let now = Iso8601(date::now());
    match format {
        LogFormat::Text => {
            let mut line = format!("{now} {level:5} [{target}] ");
            for char in message.to_string().chars() {
                if char.is_control() { line.extend(char.escape_default()) } else { line.push(char) }
            }
            line.push('\n');
            line
        }
        LogFormat::Json => {
            let level = level.as_str().to_ascii_lowercase();
            let [target, message] = [target.to_owned(), message.to_string()].map(serde_json::Value::String);
            format!("{{\"ts\":\"{now}\",\"level\":\"{level}\",\"target\":{target},\"msg\":{message}}}\n")
        }
    }
}

/// Says that lines are missing.
fn notice(format: LogFormat, lost: u64) -> String {
    line(format, Level::Warn, module_path!(), format_args!("{lost} log lines could not be written"))
}

/// Of the log of this process.
static BACKLOG: OnceLock<Arc<LogBacklog>> = OnceLock::new();

/// How long the end of the process waits for its last lines.
const PATIENCE: Duration = Duration::from_secs(1);

/// It writes, and nothing else.
const STACK_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::io::Write;

    /// Takes what its script says, call by call, and afterwards everything.
    #[derive(Default)]
    struct Scripted {
        script: VecDeque<io::Result<usize>>,
        writes: Vec<String>,
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = self.script.pop_front().unwrap_or(Ok(bytes.len()))?;
            self.writes.push(String::from_utf8(bytes[..taken].to_vec()).unwrap());
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A logger, and what it writes to whenever a test wants it to.
    struct LogBench {
        logger: Logger,
        sink: Sink<Scripted>,
    }

    fn bench(format: LogFormat) -> LogBench {
        let logger = Logger { format, backlog: Arc::default() };
        LogBench { logger, sink: Sink::new(Scripted::default(), move |lost| notice(format, lost)) }
    }

    impl LogBench {
        fn say_only(&self, level: Level, target: &str, message: &str) {
            self.logger
                .log(&Record::builder().level(level).target(target).args(format_args!("{message}")).build());
        }

        fn say(&mut self, level: Level, target: &str, message: &str) {
            self.say_only(level, target, message);
            self.write();
        }

        fn write(&mut self) {
            self.sink.write_all(&self.logger.backlog);
        }

        fn written(&self) -> &[String] {
            &self.sink.to.writes
        }
    }

    /// Without its time, which is checked to be one.
    fn without_time(line: &str) -> &str {
        let (time, rest) = line.split_at("2001-02-03T04:05:06.789Z".len());
        assert!(time.starts_with("20") && time.ends_with('Z') && &time[10..11] == "T", "{line}");
        rest
    }

    #[test]
    fn a_line_of_text_has_time_level_target_and_message_and_is_one_write() {
        let mut bench = bench(LogFormat::Text);
        bench.say(Level::Info, "peerpigeon_server", "listening on 127.0.0.1:3000");
        bench.say(Level::Error, "peerpigeon_server::net", "gone");
        let lines = bench.written().to_vec();
        assert_eq!(lines.len(), 2);
        assert_eq!(without_time(&lines[0]), " INFO  [peerpigeon_server] listening on 127.0.0.1:3000\n");
        assert_eq!(without_time(&lines[1]), " ERROR [peerpigeon_server::net] gone\n");
    }

    #[test]
    fn a_line_of_json_is_one_object_whatever_the_message_holds() {
        let mut bench = bench(LogFormat::Json);
        let message = "line\nbreak \"quoted\" back\\slash \u{0} \u{1b}[31m ä 🐦";
        bench.say(Level::Warn, "peerpigeon_server", message);
        let lines = bench.written().to_vec();
        assert_eq!(lines.len(), 1);
        assert!(lines[0].ends_with("}\n") && lines[0].matches('\n').count() == 1);
        let object: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(object.as_object().unwrap().len(), 4);
        assert_eq!(without_time(object["ts"].as_str().unwrap()), "");
        assert_eq!(object["level"], "warn");
        assert_eq!(object["target"], "peerpigeon_server");
        assert_eq!(object["msg"], message);
    }

    #[test]
    fn a_message_cannot_forge_a_line_or_colour_the_terminal() {
        let mut bench = bench(LogFormat::Text);
        bench.say(Level::Info, "peerpigeon_server", "a\r\nb\u{1b}[31m\u{85}c ä\\");
        let line = bench.written().concat();
        assert_eq!(without_time(&line), " INFO  [peerpigeon_server] a\\r\\nb\\u{1b}[31m\\u{85}c ä\\\n");
    }

    #[test]
    fn libraries_are_heard_from_warn_on_only() {
        let mut bench = bench(LogFormat::Text);
        for level in Level::iter() {
            bench.say(level, "tungstenite::handshake", "x");
        }
        assert_eq!(bench.written().len(), 2);
    }

    #[test]
    fn a_line_that_cannot_be_written_is_dropped_and_missed_later() {
        let mut bench = bench(LogFormat::Text);
        let full = || Err(io::ErrorKind::StorageFull.into());
        // One for the first line; for each of the others the notice is tried, and then the line.
        bench.sink.to.script = [full(), full(), Ok(0), full(), full()].into();
        for message in ["first", "second", "third", "fourth"] {
            bench.say(Level::Info, "peerpigeon_server", message);
        }
        let lines: Vec<String> = bench.written().iter().filter(|line| !line.is_empty()).cloned().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            without_time(&lines[0]),
            " WARN  [peerpigeon_server::program::logging] 3 log lines could not be written\n"
        );
        assert_eq!(without_time(&lines[1]), " INFO  [peerpigeon_server] fourth\n");
        bench.say(Level::Info, "peerpigeon_server", "fifth");
        let after = bench.written()[lines.len() + 1..].to_vec();
        assert_eq!(after.len(), 1, "what was said once is not said again");
        assert_eq!(without_time(&after[0]), " INFO  [peerpigeon_server] fifth\n");
    }

    #[test]
    fn a_line_that_is_taken_in_pieces_is_whole() {
        let mut bench = bench(LogFormat::Text);
        let interrupted = Err(io::ErrorKind::Interrupted.into());
        bench.sink.to.script = [Ok(5), interrupted, Ok(1)].into();
        bench.say(Level::Info, "peerpigeon_server", "in pieces");
        assert_eq!(bench.written().len(), 3);
        assert_eq!(without_time(&bench.written().concat()), " INFO  [peerpigeon_server] in pieces\n");
    }

    #[test]
    fn after_a_torn_line_the_next_one_begins_afresh() {
        let mut bench = bench(LogFormat::Text);
        bench.sink.to.script = [Ok(4), Err(io::ErrorKind::StorageFull.into())].into();
        bench.say(Level::Info, "peerpigeon_server", "torn");
        bench.say(Level::Info, "peerpigeon_server", "next");
        let text = bench.written().concat();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(lines[0].len(), 4);
        assert!(without_time(lines[1]).ends_with("1 log lines could not be written"));
        assert!(without_time(lines[2]).ends_with("next"));
    }

    #[test]
    fn lines_that_nobody_takes_are_dropped_and_missed_where_they_are_missing() {
        let mut bench = bench(LogFormat::Text);
        let message = "x".repeat(1_000);
        for _ in 0..100 {
            bench.say_only(Level::Info, "peerpigeon_server", &message);
        }
        bench.say_only(Level::Info, "peerpigeon_server", "short enough, but behind those that were dropped");
        bench.write();
        bench.say(Level::Info, "peerpigeon_server", "next");
        let lines = bench.written();
        let kept = lines.iter().filter(|line| line.contains(&message)).count();
        assert!(kept * 1_050 < backlog::MAX_BYTES && kept > 50, "{kept}");
        let [.., notice, next] = lines else { panic!("{lines:?}") };
        let expected = format!(
            " WARN  [peerpigeon_server::program::logging] {} log lines could not be written\n",
            101 - kept
        );
        assert_eq!(without_time(notice), expected);
        assert!(next.ends_with("next\n") && lines.len() == kept + 2);
    }

    #[test]
    fn whoever_ends_waits_for_its_last_lines_and_not_for_ever() {
        let backlog = Arc::new(LogBacklog::default());
        backlog.push("one\n");
        // Nobody writes.
        backlog.settle(Duration::from_millis(1));
        let (tell, told) = std::sync::mpsc::channel();
        let writing = Arc::clone(&backlog);
        thread::spawn(move || {
            let mut sink = Sink::new(Scripted::default(), |_| String::new());
            sink.write_all(&writing);
            tell.send(sink.to.writes).unwrap();
        });
        backlog.settle(Duration::from_secs(600));
        assert_eq!(told.recv().unwrap(), ["one\n"]);
    }
}
