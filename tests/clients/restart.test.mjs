// A restart by a service manager that keeps the listening socket, under many signaling clients of the library.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import WebSocket from 'ws';

import { freePort, until } from './server.mjs';

const CLIENTS = 2000;
const BACK_WITHIN_MS = 10_000;
const BATCH = 100;
const NODE_SENDS_ALL_MS = 60_000;

/** Every socket that was ever opened, and what went wrong with any of them. */
const opened = [];
const refused = [];
globalThis.WebSocket = class extends WebSocket {
  constructor(...args) {
    super(...args);
    opened.push(this);
    this.on('error', (error) => refused.push(error.message));
    this.on('unexpected-response', (_, response) => refused.push(`${response.statusCode}`));
  }
};
const { SignalingClient } = await import(new URL('./node_modules/peerpigeon/src/SignalingClient.js', import.meta.url));

describe(`${CLIENTS} signaling clients while the server is restarted`, () => {
  let manager;
  let port;
  const pids = [];
  let clients = [];

  before(async () => {
    port = await freePort();
    const env = { PATH: process.env.PATH, MAX_CONNECTIONS: String(2 * CLIENTS) };
    const script = new URL('./manager.py', import.meta.url).pathname;
    manager = spawn('python3', [script, String(port), process.env.PEERPIGEON_BIN], {
      env,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    createInterface({ input: manager.stdout }).on('line', (line) => pids.push(Number(line.split(' ')[1])));
    await until('a server', async () => (await health().catch(() => null))?.status === 'healthy');
  });
  after(() => {
    for (const client of clients) {
      client.disconnect();
      client.stopKeepAlive?.();
    }
    manager?.stdin.end();
  });

  const health = async () => (await fetch(`http://127.0.0.1:${port}/health`)).json();
  const arePeers = async () => (await health()).peers === CLIENTS;
  const areConnected = () => clients.every((client) => client.isConnected());

  it('all connect', async () => {
    clients = Array.from({ length: CLIENTS }, () => new SignalingClient(randomBytes(20).toString('hex'), 3, null));
    for (let i = 0; i < CLIENTS; i += BATCH) {
      await Promise.all(clients.slice(i, i + BATCH).map((client) => client.connect(`ws://127.0.0.1:${port}`)));
    }
    await until('everybody is a peer', arePeers, NODE_SENDS_ALL_MS);
    assert.deepEqual(refused, []);
  });

  it(`are all back within ${BACK_WITHIN_MS / 1000} s, and none is refused`, async (test) => {
    const sockets = clients.map((client) => client.websocket);
    const closes = [];
    sockets.forEach((socket) => socket.on('close', (code) => closes.push(code)));
    const start = performance.now();
    process.kill(pids[0], 'SIGTERM');
    await until('everybody is told', () => closes.length === CLIENTS, BACK_WITHIN_MS);
    const told = performance.now() - start;
    await until(
      async () => `everybody is back: ${JSON.stringify(await health())}`,
      async () => clients.every((client, i) => client.websocket !== sockets[i]) && areConnected() && (await arePeers()),
      BACK_WITHIN_MS - told,
    );
    const back = performance.now() - start;
    test.diagnostic(`all were told after ${Math.round(told)} ms, and back after ${Math.round(back)} ms`);
    assert.ok(closes.every((code) => code === 1001), `${closes}`);
    assert.equal(pids.length, 2, 'the manager started one more server');
    assert.deepEqual(refused, []);
    assert.equal(opened.length, 2 * CLIENTS, 'each came back with its first attempt');
  });
});
