// The module /client.js as the server serves it: reconnecting, backing off, failing over, circuit breaker.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import WebSocket, { WebSocketServer } from 'ws';

import { Server, freePort, until } from './server.mjs';

// Its own where the runtime has one: they differ.
globalThis.WebSocket ??= WebSocket;

const QUICK = { backoff: { first: 40, most: 200 }, breaker: { failures: 3, rest: 400 }, returnInterval: 200 };

let folder;
let SignalingClient;
const clients = [];

/** A client that keeps what it hears and where it stands. */
function newClient(urls, options = {}) {
  const client = new SignalingClient(urls, { ...QUICK, ...options });
  client.heard = [];
  client.states = [];
  for (const type of ['peer-discovered', 'peer-disconnected', 'goodbye', 'signal', 'error']) {
    client.addEventListener(type, ({ detail }) => client.heard.push({ event: type, ...detail }));
  }
  client.addEventListener('state', ({ detail }) => client.states.push({ at: performance.now(), ...detail }));
  client.port = () => Number(new URL(client.states.at(-1).url).port);
  clients.push(client);
  return client;
}

const isOpen = (client) => until(() => `open: ${JSON.stringify(client.states)}`, () => client.state === 'open');
const heard = (client, event) => client.heard.filter((item) => item.event === event);

/** A port at which connections are accepted and closed at once, and counted. */
async function deadServer() {
  const server = createServer((socket) => {
    server.dials += 1;
    socket.destroy();
  });
  server.dials = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.url = `ws://127.0.0.1:${server.address().port}`;
  return server;
}

before(async () => {
  const server = await Server.start();
  const answer = await fetch(`http://127.0.0.1:${server.port}/client.js`);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-type'), 'text/javascript; charset=utf-8');
  assert.equal(answer.headers.get('access-control-allow-origin'), '*', 'pages of others may import it');
  const text = await answer.text();
  assert.ok(text.length < 20 * 1024, 'it stays small');
  folder = await mkdtemp(join(tmpdir(), 'peerpigeon-client-'));
  await writeFile(join(folder, 'client.mjs'), text);
  ({ SignalingClient } = await import(join(folder, 'client.mjs')));
  await server.kill();
});
after(async () => {
  for (const client of clients) client.stop();
  await rm(folder, { recursive: true });
});

describe('the client module', () => {
  let server;

  before(async () => {
    server = await Server.start();
  });
  after(() => server.kill());

  it('introduces, signals and says goodbye', async () => {
    const [a, b] = [newClient(server.url, { data: { name: 'a' } }), newClient(server.url)];
    a.start();
    await isOpen(a);
    b.start();
    await until('they know each other', () => [a, b].every((client) => heard(client, 'peer-discovered').length === 1));
    assert.deepEqual(heard(b, 'peer-discovered'), [{ event: 'peer-discovered', peerId: a.peerId, name: 'a' }]);
    assert.equal(a.send('offer', b.peerId, { sdp: 'v=0' }), true);
    await until('an offer', () => heard(b, 'signal').length === 1);
    assert.deepEqual(heard(b, 'signal'), [{ event: 'signal', type: 'offer', from: a.peerId, data: { sdp: 'v=0' } }]);
    a.stop();
    await until('a goodbye', () => heard(b, 'goodbye').length === 1);
    assert.equal(heard(b, 'goodbye')[0].peerId, a.peerId);
    assert.equal(a.state, 'stopped');
    assert.equal(a.send('offer', b.peerId, {}), false);
    a.start();
    await until('it is back', () => heard(b, 'peer-discovered').length === 2);
  });

  it('is told what was refused', async () => {
    const client = newClient(server.url);
    client.start();
    await isOpen(client);
    client.send('offer', '0'.repeat(40), {});
    await until('an error', () => heard(client, 'error').length === 1);
    assert.equal(heard(client, 'error')[0].code, 'target-not-connected');
  });

  it('keeps to its network', async () => {
    const [red, blue] = ['red', 'blue'].map((network) => newClient(server.url, { network }));
    const other = newClient(server.url, { network: 'red' });
    for (const client of [red, blue, other]) client.start();
    await until('the red ones meet', () => heard(red, 'peer-discovered').length === 1);
    assert.equal(heard(red, 'peer-discovered')[0].peerId, other.peerId);
    assert.deepEqual(heard(blue, 'peer-discovered'), []);
  });

  it('gives up where the same id has connected elsewhere', async () => {
    const peerId = 'a'.repeat(40);
    const strict = await Server.start({ settings: { DUPLICATE_PEER: 'replace' } });
    try {
      const first = newClient(strict.url, { peerId });
      first.start();
      await isOpen(first);
      const second = newClient(strict.url, { peerId });
      second.start();
      await until('the first is told', () => first.state === 'replaced');
      await isOpen(second);
    } finally {
      await strict.kill();
    }
  });
});

describe('the client module with a token', () => {
  it('brings it', async () => {
    const server = await Server.start({ settings: { AUTH_TOKEN: 's3cret/+' } });
    try {
      const client = newClient(`http://127.0.0.1:${server.port}/some/path?x=y`, { token: 's3cret/+' });
      client.start();
      await isOpen(client);
    } finally {
      await server.kill();
    }
  });
});

