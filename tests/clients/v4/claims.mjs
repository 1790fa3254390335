#!/usr/bin/env node
// What the real clients of PeerPigeon V4 must find on the server, one line for each claim. Run by scripts/real-v4.
//
//     claims.mjs FOLDER [CLAIM…]
//
// PEERPIGEON_BIN names the server. FOLDER holds the unpacked clients: `page/` (the built page), `freertc/`, and `node/` for V4 in
// Node. A CLAIM is one of the names below; all of them by default. Exit status 1 when one does not hold.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { Server, freePort, until } from '../server.mjs';
import { listed } from './observer.mjs';
import { Pages, carry, talk, whole } from './pages.mjs';

const HOUR_MS = 3_600_000;
/** Any claim fails after this; it is what a person would wait for. */
const PATIENCE_MS = 30_000;
const WHOLE_MS = 3_000;
const LATE_MS = 25_000;
const GAP_MS = 2_000;

const [folder, ...wanted] = process.argv.slice(2);
let server;
let browser;
let networks = 0;

const CLAIMS = {
  three: ['three pages with minPeers 2 are whole, and talk', three],
  late: ['of four pages with maxPeers 2 the late one gets in', late],
  restart: ['links survive a restart of the server, and all pages are registered again', restart],
  reload: ['the old id of a reloaded page is in nobody’s list after 2 s', reload],
  fast: ['a page whose clock is an hour fast links as quickly as the others', () => clock(HOUR_MS)],
  slow: ['a page whose clock is an hour slow links as quickly as the others', () => clock(-HOUR_MS)],
  sessions: ['two sessions never meet', sessions],
  node: ['V4 in Node links with V4 in Node, and they talk', nodes],
  freertc: ['freertc’s own integration test passes', freertc],
};

/** A network of its own for each claim. */
function network() {
  networks += 1;
  return `network-${networks}`;
}

/** Opens so many pages, one after the other; gives them and the time from the last socket to the whole mesh, in ms. */
async function mesh(count, options, room = { network: network(), session: 'room' }) {
  const pages = [];
  for (let n = 0; n < count; n += 1) pages.push(await browser.open(server, { ...room, ...options(n) }));
  const at = await whole(pages, PATIENCE_MS);
  const opened = Math.max(...pages.map((page) => page.sockets[0].opened));
  return { pages, room, took: at - opened };
}

async function three() {
  const { pages, took } = await mesh(3, () => ({}));
  const fault = (await silence(carry(pages))) || (await silence(talk(pages)));
  return [took < WHOLE_MS && !fault, `${wholeAfter(took)}${fault}`];
}

async function late() {
  const { pages, room } = await mesh(3, () => ({ minPeers: 2, maxPeers: 2 }));
  const page = await browser.open(server, { ...room, minPeers: 2, maxPeers: 2 });
  pages.push(page);
  await until('the late one has a link', async () => (await page.state()).links.length > 0, PATIENCE_MS);
  const fault = await silence(talk(pages, PATIENCE_MS));
  const took = performance.now() - page.sockets[0].opened;
  return [took < LATE_MS && !fault, `all four had talked ${seconds(took)} after its socket opened (at most ${seconds(LATE_MS)})${fault}`];
}

async function restart() {
  const { pages } = await mesh(3, () => ({}));
  const before = await Promise.all(pages.map((page) => page.state()));
  const gap = server.end().then(() => delay(GAP_MS));
  let fault = await silence(carry(pages));
  await gap;
  const start = performance.now();
  await server.begin();
  const isBack = ({ opened, registered, closed }) => opened > start && registered !== undefined && closed === undefined;
  await until('all pages are registered again', () => pages.every((page) => page.sockets.some(isBack)), PATIENCE_MS);
  const took = Math.max(...pages.map((page) => page.sockets.find(isBack).registered)) - start;
  fault ||= await silence(carry(pages));
  // As long as it takes clients to find out that a link is dead.
  await delay(6_000);
  fault ||= (await silence(carry(pages))) || (await silence(talk(pages)));
  const after = await Promise.all(pages.map((page) => page.state()));
  const dials = after.reduce((sum, { dials }, n) => sum + dials - before[n].dials, 0);
  const kept = after.every(({ links }, n) => before[n].links.every((id) => links.includes(id)));
  return [kept && dials === 0 && !fault, `registered ${seconds(took)} after its start, ${dials} links made anew${fault}`];
}

async function reload() {
  const { pages, room } = await mesh(3, () => ({}));
  const [page, ...others] = pages;
  const old = page.id;
  await page.reload();
  const reloaded = performance.now();
  await delay(2_000);
  const now = await listed(server, room);
  const fault = (await silence(whole(pages, PATIENCE_MS))) || (await silence(talk(pages)));
  const later = others.flatMap(({ lists }) => lists.filter(({ at }) => at > reloaded + 2_000).flatMap(({ ids }) => ids));
  const found = [...now, ...later].filter((id) => id === old).length;
  return [found === 0 && page.id !== old && !fault, `${found} lists named it${fault}`];
}

