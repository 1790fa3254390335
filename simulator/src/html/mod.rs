//! A run as one HTML file to look at: how it ended, curves, the mesh, and a sequence diagram of its end. The file needs
//! nothing from outside, and no script.

mod curves;
mod mesh;
mod sequence;

use std::fmt::Write as _;

use crate::record::{Line, Record};
use crate::run::{Report, Violation, run_recorded};
use crate::scenario::Scenario;

/// Runs a scenario and draws it. `again` is the command that runs it again, `lines` how much of its end the sequence
/// diagram shows.
#[must_use]
pub fn html(scenario: &Scenario, again: &str, lines: usize) -> String {
    let (result, recorded) = run_recorded(scenario, Record::on());
    page(scenario.seed, &result, again, &recorded, lines)
}

fn page(
    seed: u64,
    result: &Result<Report, Violation>,
    again: &str,
    recorded: &[Line],
    lines: usize,
) -> String {
    let mut facts = String::new();
    let mut fact = |name: &str, value: &str| {
        put(&mut facts, &format!("<dt>{name}</dt><dd>{}</dd>", escaped(value)));
    };
    let verdict = match result {
        Ok(report) => {
            fact("transcript", &format!("{:016x}", report.transcript));
            fact("inputs", &report.inputs.to_string());
            fact("virtual time", &seconds(report.virtual_ms));
            "<p class=\"good\">Every law held.</p>".to_owned()
        }
        Err(violation) => {
            fact("law", &violation.breach.law);
            fact("when", &format!("{} at {}", violation.place, seconds(violation.at.0)));
            format!("<p class=\"bad\">{}</p>", escaped(&violation.breach.what))
        }
    };
    fact("seed", &seed.to_string());
    fact("again", again);
    let (curves, mesh) = (curves::draw(recorded), mesh::draw(recorded));
    let sequence = sequence::draw(recorded, lines);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\"><title>Run {seed}</title>\
         <style>{STYLE}</style></head><body>\n<h1>Run {seed}</h1>\n{verdict}\n<dl>{facts}</dl>\n\
         <h2>Over time</h2>\n<div class=\"curves\">{curves}</div>\n<h2>The mesh</h2>\n{mesh}\n\
         <h2>The end of it</h2>\n<div class=\"wide\">{sequence}</div>\n</body></html>\n"
    )
}

/// Appends to a text, which never fails.
fn put(out: &mut String, text: &str) {
    let written = out.write_str(text);
    debug_assert!(written.is_ok());
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1_000, ms % 1_000)
}

const STYLE: &str = "
:root{--ink:#1d2430;--dim:#687385;--line:#d5dae2;--paper:#fff;--card:#f5f7fa;--a:#1f6fb5;--b:#c2611f;--c:#3d8b52;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e4e8ee;--dim:#97a1b2;--line:#3a4250;--paper:#14181e;--card:#1c222b;--a:#6cb2ee;--b:#f0a066;--c:#7fca92;--bad:#ff8a80}}
body{margin:1.5rem auto;max-width:1180px;padding:0 1rem;background:var(--paper);color:var(--ink);font:15px/1.45 system-ui,sans-serif}
h1{font-size:1.5rem;margin:0 0 .5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}
.good{color:var(--c);font-weight:600}.bad{color:var(--bad);font-weight:600;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:0}dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere;font-family:ui-monospace,monospace}
.curves{display:grid;grid-template-columns:repeat(auto-fit,minmax(340px,1fr));gap:1rem}
figure{margin:0;background:var(--card);border-radius:6px;padding:.75rem}figcaption{font-weight:600;margin-bottom:.25rem}
.key{font-weight:400;color:var(--dim);margin-left:.75rem}.key b{font-weight:700}
.wide{overflow-x:auto;background:var(--card);border-radius:6px;padding:.5rem}
svg{display:block;max-width:100%;height:auto}.wide svg{max-width:none}
svg text{fill:var(--ink);font:11px ui-monospace,monospace}svg .dim{fill:var(--dim)}
.grid{stroke:var(--line);stroke-width:1;fill:none}.lane{stroke:var(--line);stroke-width:1}
.a{stroke:var(--a)}.b{stroke:var(--b)}.c{stroke:var(--c)}.curve{fill:none;stroke-width:1.5}.arrow{stroke-width:1.2}
.fa{fill:var(--a)}.fb{fill:var(--b)}.fc{fill:var(--c)}.met{stroke:var(--line);stroke-width:1}.link{stroke:var(--a);stroke-width:1.8}
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Level;
    use crate::watch::Breach;
    use peerpigeon_core::Time;

    fn drawn() -> String {
        html(&Scenario::crowd(3, 6, Level::Messages), "simulate --seed 3 --peers 6", 60)
    }

    #[test]
    fn a_page_holds_the_three_curves_the_mesh_and_a_lane_for_the_server_and_each_connection_at_the_end() {
        let page = drawn();
        for part in ["Peers", "Frames", "Queues", "simulate --seed 3 --peers 6", "Every law held"] {
            assert!(page.contains(part), "{part}");
        }
        assert_eq!(page.matches("class=\"curve ").count(), 7);
        assert!(page.matches("class=\"node").count() == 6, "a node per peer");
        assert!(page.contains(">server</text>") && page.contains(">#"));
        assert!(page.matches("class=\"arrow").count() > 10);
    }

    #[test]
    fn a_page_asks_for_nothing_from_outside_and_runs_nothing() {
        let page = drawn();
        for part in ["http://", "https://", "<script", "src=", "url(", "@import", "<link"] {
            assert!(!page.contains(part), "{part}");
        }
        assert!(page.contains("prefers-color-scheme:dark"));
    }

    #[test]
    fn a_broken_law_is_told_with_what_broke_it_whatever_that_contains() {
        let breach = Breach { law: "some law".to_owned(), what: "<b>&".to_owned() };
        let violation = Violation { breach, place: crate::run::Place::Calm, at: Time(1_500), inputs: 0 };
        let page = page(7, &Err(violation), "again", &[], 10);
        assert!(page.contains("some law") && page.contains("&lt;b&gt;&amp;") && page.contains("1.500 s"));
        assert!(!page.contains("<b>&"));
    }
}
