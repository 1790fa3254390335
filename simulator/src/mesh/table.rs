//! The comparison to read, and for other programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Run;
use super::crowd::Look;
use super::options::Options;

/// What a run comes down to.
struct Summary {
    /// Share of the looks at which the mesh was one piece, in percent.
    whole: f64,
    /// The same, peers without any link left out.
    one_island: f64,
    /// Pieces and islands, averaged over the looks.
    pieces: f64,
    islands: f64,
    /// Share of the peers without a link, and outside the largest piece, in percent.
    alone: f64,
    outside: f64,
    /// Links of a peer.
    degree: f64,
    far_apart: u32,
    joining_frames: f64,
    introducing_frames: f64,
    frames: f64,
}

impl Summary {
    fn of(run: &Run) -> Summary {
        let looks = run.looks.len().max(1) as f64;
        let mean = |of: &dyn Fn(&Look) -> f64| run.looks.iter().map(of).sum::<f64>() / looks;
        let share = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
        let joins = run.cost.joins.max(1) as f64;
        Summary {
            whole: mean(&|look| f64::from(u8::from(look.pieces.count <= 1)) * 100.0),
            one_island: mean(&|look| f64::from(u8::from(look.pieces.islands <= 1)) * 100.0),
            pieces: mean(&|look| look.pieces.count as f64),
            islands: mean(&|look| look.pieces.islands as f64),
            alone: mean(&|look| share(look.pieces.alone, look.pieces.peers)),
            outside: mean(&|look| 100.0 - share(look.pieces.in_largest, look.pieces.peers)),
            degree: mean(&|look| 2.0 * look.links as f64 / f64::from(run.habits.peers)),
            far_apart: run.looks.iter().map(|look| look.far_apart).max().unwrap_or_default(),
            joining_frames: run.cost.joining_frames as f64 / joins,
            introducing_frames: run.cost.introducing_frames as f64 / joins,
            frames: run.cost.frames as f64 / joins,
        }
    }
}

/// One run in one line.
pub(super) fn line(run: &Run) -> String {
    let summary = Summary::of(run);
    let peak = run.peak_bytes.map_or_else(String::new, |bytes| {
        format!(", {:.0} MiB at most until now", bytes as f64 / f64::from(1 << 20))
    });
    format!(
        "{:.1} % of the time one piece, {:.3} % of the peers without a link, {:.0} frames per join; {:.1} s{peak}",
        summary.whole, summary.alone, summary.joining_frames, run.seconds
    )
}

/// The table, one row per run.
pub(super) fn markdown(runs: &[Run], options: &Options) -> String {
    let mut text = format!(
        "`{}`: mean life time {} s, {} looks 10 s apart after {} s.\n\n",
        options.line,
        options.life_ms / 1_000,
        options.watch_ms / super::LOOK_MS,
        options.warm_up_ms / 1_000
    );
    text.push_str(HEAD);
    for run in runs {
        let summary = Summary::of(run);
        let written = writeln!(
            text,
            "| {} | {} | {} | {:.1} | {:.1} | {:.2} | {:.2} | {:.3} | {:.3} | {:.2} | {} | {:.1} | {:.0} | {:.0} |",
            run.habits.capacity,
            run.habits.peers,
            run.choice.name(),
            summary.whole,
            summary.one_island,
            summary.pieces,
            summary.islands,
            summary.alone,
            summary.outside,
            summary.degree,
            summary.far_apart,
            summary.joining_frames,
            summary.introducing_frames,
            summary.frames,
        );
        debug_assert!(written.is_ok(), "writing to a string never fails");
    }
    text
}

const HEAD: &str = "\
| links | peers | choice | one piece, % of time | without lone peers, % | pieces | islands | lone peers, % | outside the largest piece, % | links per peer | far apart | frames to join | introductions' frames per join | all frames per join |
| --: | --: | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |
";

/// Everything, for other programs.
pub(super) fn json(runs: &[Run], options: &Options) -> Value {
    let rows = runs.iter().map(|run| {
        let summary = Summary::of(run);
        json!({
            "choice": run.choice.name(),
            "peers": run.habits.peers,
            "capacity": run.habits.capacity,
            "joins": run.cost.joins,
            "inputs": run.cost.inputs,
            "one_piece_percent_of_time": summary.whole,
            "one_island_percent_of_time": summary.one_island,
            "pieces": summary.pieces,
            "islands": summary.islands,
            "lone_peers_percent": summary.alone,
            "outside_largest_percent": summary.outside,
            "links_per_peer": summary.degree,
            "far_apart": summary.far_apart,
            "joining_frames_per_join": summary.joining_frames,
            "introducing_frames_per_join": summary.introducing_frames,
            "frames_per_join": summary.frames,
            "seconds": run.seconds,
            "peak_bytes_of_process": run.peak_bytes,
        })
    });
    json!({ "command": options.line, "runs": rows.collect::<Vec<Value>>() })
}
