//! Who knew whom, and who was linked to whom: at the end where a law was broken, else when most were there.

use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::TAU;

use peerpigeon_core::{Event, PeerId, Signal, Time};

use super::{escaped, put, seconds};
use crate::record::{Happening, Line};

/// More would be a black disc.
const MOST_PEERS: usize = 300;
const SIZE: f64 = 620.0;

#[derive(Clone, Debug, Default)]
struct Mesh {
    at: Time,
    /// By id, with the number of their network.
    peers: BTreeMap<PeerId, u64>,
    met: BTreeSet<(PeerId, PeerId)>,
    links: BTreeSet<(PeerId, PeerId)>,
}

impl Mesh {
    fn learn(&mut self, at: Time, event: &Event) {
        self.at = at;
        if let Event::Announced { peer, network, .. } = *event {
            self.peers.insert(peer, network.0);
        }
        if let Event::Introduced { newcomer, other, .. } = *event {
            self.met.insert(pair(newcomer, other));
        }
        if let Event::Relayed { from, to, signal: Signal::Answer, .. } = *event {
            self.links.insert(pair(from, to));
        }
        if let Event::Left { peer, .. } = *event {
            self.peers.remove(&peer);
            for pairs in [&mut self.met, &mut self.links] {
                pairs.retain(|(one, two)| *one != peer && *two != peer);
            }
        }
    }
}

fn pair(one: PeerId, two: PeerId) -> (PeerId, PeerId) {
    (one.min(two), one.max(two))
}

pub(super) fn draw(lines: &[Line]) -> String {
    if !lines.iter().any(|line| matches!(line.what, Happening::Told(_))) {
        return "<p>At the level of bytes the server does not tell who met whom.</p>".to_owned();
    }
    let (mut mesh, mut largest) = (Mesh::default(), Mesh::default());
    for line in lines {
        if let Happening::Told(event) = &line.what {
            // Before anybody leaves: by then those who came have met.
            if matches!(event, Event::Left { .. }) && mesh.peers.len() >= largest.peers.len().max(1) {
                largest = mesh.clone();
            }
            mesh.learn(line.at, event);
        }
    }
    let shown = if mesh.peers.is_empty() { largest } else { mesh };
    figure(&shown)
}

fn figure(mesh: &Mesh) -> String {
    let peers: BTreeMap<PeerId, usize> = mesh.peers.keys().copied().take(MOST_PEERS).zip(0..).collect();
    let count = peers.len().max(1) as f64;
    let place = |number: usize, radius: f64| {
        let turn = TAU * number as f64 / count;
        (SIZE / 2.0 + radius * turn.sin(), SIZE / 2.0 - radius * turn.cos())
    };
    let mut svg = format!(
        "<figure><figcaption>{} peers at {}, in the order of their ids<span class=\"key\"><b \
         style=\"color:var(--a)\">━</b> linked: an answer was relayed</span><span class=\"key\"><b \
         style=\"color:var(--line)\">━</b> acquainted</span></figcaption><svg viewBox=\"0 0 {SIZE} {SIZE}\" \
         style=\"max-width:{SIZE}px;margin:auto\" role=\"img\">",
        mesh.peers.len(),
        seconds(mesh.at.0)
    );
    for (pairs, class) in [(&mesh.met, "met"), (&mesh.links, "link")] {
        for (one, two) in pairs {
            let (Some(one), Some(two)) = (peers.get(one), peers.get(two)) else { continue };
            let ((x1, y1), (x2, y2)) = (place(*one, SIZE * 0.42), place(*two, SIZE * 0.42));
            put(
                &mut svg,
                &format!("<path class=\"{class}\" d=\"M{x1:.0} {y1:.0}L{x2:.0} {y2:.0}\" fill=\"none\"/>"),
            );
        }
    }
    for (peer, number) in &peers {
        let (x, y) = place(*number, SIZE * 0.42);
        let class = ["fb", "fa", "fc"][usize::try_from(mesh.peers[peer] % 3).unwrap_or_default()];
        let id = peer.to_string();
        put(
            &mut svg,
            &format!(
                "<circle class=\"node {class}\" cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"4\"><title>{}</title></circle>",
                escaped(&id)
            ),
        );
        if peers.len() <= 60 {
            let (x, y) = place(*number, SIZE * 0.46);
            let digits = id.get(..4).unwrap_or(&id);
            put(
                &mut svg,
                &format!(
                    "<text x=\"{x:.0}\" y=\"{:.0}\" text-anchor=\"middle\" class=\"dim\">{digits}</text>",
                    y + 4.0
                ),
            );
        }
    }
    svg + "</svg></figure>"
}
