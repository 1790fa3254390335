//! The last things that happened, as a sequence diagram: the server and the connections are lanes, each thing a row.

use std::collections::BTreeMap;

use super::{escaped, put, seconds};
use crate::diagram::told;
use crate::record::{Happening, Line};

/// Connections that have a lane; what concerns others has none of its own.
const MOST_LANES: usize = 24;
const LANE: usize = 58;
const ROW: usize = 18;
const TIME: usize = 90;
const TOP: usize = 26;
/// Characters of what was said.
const SHOWN: usize = 110;

pub(super) fn draw(lines: &[Line], count: usize) -> String {
    let shown: Vec<&Line> = lines.iter().filter(|line| !matches!(line.what, Happening::Gauges(_))).collect();
    let skipped = shown.len().saturating_sub(count);
    let shown = &shown[skipped..];
    let lanes = lanes(shown);
    let x = |conn: u64| lanes.get(&conn).map(|place| TIME + (place + 1) * LANE);
    let (server, words) = (TIME, TIME + (lanes.len() + 1) * LANE);
    let (width, height) = (words + SHOWN * 7, TOP + (shown.len() + 1) * ROW);
    let mut svg = format!("<svg width=\"{width}\" height=\"{height}\" role=\"img\">");
    for (name, x) in lanes
        .keys()
        .filter_map(|conn| Some((format!("#{conn}"), x(*conn)?)))
        .chain([("server".to_owned(), server)])
    {
        put(&mut svg, &format!("<path class=\"lane\" d=\"M{x} {TOP}V{height}\"/>"));
        put(&mut svg, &format!("<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{name}</text>", TOP - 10));
    }
    let mut last = None;
    for (row, line) in shown.iter().enumerate() {
        let y = TOP + (row + 1) * ROW;
        if last != Some(line.at) {
            let time = seconds(line.at.0);
            put(
                &mut svg,
                &format!(
                    "<text x=\"{}\" y=\"{y}\" text-anchor=\"end\" class=\"dim\">{time}</text>",
                    TIME - 26
                ),
            );
        }
        last = Some(line.at);
        let middle = y - 4;
        match &line.what {
            Happening::Up(conn, _) => put(&mut svg, &arrow(x(*conn), Some(server), middle, "a")),
            Happening::Down(conn, _) => put(&mut svg, &arrow(Some(server), x(*conn), middle, "b")),
            Happening::Step(..) => {
                put(&mut svg, &format!("<path class=\"grid\" d=\"M{TIME} {middle}H{words}\"/>"))
            }
            Happening::Inside(_) | Happening::Told(_) | Happening::Gauges(_) => {
                put(&mut svg, &format!("<circle class=\"fc\" cx=\"{server}\" cy=\"{middle}\" r=\"2.5\"/>"));
            }
        }
        let all = told(&line.what);
        let brief: String = all.chars().take(SHOWN).collect();
        let (all, brief) = (escaped(&all), escaped(&brief));
        put(&mut svg, &format!("<text x=\"{}\" y=\"{y}\">{brief}<title>{all}</title></text>", words - 20));
    }
    let before = if skipped > 0 { format!("<p>… {skipped} earlier lines</p>") } else { String::new() };
    before + &svg + "</svg>"
}

/// The connections that something happened to, in their order, as many as have room: those of the end first.
fn lanes(lines: &[&Line]) -> BTreeMap<u64, usize> {
    let mut conns = Vec::new();
    for line in lines.iter().rev() {
        if let Happening::Up(conn, _) | Happening::Down(conn, _) = &line.what
            && !conns.contains(conn)
            && conns.len() < MOST_LANES
        {
            conns.push(*conn);
        }
    }
    conns.sort_unstable();
    conns.into_iter().zip(0..).collect()
}

fn arrow(from: Option<usize>, to: Option<usize>, y: usize, class: &str) -> String {
    let (Some(from), Some(to)) = (from, to) else { return String::new() };
    let (tip, back) = if to > from { (to - 2, to - 8) } else { (to + 2, to + 8) };
    format!(
        "<path class=\"arrow {class}\" fill=\"none\" d=\"M{from} {y}H{tip}M{back} {}L{tip} {y}L{back} {}\"/>",
        y - 3,
        y + 3
    )
}
