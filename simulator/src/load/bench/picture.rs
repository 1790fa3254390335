//! The relay figures as bars.

use super::results::Results;
use super::rows::{COLUMNS, ROWS, Row};
use super::servers::Contestant;
use crate::load::report::rounded;
use core::fmt::Write as _;

/// An SVG file: processor time per relayed message, for each kind of load and each contestant, on a
/// logarithmic scale.
pub(super) fn draw(results: &Results, label: &str) -> String {
    let rows: Vec<&Row> = ROWS.iter().filter(|row| row.figure == "server_cpu_us_per_message").collect();
    let mut body = String::new();
    let mut y = TOP;
    for row in rows {
        let bars: Vec<(Contestant, f64)> =
            COLUMNS.iter().filter_map(|one| Some((*one, results.spread(row, *one)?.median))).collect();
        if bars.is_empty() {
            continue;
        }
        let _ = writeln!(body, r#"<text x="{LEFT}" y="{}" class="name">{}</text>"#, y + 12, row.name);
        y += 18;
        for (contestant, figure) in bars {
            bar(&mut body, y, contestant, figure);
            y += BAR + 3;
        }
        y += 12;
    }
    let lines: String = [0.1, 1.0, 10.0, 100.0].into_iter().map(|figure| line(figure, y)).collect();
    let (width, height) = (LEFT + NAMES + SCALE + 90, y + 24);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">
<style>.name {{ font-weight: bold }} .small {{ font-size: 10px; fill: #666 }}</style>
<rect width="100%" height="100%" fill="#fff"/>
<text x="{LEFT}" y="20" font-size="15">Processor time per relayed message (µs, logarithmic; less is better)</text>
<text x="{LEFT}" y="36" class="small">{label}</text>
{lines}{body}</svg>
"##
    )
}

fn bar(body: &mut String, y: u32, contestant: Contestant, figure: f64) {
    let colour = match contestant {
        Contestant::Ours => "#2a7ab8",
        Contestant::Limit => "#999",
        Contestant::Node => "#d9822b",
        Contestant::NodeScript => "#e6a96b",
    };
    let (x, width) = (LEFT + NAMES, place(figure));
    let (middle, after) = (y + BAR - 4, f64::from(x) + width + 5.0);
    let name = contestant.name();
    let _ = writeln!(
        body,
        r#"<text x="{}" y="{middle}" text-anchor="end">{name}</text><rect x="{x}" y="{y}" width="{width:.1}" height="{BAR}" fill="{colour}"/><text x="{after:.1}" y="{middle}">{}</text>"#,
        x - 6,
        rounded(figure)
    );
}

fn line(figure: f64, bottom: u32) -> String {
    let x = f64::from(LEFT + NAMES) + place(figure);
    format!(
        "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"#ddd\"/><text x=\"{x:.1}\" y=\"{}\" \
         text-anchor=\"middle\" class=\"small\">{figure}</text>\n",
        bottom + 14
    )
}

/// Three decades from 0.1 µs on.
fn place(figure: f64) -> f64 {
    (figure.log10() + 1.0).clamp(0.0, 3.0) / 3.0 * f64::from(SCALE)
}

const TOP: u32 = 50;
const LEFT: u32 = 16;
const NAMES: u32 = 80;
const SCALE: u32 = 480;
const BAR: u32 = 16;
