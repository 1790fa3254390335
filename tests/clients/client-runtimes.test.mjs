// The client module on runtimes that differ: how a failed dial is told, what there is, how clocks behave.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as settled } from 'node:timers/promises';

import { MUTE, ONLY_AN_ERROR, REFUSED, Runtime, UP, startReactNative, throwing } from './runtime.mjs';

const [MAIN, BACKUP] = ['wss://main.example', 'wss://backup.example'];
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** How a browser forbids a dial: the texts are those of Chromium and Firefox. */
const INSECURE = throwing(
  'SecurityError',
  () => 'An insecure WebSocket connection may not be initiated from a page loaded over HTTPS.',
);
const MALFORMED = throwing('SyntaxError', (url) => `Failed to construct 'WebSocket': The URL '${url}' is invalid.`);

describe('the client module and a dial that fails', () => {
  const failures = { 'error and close': REFUSED, 'an error alone': ONLY_AN_ERROR, 'an exception': INSECURE };
  for (const [how, behaviour] of Object.entries(failures)) {
    it(`goes on at once to the next server when it is told by ${how}`, async () => {
      const runtime = await Runtime.start();
      runtime.behaviour[MAIN] = behaviour;
      const client = await runtime.started([MAIN, BACKUP]);
      await runtime.pass(1);
      assert.equal(client.state, 'open');
      assert.deepEqual(runtime.living.map(({ server }) => server), [BACKUP]);
    });

    it(`backs off and comes back when it is told by ${how}`, async () => {
      const runtime = await Runtime.start();
      runtime.behaviour[MAIN] = behaviour;
      const client = await runtime.started(MAIN);
      await runtime.pass(1);
      assert.deepEqual(client.states(), ['connecting', 'waiting']);
      assert.ok(client.events.at(-1).retryMs <= SECOND);
      runtime.behaviour[MAIN] = UP;
      await runtime.pass(SECOND);
      assert.equal(client.state, 'open');
    });

    it(`returns from the backup however often that was told by ${how}`, async () => {
      const runtime = await Runtime.start();
      runtime.behaviour[MAIN] = behaviour;
      const client = await runtime.started([MAIN, BACKUP]);
      await runtime.pass(10 * MINUTE);
      assert.deepEqual(runtime.living.map(({ server }) => server), [BACKUP]);
      runtime.behaviour[MAIN] = UP;
      await runtime.pass(2 * MINUTE);
      assert.equal(client.state, 'open');
      assert.deepEqual(runtime.living.map(({ server }) => server), [MAIN], 'one connection, and that to the first');
      assert.deepEqual(runtime.living[0].types.slice(0, 1), ['announce']);
      runtime.living[0].closes(1006);
      assert.equal(client.state, 'waiting', 'it is told of its end as of any other');
      await runtime.pass(MINUTE);
      assert.deepEqual(runtime.living.map(({ server }) => server), [MAIN]);
      assert.deepEqual(runtime.uncaught, []);
    });
  }

  it('says why, and to whom', async () => {
    const runtime = await Runtime.start();
    runtime.behaviour[MAIN] = INSECURE;
    runtime.behaviour[BACKUP] = ONLY_AN_ERROR;
    const client = await runtime.started([MAIN, BACKUP]);
    await runtime.pass(1);
    const [, second, pause] = client.events;
    assert.equal(second.failure.url, MAIN);
    assert.match(second.failure.reason, /^SecurityError: An insecure WebSocket connection/);
    assert.equal(pause.failure.url, BACKUP);
    assert.equal(pause.failure.reason, 'Received network error');
  });

  it('says with which code and reason a connection was closed', async () => {
    const runtime = await Runtime.start();
    const client = await runtime.started(MAIN);
    runtime.sockets[0].closes(1013, 'Maximum connections reached');
    const { state, failure } = client.events.at(-1);
    assert.deepEqual([state, failure.code, failure.reason], ['waiting', 1013, 'Maximum connections reached']);
  });

  it('gives up a server that says nothing, and closes the socket', async () => {
    const runtime = await Runtime.start();
    runtime.behaviour[MAIN] = MUTE;
    const client = await runtime.started([MAIN, BACKUP]);
    await runtime.pass(10 * SECOND - 1);
    assert.equal(client.state, 'connecting');
    await runtime.pass(2);
    assert.equal(client.state, 'open');
    assert.deepEqual(runtime.living.map(({ server }) => server), [BACKUP]);
  });

  it('takes a malformed URL for a server that cannot be reached', async () => {
    const runtime = await Runtime.start();
    runtime.behaviour['wss://exa%20mple'] = MALFORMED;
    const client = await runtime.started(['wss://exa mple?token=s3cret', MAIN]);
    assert.equal(client.state, 'open');
    assert.match(client.events[1].failure.reason, /^SyntaxError: Failed to construct/);
  });

  it('leaves a server that fails alone again only after three failures since it worked', async () => {
    const runtime = await Runtime.start();
    runtime.behaviour[MAIN] = REFUSED;
    const client = await runtime.started(MAIN);
    await runtime.pass(SECOND);
    assert.equal(runtime.sockets.length, 2);
    runtime.behaviour[MAIN] = UP;
    await runtime.pass(2 * SECOND);
    assert.equal(client.state, 'open');
    runtime.behaviour[MAIN] = REFUSED;
    runtime.sockets[2].closes(1006);
    await runtime.pass(4 * SECOND);
    assert.equal(runtime.sockets.length, 5, 'after 1 and after 2 more seconds');
  });

  it('wakes when the first server has rested, also where timers are early', async () => {
    const runtime = await Runtime.start();
    runtime.earlyMs = 0.9;
    runtime.behaviour[MAIN] = REFUSED;
    const client = await runtime.started(MAIN, { backoff: { first: SECOND, most: SECOND } });
    await runtime.pass(5 * SECOND);
    assert.equal(runtime.sockets.length, 3);
    await runtime.pass(28 * SECOND);
    assert.equal(runtime.sockets.length, 4);
    assert.equal(client.states().filter((state) => state === 'waiting').length, 4, 'in one pause');
  });

  it('hears nothing but the first word of a server that it looks for', async () => {
    const runtime = await Runtime.start();
    runtime.behaviour[MAIN] = REFUSED;
    const client = await runtime.started([MAIN, BACKUP]);
    runtime.behaviour[MAIN] = (socket) => socket.says({ type: 'error', data: { code: 'full' } });
    await runtime.pass(MINUTE);
    assert.equal(runtime.living.length, 2);
    assert.ok(!client.events.some(({ event }) => event === 'error'));
  });

  it('does not take its own look at the same server for somebody else with its id', async () => {
    const runtime = await Runtime.start();
    runtime.behaviour[MAIN] = REFUSED;
    const client = await runtime.started([MAIN, BACKUP]);
    runtime.behaviour[MAIN] = MUTE;
    await runtime.pass(MINUTE);
    const [backup, probe] = runtime.living;
    assert.deepEqual([backup.server, probe.server], [BACKUP, MAIN]);
    backup.closes(4001, 'Replaced by a newer connection');
    runtime.behaviour[MAIN] = UP;
    await runtime.pass(MINUTE);
    assert.equal(client.state, 'open');
    assert.equal(runtime.living.length, 1);
  });

  it('does not fall over what is no message', async () => {
    const runtime = await Runtime.start();
    const client = await runtime.started(MAIN);
    const told = client.events.length;
    for (const text of ['hello', 'null', '[]', '{"type":7}', '{"message":"Internal server error"}', '']) runtime.sockets[0].says(text);
    assert.equal(client.events.length, told);
    assert.equal(client.state, 'open');
  });
});

