//! Log lines: the settings `LOG_LEVEL` and `LOG_FORMAT`.
//!
//! A line must never cost the service: where standard error is closed or its disk is full the line is
//! dropped, and how many were is said once writing works again. (`eprintln!`, and with it every logger built
//! on that, panics there.)

use crate::calendar::{self, Iso8601};
use crate::settings::LogFormat;
use core::fmt;
use log::{Level, LevelFilter, Log, Metadata, Record, SetLoggerError};
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

/// Sends log lines to standard error, those of `level` and above.
///
/// Libraries are heard from `warn` on only: what they say about single messages at `debug` and `trace` could
/// hold tokens.
///
/// # Errors
///
/// If there is a logger already.
pub fn start(level: LevelFilter, format: LogFormat) -> Result<(), SetLoggerError> {
    log::set_boxed_logger(Box::new(Logger::new(format, io::stderr())))?;
    set_level(level);
    Ok(())
}

/// From now on the lines of `level` and above.
pub fn set_level(level: LevelFilter) {
    log::set_max_level(level);
}

/// Gets only what the level lets through: the macros look at that first.
struct Logger<W> {
    format: LogFormat,
    sink: Mutex<Sink<W>>,
}

impl<W: Write> Logger<W> {
    fn new(format: LogFormat, to: W) -> Logger<W> {
        Logger { format, sink: Mutex::new(Sink { to, dropped: 0, torn: Torn::No }) }
    }

    /// With the newline at its end, and none before: a peer that gets a line break into a message must not
    /// be able to forge a line.
    fn line(&self, level: Level, target: &str, message: fmt::Arguments<'_>) -> String {
        let now = Iso8601(calendar::now());
        match self.format {
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
                let [target, message] =
                    [target.to_owned(), message.to_string()].map(serde_json::Value::String);
                format!("{{\"ts\":\"{now}\",\"level\":\"{level}\",\"target\":{target},\"msg\":{message}}}\n")
            }
        }
    }
}

impl<W: Write + Send> Log for Logger<W> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("peerpigeon") || metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = self.line(record.level(), record.target(), *record.args());
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        if sink.dropped > 0 {
            let lost = format_args!("{} log lines could not be written", sink.dropped);
            let lost = self.line(Level::Warn, module_path!(), lost);
            if sink.put(&lost).is_ok() {
                sink.dropped = 0;
            }
        }
        if sink.put(&line).is_err() {
            sink.dropped += 1;
        }
    }

    fn flush(&self) {}
}

struct Sink<W> {
    to: W,
    /// Lines lost since the last time that was said.
    dropped: u64,
    torn: Torn,
}

/// Whether the last line was written in part, so that the next one must not begin beside it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Torn {
    No,
    Yes,
}

