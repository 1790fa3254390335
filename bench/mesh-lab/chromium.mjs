#!/usr/bin/env node
// Sixteen real pages in Chromium that come and go: which mesh they make, and what each link costs in offers.
//
//     PEERPIGEON_BIN=target/release/peerpigeon-server bench/mesh-lab/chromium.mjs [--seconds N] [--pages N] [--library NAME]
//
// A page is closed and another one opened every few seconds, the lives of the others have no end. Every five seconds the links
// that both ends hold are looked at, and every half minute one page of the largest piece sends a message to all. Real
// time, real WebRTC on the loopback. Prints what it has counted. Chromium: /usr/bin/chromium, or what CHROMIUM names.

import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';

import { Browser } from '../../tests/clients/browser.mjs';
import { Server } from '../../tests/clients/server.mjs';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '300' },
    pages: { type: 'string', default: '16' },
    library: { type: 'string', default: 'peerpigeon-1.1.3' },
    churn: { type: 'string', default: '10' },
  },
});
const [SECONDS, PAGES, CHURN] = [values.seconds, values.pages, values.churn].map(Number);
const LOOK_SECONDS = 5;
const MESSAGE_SECONDS = 30;
/** Younger pages may still be looking for their first link. */
const SETTLED_MS = 30_000;
const HEARD_WITHIN_MS = 5_000;

/** The pieces of the mesh of the links that both ends hold, largest first, as lists of ids. */
function pieces(states) {
  const links = new Map(states.map(({ id, links }) => [id, links]));
  const mutual = (id) => links.get(id).filter((other) => links.get(other)?.includes(id));
  const rest = new Set(links.keys());
  const found = [];
  for (const start of links.keys()) {
    if (!rest.delete(start)) continue;
    const piece = [start];
    for (const id of piece) for (const other of mutual(id)) if (rest.delete(other)) piece.push(other);
    found.push(piece);
  }
  return found.sort((one, other) => other.length - one.length);
}

const server = await Server.start();
const browser = await Browser.launch({ library: values.library });
const all = [];
let peers = [];

async function come() {
  const peer = await browser.peer(server);
  peer.born = performance.now();
  peers.push(peer);
  all.push(peer);
}

async function go() {
  const [gone] = peers.splice(Math.floor(Math.random() * peers.length), 1);
  await gone.close();
}

/** The share of the settled pages of the largest piece that hear a message of one of them. */
async function reach(piece) {
  const inPiece = peers.filter((peer) => piece.includes(peer.id));
  const [sender, ...others] = inPiece;
  const text = `message ${Math.random()}`;
  await sender.broadcast(text);
  await delay(HEARD_WITHIN_MS);
  const here = others.filter((peer) => peers.includes(peer));
  const heard = await Promise.all(here.map(async (peer) => (await peer.heard()).some(({ content }) => content === text)));
  return heard.filter(Boolean).length / Math.max(1, heard.length);
}

const looks = [];
const reached = [];
let links = 0;
try {
  for (let count = 0; count < PAGES; count += 1) await come();
  await delay(SETTLED_MS);
  const begin = performance.now();
  const seconds = () => (performance.now() - begin) / 1_000;
  for (let [look, churn, message] = [0, 0, 0]; seconds() < SECONDS; ) {
    if (seconds() >= churn * CHURN) {
      churn += 1;
      await go();
      await come();
    }
    if (seconds() >= look * LOOK_SECONDS) {
      look += 1;
      const states = await Promise.all(peers.map((peer) => peer.state()));
      const settled = new Set(peers.filter((peer) => performance.now() - peer.born > SETTLED_MS).map(({ id }) => id));
      const found = pieces(states).filter((piece) => piece.some((id) => settled.has(id)));
      looks.push({ pieces: found.length, outside: found.slice(1).flat().filter((id) => settled.has(id)).length });
      links += states.reduce((sum, state) => sum + state.links.length, 0) / 2 / states.length;
      if (found.length > 0 && seconds() >= message * MESSAGE_SECONDS) {
        message += 1;
        reached.push(await reach(found[0]));
      }
    }
    await delay(100);
  }
} finally {
  await browser.close();
  await server.stop();
}
const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
const sent = (type) => all.reduce((sum, peer) => sum + peer.frames.filter((frame) => frame.sent && frame.type === type).length, 0);
const frames = all.reduce((sum, peer) => sum + peer.frames.length, 0);
const one = looks.filter((look) => look.pieces === 1).length / looks.length;
console.log(`${values.library}, ${PAGES} pages in Chromium, one replaced every ${CHURN} s for ${SECONDS} s, ${looks.length} looks, ${all.length} joins`);
console.log(`one piece, % of looks        ${(100 * one).toFixed(1)}`);
console.log(`pieces, mean                 ${mean(looks.map((look) => look.pieces)).toFixed(2)}`);
console.log(`outside the largest, mean    ${mean(looks.map((look) => look.outside)).toFixed(2)}`);
console.log(`links per page               ${((2 * links) / looks.length).toFixed(2)}`);
console.log(`offers per answer            ${(sent('offer') / sent('answer')).toFixed(2)}`);
console.log(`offers, answers, rejections per join  ${['offer', 'answer', 'connection-rejected'].map((type) => (sent(type) / all.length).toFixed(1)).join(', ')}`);
console.log(`frames per join, both ways   ${(frames / all.length).toFixed(0)}`);
console.log(`a message reaches of the largest piece, %  ${(100 * mean(reached)).toFixed(1)} (${reached.length} messages)`);