describe('the client module and tokens', () => {
  const texts = (client) => JSON.stringify(client.events);

  it('asks for a token at each dial, and for the URL that it is for', async () => {
    const runtime = await Runtime.start();
    const asked = [];
    const client = await runtime.started([MAIN, BACKUP], { token: (url) => `t${asked.push(url)}` });
    assert.equal(client.state, 'open');
    runtime.behaviour[MAIN] = REFUSED;
    runtime.sockets[0].closes(1006);
    await runtime.pass(2 * SECOND);
    assert.deepEqual(runtime.sockets.map(({ query }) => query.get('token')), ['t1', 't2', 't3']);
    assert.deepEqual(asked, [MAIN, MAIN, BACKUP]);
    await runtime.pass(61 * SECOND);
    assert.deepEqual(asked, [MAIN, MAIN, BACKUP, MAIN], 'also when it looks for the first');
  });

  it('waits for a token that has to be fetched, and dials without one where there is none', async () => {
    const runtime = await Runtime.start();
    let give;
    const client = await runtime.started(MAIN, { token: () => new Promise((resolve) => (give = resolve)) });
    await runtime.pass(SECOND);
    assert.deepEqual([client.state, runtime.sockets.length], ['connecting', 0]);
    give('a/b+c d');
    await settled();
    assert.equal(runtime.sockets[0].query.get('token'), 'a/b+c d');
    const other = await runtime.started(MAIN, { token: () => undefined });
    assert.equal(other.state, 'open');
    assert.equal(runtime.sockets[1].query.has('token'), false);
  });

  for (const [what, token, reason] of [
    ['cannot be had', () => Promise.reject(new Error('signed out')), /^Error: signed out$/],
    ['cannot be asked for', () => JSON.parse('oops'), /^SyntaxError: /],
    ['is no text', () => ({ token: 'x' }), /^TypeError: the token is not a string$/],
    ['never comes', () => new Promise(() => {}), /10000 ms/],
  ]) {
    it(`takes a token that ${what} for a failed dial`, async () => {
      const runtime = await Runtime.start();
      let isThere = false;
      const client = await runtime.started(MAIN, { token: (url) => (isThere ? 'good' : token(url)) });
      await runtime.pass(10 * SECOND + 1);
      const { failure } = client.events.find(({ state }) => state === 'waiting');
      assert.match(failure.reason, reason);
      assert.equal(runtime.sockets.length, 0);
      isThere = true;
      await runtime.pass(40 * SECOND);
      assert.equal(client.state, 'open');
    });
  }

  it('does not dial when the token comes after stop()', async () => {
    const runtime = await Runtime.start();
    let give;
    const client = await runtime.started(MAIN, { token: () => new Promise((resolve) => (give = resolve)) });
    client.stop();
    give('late');
    await runtime.pass(HOUR);
    assert.deepEqual([client.state, runtime.sockets.length], ['stopped', 0]);
  });

  it('never shows a token, wherever it comes from and whatever the runtime says of it', async () => {
    const runtime = await Runtime.start();
    const urls = [`${MAIN}/team?token=s3cret&x=y#s3cret`, 'wss://user:s3cret@backup.example/', 'wss://third.example?token=a s3cret'];
    for (const server of [`${MAIN}/team`, 'wss://user:s3cret@backup.example', 'wss://third.example']) runtime.behaviour[server] = MALFORMED;
    const client = await runtime.started(urls, { token: "it's a s3cret" });
    await runtime.pass(5 * MINUTE);
    assert.ok(client.events.length > 20);
    assert.ok(client.events.every(({ failure }) => failure === undefined || failure.reason.startsWith('SyntaxError')));
    assert.ok(!texts(client).includes('s3cret'), texts(client));
    assert.ok(texts(client).includes(`${MAIN}/team`), 'where it dials is told');
  });

  it('prefers its own peer id and token to those of the URL, and keeps the rest of it', async () => {
    const runtime = await Runtime.start();
    await runtime.started('https://main.example/team?x=y&peerId=other&token=old#part', { token: 'new', peerId: 'a'.repeat(40) });
    const [{ url, query }] = runtime.sockets;
    assert.ok(url.startsWith('wss://main.example/team?'), url);
    assert.deepEqual(['peerId', 'token', 'x'].map((name) => query.get(name)), ['a'.repeat(40), 'new', 'y']);
    assert.ok(!url.includes('#'));
  });
});

