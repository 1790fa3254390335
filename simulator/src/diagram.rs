//! A run as a sequence diagram in text: connections to the left, the server to the right.

use std::fmt::Write as _;

use peerpigeon_core::Time;

use crate::record::{Happening, Line};

/// The last `count` things that happened, one a line.
pub(crate) fn text(lines: &[Line], count: usize) -> String {
    let skipped = lines.len().saturating_sub(count);
    let mut text = String::new();
    let written = (|| {
        if skipped > 0 {
            writeln!(text, "… {skipped} earlier lines")?;
        }
        let mut last = None;
        for line in &lines[skipped..] {
            let at = if last == Some(line.at) { String::new() } else { seconds(line.at) };
            last = Some(line.at);
            match &line.what {
                Happening::Step(index, step) => writeln!(text, "{at:>12}  == step {index}: {step}")?,
                Happening::Up(conn, what) => {
                    writeln!(text, "{at:>12}  {:>6} ─▶ │ {what}", format!("#{conn}"))?
                }
                Happening::Down(conn, what) => {
                    writeln!(text, "{at:>12}  {:>6} ◀─ │ {what}", format!("#{conn}"))?
                }
                Happening::Inside(what) => writeln!(text, "{at:>12}             │ · {what}")?,
            }
        }
        Ok::<(), std::fmt::Error>(())
    })();
    debug_assert!(written.is_ok(), "writing to a string never fails");
    text
}

fn seconds(at: Time) -> String {
    format!("{}.{:03} s", at.0 / 1_000, at.0 % 1_000)
}