async function clock(ahead) {
  const { pages, took } = await mesh(3, (n) => ({ ahead: n === 1 ? ahead : 0 }));
  // What is said to the whole mesh is too old, or not yet born, by a clock that is an hour off: a rule of the clients.
  const fault = await silence(carry(pages));
  return [took < WHOLE_MS && !fault, `${wholeAfter(took)}${fault}`];
}

async function sessions() {
  const name = network();
  const open = (session) => mesh(2, () => ({ minPeers: 1 }), { network: name, session });
  const rooms = await Promise.all(['blue', 'red'].map(open));
  // Longer than clients take to look for more.
  await delay(5_000);
  let met = 0;
  for (const [one, other] of [rooms, [...rooms].reverse()]) {
    const strangers = new Set(other.pages.map((page) => page.id));
    for (const page of one.pages) {
      const { links, discovered } = await page.state();
      const ids = [...links, ...discovered, ...page.lists.flatMap(({ ids }) => ids)];
      met += ids.filter((id) => strangers.has(id)).length;
    }
  }
  const fault = (await silence(talk(rooms[0].pages))) || (await silence(talk(rooms[1].pages)));
  return [met === 0 && !fault, `${met} times one of the other room was listed, known or linked${fault}`];
}

async function nodes() {
  const program = fileURLToPath(new URL('node-peer.mjs', import.meta.url));
  const name = network();
  const start = performance.now();
  const peers = [0, 1].map(() => {
    const args = [program, join(folder, 'node'), `${server.url}/ws`, name, 'room'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const peer = { child, links: [], heard: 0, errors: [] };
    createInterface({ input: child.stdout }).on('line', (line) => {
      const told = line.startsWith('{') ? JSON.parse(line) : {};
      if (told.links) peer.links = told.links;
      if (told.heard) peer.heard += 1;
      if (told.error) peer.errors.push(told.error);
    });
    return peer;
  });
  try {
    const story = () => JSON.stringify(peers.map(({ links, heard, errors }) => ({ links, heard, errors })));
    await until(story, () => peers.every(({ links, heard }) => links.length === 1 && heard > 0), 2 * PATIENCE_MS);
    return [true, `linked, and heard of each other, ${seconds(performance.now() - start)} after their start`];
  } finally {
    for (const { child } of peers) child.kill('SIGKILL');
  }
}

async function freertc() {
  const program = join(folder, 'freertc/test/worker-scope.integration.mjs');
  // Node 20 has a WebSocket, too, if it is asked.
  const child = spawn(process.execPath, ['--experimental-websocket', '--no-warnings', program], {
    env: { PATH: process.env.PATH, FREERTC_TEST_WS: `${server.url}/ws` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (part) => (text += part));
  const stuck = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  const [status] = await once(child, 'close');
  clearTimeout(stuck);
  const last = text.split('\n').findLast((line) => /Error|passed/.test(line)) ?? `status ${status}`;
  return [status === 0, last.trim()];
}

/** What has not come to pass, for the end of a line; nothing if all has. */
async function silence(passing) {
  return passing.then(
    () => '',
    (error) => `; ${error.message.split('\n')[0]}`,
  );
}

function wholeAfter(took) {
  return `whole ${seconds(took)} after the last socket opened (at most ${seconds(WHOLE_MS)})`;
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** The server under test, which can end and begin again on its port. */
class Restartable {
  #running;

  static async start() {
    const server = new Restartable();
    server.port = await freePort();
    server.url = `ws://127.0.0.1:${server.port}`;
    await server.begin();
    return server;
  }

  async begin() {
    this.#running = await Server.start({ port: this.port });
  }

  /** By SIGTERM, which servers that do not know it take as their end, too. */
  async end() {
    await this.#running.terminate();
  }

  async kill() {
    await this.#running.kill();
  }
}

const names = wanted.length > 0 ? wanted : Object.keys(CLAIMS);
const unknown = names.filter((name) => !(name in CLAIMS));
if (!folder || unknown.length > 0) {
  console.error(`usage: claims.mjs FOLDER [${Object.keys(CLAIMS).join('|')}]…${unknown.length ? `; not ${unknown}` : ''}`);
  process.exit(2);
}
server = await Restartable.start();
browser = await Pages.launch(join(folder, 'page'));
try {
  for (const name of names) {
    const [claim, check] = CLAIMS[name];
    const [holds, figure] = await check().catch((error) => [false, error.message.split('\n')[0]]);
    await browser.clear();
    console.log(`${holds ? 'holds' : 'FAILS'}  ${claim}: ${figure}`);
    if (!holds) process.exitCode = 1;
  }
} finally {
  await browser.close();
  await server.kill();
}