describe('the client module in React Native', () => {
  it('connects, tells, and is told', async () => {
    const runtime = await startReactNative();
    const client = await runtime.started('https://main.example?x=y', { token: 't&u' });
    assert.equal(client.state, 'open');
    assert.deepEqual([...runtime.sockets[0].query].sort(), [['peerId', client.peerId], ['token', 't&u'], ['x', 'y']].sort());
    assert.ok(runtime.sockets[0].url.startsWith('wss://main.example/?'), 'with a path, which not every one adds by itself');
    runtime.sockets[0].says({ type: 'offer', fromPeerId: 'p', data: 1 });
    assert.deepEqual(client.events.at(-1), { event: 'signal', type: 'offer', from: 'p', data: 1 });
  });

  it('takes a path, which means nothing there, for a server that cannot be reached', async () => {
    const runtime = await startReactNative();
    runtime.behaviour['/signaling'] = MALFORMED;
    const client = await runtime.started(['/signaling', MAIN]);
    assert.equal(client.state, 'open');
    assert.equal(client.events[1].failure.url, '/signaling');
  });

  it('says what is missing', async () => {
    const noCrypto = await Runtime.start({ crypto: undefined });
    assert.throws(() => noCrypto.client(MAIN), { name: 'TypeError', message: /crypto.getRandomValues is missing: give a peerId/ });
    assert.equal((await noCrypto.started(MAIN, { peerId: 'a'.repeat(40) })).state, 'open');
    const noSockets = await Runtime.start({ WebSocket: undefined });
    const client = noSockets.client(MAIN);
    assert.throws(() => client.start(), { name: 'TypeError', message: /WebSocket is missing/ });
    assert.equal(client.state, 'stopped');
  });
});

