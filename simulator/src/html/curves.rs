//! Peers, frames and queues over virtual time.

use peerpigeon_core::Census;

use super::{escaped, put};
use crate::record::{Happening, Line};

const WIDTH: u64 = 340;
const HEIGHT: u64 = 130;
const LEFT: u64 = 44;
const BOTTOM: u64 = 18;
/// Parts of the time that frames are counted in.
const PARTS: u64 = 120;

/// One line in a chart: its name, its class, its points in the order of time.
struct Curve {
    name: &'static str,
    class: &'static str,
    points: Vec<(u64, u64)>,
    /// Whether a value holds until the next point.
    steps: bool,
}

pub(super) fn draw(lines: &[Line]) -> String {
    let end = lines.last().map_or(1, |line| line.at.0.max(1));
    let gauge = |name, class, of: &dyn Fn(&Census) -> usize| {
        let points = lines.iter().filter_map(|line| {
            let Happening::Gauges(census) = &line.what else { return None };
            Some((line.at.0, of(census) as u64))
        });
        Curve { name, class, points: points.collect(), steps: true }
    };
    let is_up = |what: &Happening| matches!(what, Happening::Up(..));
    let is_down = |what: &Happening| matches!(what, Happening::Down(..));
    let charts = [
        (
            "Peers",
            vec![
                gauge("connections", "a", &|census| census.connections),
                gauge("announced", "b", &|census| census.peers),
            ],
        ),
        (
            "Frames per second",
            vec![rate("to the server", "a", lines, end, is_up), rate("from it", "b", lines, end, is_down)],
        ),
        (
            "Queues",
            vec![
                gauge("mail", "a", &|census| census.mails),
                gauge("inboxes", "b", &|census| census.shelved),
                gauge("held connections", "c", &|census| census.held),
            ],
        ),
    ];
    charts.into_iter().map(|(name, curves)| chart(name, &curves, end)).collect()
}

fn rate(
    name: &'static str,
    class: &'static str,
    lines: &[Line],
    end: u64,
    counts: impl Fn(&Happening) -> bool,
) -> Curve {
    let mut parts = vec![0_u64; usize::try_from(PARTS).unwrap_or_default() + 1];
    for line in lines.iter().filter(|line| counts(&line.what)) {
        parts[usize::try_from(line.at.0 * PARTS / end).unwrap_or_default()] += 1;
    }
    let points = (0..).zip(&parts).map(|(part, count)| (part * end / PARTS, count * PARTS * 1_000 / end));
    Curve { name, class, points: points.collect(), steps: false }
}

fn chart(name: &str, curves: &[Curve], end: u64) -> String {
    let most =
        curves.iter().flat_map(|curve| &curve.points).map(|(_, value)| *value).max().unwrap_or(0).max(1);
    let place = |(at, value): (u64, u64)| {
        let x = LEFT as f64 + (WIDTH - LEFT - 4) as f64 * at as f64 / end as f64;
        let y = (HEIGHT - BOTTOM) as f64 - (HEIGHT - BOTTOM - 8) as f64 * value as f64 / most as f64;
        (x, y)
    };
    let key: String = curves
        .iter()
        .map(|curve| {
            format!(
                "<span class=\"key\"><b style=\"color:var(--{})\">━</b> {}</span>",
                curve.class, curve.name
            )
        })
        .collect();
    let mut svg = format!(
        "<figure><figcaption>{}{key}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">",
        escaped(name)
    );
    let (left, bottom) = (LEFT, HEIGHT - BOTTOM);
    put(&mut svg, &format!("<path class=\"grid\" d=\"M{left} 8V{bottom}H{WIDTH}M{left} 8H{WIDTH}\"/>"));
    put(
        &mut svg,
        &format!("<text x=\"{}\" y=\"12\" text-anchor=\"end\" class=\"dim\">{most}</text>", left - 5),
    );
    put(
        &mut svg,
        &format!("<text x=\"{}\" y=\"{bottom}\" text-anchor=\"end\" class=\"dim\">0</text>", left - 5),
    );
    put(
        &mut svg,
        &format!(
            "<text x=\"{WIDTH}\" y=\"{}\" text-anchor=\"end\" class=\"dim\">{}</text>",
            HEIGHT - 4,
            super::seconds(end)
        ),
    );
    for curve in curves {
        put(&mut svg, &format!("<path class=\"curve {}\" d=\"{}\"/>", curve.class, path(curve, end, place)));
    }
    svg + "</svg></figure>"
}

fn path(curve: &Curve, end: u64, place: impl Fn((u64, u64)) -> (f64, f64)) -> String {
    let (mut path, mut last) = (String::new(), None);
    let tail = curve.points.last().filter(|_| curve.steps).map(|(_, value)| (end, *value));
    for point in curve.points.iter().copied().chain(tail) {
        let (x, y) = place(point);
        let step = match last {
            None => format!("M{x:.1} {y:.1}"),
            // What changes by less than a point of the picture is left out.
            Some((before_x, before_y)) if x - before_x < 0.3 && f64::abs(y - before_y) < 0.3 => continue,
            Some(_) if curve.steps => format!("H{x:.1}V{y:.1}"),
            Some(_) => format!("L{x:.1} {y:.1}"),
        };
        put(&mut path, &step);
        last = Some((x, y));
    }
    path
}
