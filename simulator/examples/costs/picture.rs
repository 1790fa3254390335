//! The costs as curves.

use super::Cost;

const WIDTH: f64 = 330.0;
const HEIGHT: f64 = 210.0;

/// An SVG file with one chart per cost, over the logarithm of the number of peers.
pub(super) fn draw(costs: &[Cost]) -> String {
    type Of = fn(&Cost) -> f64;
    let charts: [(&str, Of); 6] = [
        ("µs of processor time per join", |cost| cost.join_us),
        ("µs of processor time per leave", |cost| cost.leave_us),
        ("µs of processor time per relay of 250 B", |cost| cost.relay_us),
        ("frames per join, to all together", |cost| cost.join_frames),
        ("million inputs per second, whole lives", |cost| cost.life_inputs_per_second / 1e6),
        ("bytes of memory per announced peer", |cost| cost.bytes_per_peer),
    ];
    let mut body = String::new();
    for (place, (name, of)) in charts.into_iter().enumerate() {
        let (x, y) = ((place % 3) as f64 * WIDTH, 36.0 + (place / 3) as f64 * HEIGHT);
        let points: Vec<(f64, f64)> =
            costs.iter().map(|cost| ((cost.peers as f64).log10(), of(cost))).collect();
        body += &format!("<g transform=\"translate({x} {y})\">{}</g>\n", chart(name, &points));
    }
    let (width, height) = (3.0 * WIDTH, 36.0 + 2.0 * HEIGHT);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"12\" y=\"22\" font-size=\"15\" fill=\"#222\">What the core costs in a network of so many announced peers</text>\n{body}</svg>\n"
    )
}

fn chart(name: &str, points: &[(f64, f64)]) -> String {
    let (left, right, top, bottom) = (52.0, WIDTH - 24.0, 34.0, HEIGHT - 46.0);
    let most = points.iter().map(|(_, value)| *value).fold(0.0, f64::max).max(1e-9) * 1.15;
    let (first, last) =
        (points.first().map_or(2.0, |point| point.0), points.last().map_or(6.0, |point| point.0));
    let place = |(x, y): (f64, f64)| {
        let across = if last > first { (x - first) / (last - first) } else { 0.0 };
        (left + across * (right - left), bottom - y / most * (bottom - top))
    };
    let mut svg = format!("<text x=\"{left}\" y=\"18\" font-weight=\"bold\" fill=\"#222\">{name}</text>");
    svg += &format!("<path d=\"M{left} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"#bbb\"/>");
    svg += &format!("<text x=\"{}\" y=\"{bottom}\" text-anchor=\"end\" fill=\"#666\">0</text>", left - 6.0);
    svg += &format!(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"#666\">announced peers (logarithmic)</text>",
        (left + right) / 2.0,
        bottom + 31.0
    );
    let mut path = String::new();
    for point in points {
        let (x, y) = place(*point);
        path += &format!("{}{x:.1} {y:.1}", if path.is_empty() { "M" } else { "L" });
        let value = point.1;
        let value = if value >= 100.0 {
            format!("{value:.0}")
        } else if value >= 10.0 {
            format!("{value:.1}")
        } else {
            format!("{value:.2}")
        };
        svg += &format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"#2a7ab8\"/>");
        svg += &format!(
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#222\" stroke=\"#fff\" stroke-width=\"3\" \
             paint-order=\"stroke\">{value}</text>",
            y - 7.0
        );
        let peers = match point.0 {
            log if log < 3.0 => format!("{:.0}", 10_f64.powf(log)),
            log if log < 6.0 => format!("{:.0} k", 10_f64.powf(log - 3.0)),
            log => format!("{:.0} M", 10_f64.powf(log - 6.0)),
        };
        svg += &format!(
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#666\">{peers}</text>",
            bottom + 15.0
        );
    }
    format!("<path d=\"{path}\" fill=\"none\" stroke=\"#2a7ab8\" stroke-width=\"1.5\"/>") + &svg
}