describe('the client module and the clock', () => {
  it('lets a server rest for as long as it should when the clock on the wall is set by seconds', async () => {
    const runtime = await Runtime.start();
    runtime.behaviour[MAIN] = REFUSED;
    await runtime.started(MAIN);
    await runtime.pass(5 * SECOND);
    runtime.wallOffset -= 20 * SECOND;
    await runtime.pass(29 * SECOND);
    assert.equal(runtime.sockets.length, 4);
  });

  for (const performance of [undefined, { now: undefined }, 'monotonic']) {
    const which = performance === 'monotonic' ? 'a monotonic one' : 'none but that on the wall';
    const start = () => Runtime.start(performance === 'monotonic' ? {} : { performance });

    it(`dials again in time when the clock is set back while all servers rest, with ${which}`, async () => {
      const runtime = await start();
      runtime.behaviour[MAIN] = REFUSED;
      const client = await runtime.started(MAIN);
      await runtime.pass(5 * SECOND);
      assert.equal(runtime.sockets.length, 3, 'now it rests');
      runtime.wallOffset -= HOUR;
      runtime.behaviour[MAIN] = UP;
      await runtime.pass(31 * SECOND);
      assert.equal(client.state, 'open');
    });

    it(`waits no longer when the clock is set back before the pause, with ${which}`, async () => {
      const runtime = await start();
      runtime.behaviour[MAIN] = REFUSED;
      runtime.behaviour[BACKUP] = REFUSED;
      const client = await runtime.started([MAIN, BACKUP]);
      for (let i = 0; i < 120; i += 1) {
        runtime.wallOffset -= HOUR;
        await runtime.pass(SECOND);
      }
      assert.ok(Math.max(...client.events.map(({ retryMs }) => retryMs ?? 0)) <= 30 * SECOND + 1);
      assert.ok(runtime.sockets.length > 8);
    });

    it(`notices a dead connection in time when the clock is set, with ${which}`, async () => {
      const runtime = await start();
      const client = await runtime.started(MAIN);
      runtime.sockets[0].isDead = true;
      runtime.wallOffset -= HOUR;
      await runtime.pass(30 * SECOND + 1);
      assert.deepEqual(runtime.sockets[0].types, ['announce', 'ping']);
      await runtime.pass(15 * SECOND);
      assert.equal(client.state, 'waiting');
    });

    it(`keeps a living connection when the clock is set forward, with ${which}`, async () => {
      const runtime = await start();
      const client = await runtime.started(MAIN);
      for (let i = 0; i < 10; i += 1) {
        runtime.wallOffset += HOUR;
        await runtime.pass(20 * SECOND);
      }
      assert.equal(client.state, 'open');
      assert.equal(runtime.sockets.length, 1);
    });
  }
});