describe('the client module and a server that goes', () => {
  it('comes back with the same id when it is there again', async () => {
    let server = await Server.start();
    const [a, b] = [newClient(server.url), newClient(server.url)];
    for (const client of [a, b]) client.start();
    await until('they meet', () => heard(b, 'peer-discovered').length === 1);
    await server.stop();
    await until('it waits', () => a.state === 'waiting');
    server = await Server.start({ port: server.port });
    await until('they meet again', () => heard(b, 'peer-discovered').length === 2);
    assert.equal(heard(b, 'peer-discovered')[1].peerId, a.peerId);
    await server.kill();
  });

  it('waits longer each time, never for the same time, and not longer than it should', async () => {
    const dead = await deadServer();
    const client = newClient(dead.url, { breaker: { failures: 1_000, rest: 0 } });
    client.start();
    const waits = () => client.states.filter(({ state }) => state === 'waiting').map(({ retryMs }) => retryMs);
    await until('seven waits', () => waits().length >= 7);
    client.stop();
    dead.close();
    for (const [i, wait] of waits().slice(0, 7).entries()) {
      const most = Math.min(200, 40 * 2 ** i);
      assert.ok(wait >= most / 2 && wait <= most, `wait ${i} of ${wait} ms`);
    }
    assert.ok(new Set(waits()).size === waits().length);
  });

  it('leaves a server alone that has failed three times, for a while', async () => {
    const dead = await deadServer();
    const client = newClient(dead.url);
    client.start();
    await until('it rests', () => client.states.some(({ retryMs }) => retryMs >= 200 && dead.dials === 3));
    await until('it tries again', () => dead.dials >= 4);
    const dials = client.states.filter(({ state }) => state === 'connecting').map(({ at }) => at);
    assert.ok(dials[3] - dials[2] >= 200, 'half of the rest at least');
    client.stop();
    dead.close();
  });

  it('ends a connection that nothing comes from any more', async () => {
    // A server that introduces itself and then says nothing, not even when it is asked.
    const silent = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    const asked = [];
    silent.on('connection', (socket) => {
      socket.send(JSON.stringify({ type: 'connected', data: {} }));
      socket.on('message', (text) => asked.push(JSON.parse(text).type));
    });
    await once(silent, 'listening');
    const client = newClient(`ws://127.0.0.1:${silent.address().port}`, { silence: { ping: 50, gone: 150 } });
    client.start();
    await isOpen(client);
    await until('it is given up', () => client.states.some(({ state }) => state === 'waiting'));
    assert.deepEqual(asked.slice(0, 2), ['announce', 'ping']);
    client.stop();
    silent.close();
  });

  it('notices by itself that a dial was refused, reset or answered with 401', async () => {
    const [reset, closed, guarded] = [await deadServer(), await freePort(), await Server.start({ settings: { AUTH_TOKEN: 'good' } })];
    try {
      for (const url of [reset.url, `ws://127.0.0.1:${closed}`, guarded.url]) {
        const client = newClient(url, { dialTimeout: Infinity, token: 'bad-s3cret' });
        client.start();
        await until(`it waits: ${url}`, () => client.states.some(({ state }) => state === 'waiting'));
        assert.ok(client.states.find(({ state }) => state === 'waiting').failure.reason, 'and says why');
        assert.ok(!JSON.stringify(client.states).includes('s3cret'));
        client.stop();
      }
    } finally {
      reset.close();
      await guarded.kill();
    }
  });

  it('asks for a new token when it comes back', async () => {
    let server = await Server.start({ settings: { AUTH_TOKEN: 'monday' } });
    let token = 'monday';
    const client = newClient(server.url, { token: async () => token });
    client.start();
    await isOpen(client);
    await server.stop();
    token = 'tuesday';
    server = await Server.start({ port: server.port, settings: { AUTH_TOKEN: token } });
    await isOpen(client);
    await server.kill();
  });

  it('does not wait for ever for the first word', async () => {
    const mute = createServer(() => {}).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const client = newClient(`ws://127.0.0.1:${mute.address().port}`, { dialTimeout: 60 });
    client.start();
    await until('it waits', () => client.state === 'waiting');
    client.stop();
    mute.close();
  });
});

describe('the client module with a backup server', () => {
  it('goes there when the first one cannot be reached, and back when it can', async () => {
    const port = await freePort();
    const backup = await Server.start();
    const client = newClient([`ws://127.0.0.1:${port}`, backup.url]);
    client.start();
    await isOpen(client);
    assert.equal(client.port(), backup.port);
    assert.ok(!client.states.some(({ state }) => state === 'waiting'), 'without a pause');
    const first = await Server.start({ port });
    await until('it is back', () => client.state === 'open' && client.port() === port);
    await until('the servers agree', async () => (await first.health()).peers === 1 && (await backup.health()).peers === 0);

    await first.stop();
    await until('it is on the backup', () => client.state === 'open' && client.port() === backup.port);
    await backup.kill();
  });

  it('tries the first one again when the backup fails too', async () => {
    const [one, two] = [await deadServer(), await deadServer()];
    const client = newClient([one.url, two.url]);
    client.start();
    await until('both are tried again', () => one.dials >= 2 && two.dials >= 2);
    client.stop();
    one.close();
    two.close();
  });
});