impl<W: Write> Sink<W> {
    /// One `write` for the whole line, so that lines of several processes do not mix; more only if the
    /// system takes it in pieces.
    fn put(&mut self, line: &str) -> io::Result<()> {
        let mended = match self.torn {
            Torn::No => None,
            Torn::Yes => Some(format!("\n{line}")),
        };
        let mut rest = mended.as_deref().unwrap_or(line).as_bytes();
        while !rest.is_empty() {
            match self.to.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    rest = &rest[written..];
                    self.torn = if rest.is_empty() { Torn::No } else { Torn::Yes };
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

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

    fn logger(format: LogFormat) -> Logger<Scripted> {
        Logger::new(format, Scripted::default())
    }

    fn say(logger: &Logger<Scripted>, level: Level, target: &str, message: &str) {
        logger.log(&Record::builder().level(level).target(target).args(format_args!("{message}")).build());
    }

    fn written(logger: &Logger<Scripted>) -> Vec<String> {
        logger.sink.lock().unwrap().to.writes.clone()
    }

    /// Without its time, which is checked to be one.
    fn without_time(line: &str) -> &str {
        let (time, rest) = line.split_at("2001-02-03T04:05:06.789Z".len());
        assert!(time.starts_with("20") && time.ends_with('Z') && &time[10..11] == "T", "{line}");
        rest
    }

    #[test]
    fn a_line_of_text_has_time_level_target_and_message_and_is_one_write() {
        let logger = logger(LogFormat::Text);
        say(&logger, Level::Info, "peerpigeon_server", "listening on 127.0.0.1:3000");
        say(&logger, Level::Error, "peerpigeon_server::net", "gone");
        let lines = written(&logger);
        assert_eq!(lines.len(), 2);
        assert_eq!(without_time(&lines[0]), " INFO  [peerpigeon_server] listening on 127.0.0.1:3000\n");
        assert_eq!(without_time(&lines[1]), " ERROR [peerpigeon_server::net] gone\n");
    }

    #[test]
    fn a_line_of_json_is_one_object_whatever_the_message_holds() {
        let logger = logger(LogFormat::Json);
        let message = "line\nbreak \"quoted\" back\\slash \u{0} \u{1b}[31m ä 🐦";
        say(&logger, Level::Warn, "peerpigeon_server", message);
        let lines = written(&logger);
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
        let logger = logger(LogFormat::Text);
        say(&logger, Level::Info, "peerpigeon_server", "a\r\nb\u{1b}[31m\u{85}c ä\\");
        let line = written(&logger).concat();
        assert_eq!(without_time(&line), " INFO  [peerpigeon_server] a\\r\\nb\\u{1b}[31m\\u{85}c ä\\\n");
    }

    #[test]
    fn libraries_are_heard_from_warn_on_only() {
        let logger = logger(LogFormat::Text);
        for level in Level::iter() {
            say(&logger, level, "tungstenite::handshake", "x");
        }
        assert_eq!(written(&logger).len(), 2);
    }

    #[test]
    fn a_line_that_cannot_be_written_is_dropped_and_missed_later() {
        let logger = logger(LogFormat::Text);
        let full = || Err(io::ErrorKind::StorageFull.into());
        // One for the first line; for each of the others the notice is tried, and then the line.
        logger.sink.lock().unwrap().to.script = [full(), full(), Ok(0), full(), full()].into();
        for message in ["first", "second", "third", "fourth"] {
            say(&logger, Level::Info, "peerpigeon_server", message);
        }
        let lines: Vec<String> = written(&logger).into_iter().filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            without_time(&lines[0]),
            " WARN  [peerpigeon_server::logging] 3 log lines could not be written\n"
        );
        assert_eq!(without_time(&lines[1]), " INFO  [peerpigeon_server] fourth\n");
        say(&logger, Level::Info, "peerpigeon_server", "fifth");
        let after = written(&logger).split_off(lines.len() + 1);
        assert_eq!(after.len(), 1, "what was said once is not said again");
        assert_eq!(without_time(&after[0]), " INFO  [peerpigeon_server] fifth\n");
    }

    #[test]
    fn a_line_that_is_taken_in_pieces_is_whole() {
        let logger = logger(LogFormat::Text);
        let interrupted = Err(io::ErrorKind::Interrupted.into());
        logger.sink.lock().unwrap().to.script = [Ok(5), interrupted, Ok(1)].into();
        say(&logger, Level::Info, "peerpigeon_server", "in pieces");
        assert_eq!(written(&logger).len(), 3);
        assert_eq!(without_time(&written(&logger).concat()), " INFO  [peerpigeon_server] in pieces\n");
    }

    #[test]
    fn after_a_torn_line_the_next_one_begins_afresh() {
        let logger = logger(LogFormat::Text);
        logger.sink.lock().unwrap().to.script = [Ok(4), Err(io::ErrorKind::StorageFull.into())].into();
        say(&logger, Level::Info, "peerpigeon_server", "torn");
        say(&logger, Level::Info, "peerpigeon_server", "next");
        let text = written(&logger).concat();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(lines[0].len(), 4);
        assert!(without_time(lines[1]).ends_with("1 log lines could not be written"));
        assert!(without_time(lines[2]).ends_with("next"));
    }
}
