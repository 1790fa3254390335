//! A run as a sequence diagram in text: connections to the left, the server to the right.

use std::fmt::Write as _;

use peerpigeon_core::Time;

use crate::record::{Happening, Line};

/// The last `count` things that happened, one a line.
pub(crate) fn text(lines: &[Line], count: usize) -> String {
    let lines: Vec<&Line> = lines.iter().filter(|line| !matches!(line.what, Happening::Gauges(_))).collect();
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
            let what = told(&line.what);
            match &line.what {
                Happening::Step(..) => writeln!(text, "{at:>12}  == {what}")?,
                Happening::Up(conn, _) => writeln!(text, "{at:>12}  {:>6} ─▶ │ {what}", format!("#{conn}"))?,
                Happening::Down(conn, _) => {
                    writeln!(text, "{at:>12}  {:>6} ◀─ │ {what}", format!("#{conn}"))?
                }
                Happening::Inside(_) | Happening::Told(_) | Happening::Gauges(_) => {
                    writeln!(text, "{at:>12}             │ · {what}")?;
                }
            }
        }
        Ok::<(), std::fmt::Error>(())
    })();
    debug_assert!(written.is_ok(), "writing to a string never fails");
    text
}

/// One thing that happened, in words.
pub(crate) fn told(what: &Happening) -> String {
    match what {
        Happening::Step(index, step) => format!("step {index}: {step}"),
        Happening::Up(_, what) | Happening::Down(_, what) | Happening::Inside(what) => what.clone(),
        Happening::Told(event) => format!("{event:?}"),
        Happening::Gauges(census) => format!("{census:?}"),
    }
}

fn seconds(at: Time) -> String {
    format!("{}.{:03} s", at.0 / 1_000, at.0 % 1_000)
}
