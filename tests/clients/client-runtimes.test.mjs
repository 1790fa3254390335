// The client module on runtimes that differ: how a failed dial is told, what there is, how time and pages behave.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { setImmediate as settled } from 'node:timers/promises';

import { MUTE, ONLY_AN_ERROR, REFUSED, Runtime, UP, startPage, startReactNative, throwing } from './runtime.mjs';

const [MAIN, BACKUP] = ['wss://main.example', 'wss://backup.example'];
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** How a browser forbids a dial: the texts are those of Chromium and Firefox. */
const INSECURE = throwing('SecurityError', () => 'An insecure WebSocket connection may not be initiated from a page loaded over HTTPS.');
const MALFORMED = throwing('SyntaxError', (url) => `Failed to construct 'WebSocket': The URL '${url}' is invalid.`);

describe('the client module and a dial that fails', () => {
  for (const [how, behaviour] of Object.entries({ 'error and close': REFUSED, 'an error alone': ONLY_AN_ERROR, 'an exception': INSECURE })) {
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
    ['is no text', () => ({ token: 'x' }), /^TypeError: the token is no text$/],
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

describe('the client module as frameworks use it', () => {
  it('dials once when it is started, stopped and started in one tick', async () => {
    const runtime = await startPage();
    const client = runtime.client([MAIN, BACKUP]);
    client.start();
    const listeners = runtime.listeners();
    client.stop();
    client.start();
    await settled();
    assert.deepEqual(client.states(), ['connecting', 'stopped', 'connecting', 'open']);
    assert.deepEqual(runtime.sockets.map(({ server }) => server), [MAIN]);
    assert.deepEqual(runtime.sockets[0].types, ['announce']);
    assert.equal(runtime.listeners(), listeners);
    assert.ok(listeners > 0);
  });

  it('has nothing left when it is stopped, whatever it was doing', async () => {
    const doings = { open: UP, waiting: REFUSED, connecting: MUTE };
    for (const [state, behaviour] of Object.entries(doings)) {
      const runtime = await startPage();
      runtime.behaviour[MAIN] = behaviour;
      const client = await runtime.started(MAIN);
      assert.equal(client.state, state);
      client.stop();
      const told = client.events.length;
      for (const socket of runtime.sockets) {
        socket.says({ type: 'connected' });
        socket.says({ type: 'offer', fromPeerId: 'p' });
        socket.tells('error', {});
        socket.closes(1006);
      }
      await runtime.page.tell('online');
      await runtime.pass(HOUR);
      assert.equal(client.events.length, told, `events after stop() while ${state}`);
      assert.deepEqual([runtime.listeners(), runtime.pendingTimers, runtime.living.length], [0, 0, 0], state);
    }
  });

  it('leaves no look for an earlier server behind when it is stopped', async () => {
    const runtime = await Runtime.start();
    runtime.behaviour[MAIN] = REFUSED;
    const client = await runtime.started([MAIN, BACKUP]);
    runtime.behaviour[MAIN] = MUTE;
    await runtime.pass(MINUTE);
    assert.equal(runtime.living.length, 2);
    client.stop();
    assert.equal(runtime.living.length, 0);
    assert.equal(runtime.pendingTimers, 0);
  });

  it('tells of stop() once, and does nothing at a second one or a second start()', async () => {
    const runtime = await Runtime.start();
    const client = runtime.client(MAIN);
    client.stop();
    client.start();
    client.start();
    await settled();
    client.stop();
    client.stop();
    assert.deepEqual(client.states(), ['connecting', 'open', 'stopped']);
    assert.equal(runtime.sockets.length, 1);
    assert.deepEqual(runtime.sockets[0].types, ['announce', 'goodbye']);
  });

  it('starts with the first server after stop(), even one that rested', async () => {
    const runtime = await Runtime.start();
    runtime.behaviour[MAIN] = REFUSED;
    const client = await runtime.started(MAIN);
    await runtime.pass(5 * SECOND);
    client.stop();
    runtime.behaviour[MAIN] = UP;
    client.start();
    await settled();
    assert.equal(client.state, 'open');
  });

  it('is as eager after stop() and start() as at first', async () => {
    const runtime = await Runtime.start();
    runtime.behaviour[MAIN] = REFUSED;
    const client = await runtime.started(MAIN, { breaker: { failures: 1_000 } });
    await runtime.pass(5 * MINUTE);
    assert.ok(client.events.at(-1).retryMs > 20 * SECOND);
    client.stop();
    client.start();
    await settled();
    assert.ok(client.events.at(-1).retryMs <= SECOND);
  });

  it('does not tell a listener that another one has just removed', async () => {
    const runtime = await Runtime.start();
    const client = new runtime.SignalingClient(MAIN);
    const second = () => assert.fail('it was removed');
    client.addEventListener('state', () => client.removeEventListener('state', second));
    client.addEventListener('state', second);
    client.start();
    await runtime.pass(SECOND);
    assert.deepEqual(runtime.uncaught, []);
    assert.equal(client.state, 'open');
  });

  for (const when of ['connecting', 'open', 'waiting']) {
    it(`stays stopped when a listener stops it at the state ${when}`, async () => {
      const runtime = await startPage();
      runtime.behaviour[MAIN] = when === 'waiting' ? REFUSED : UP;
      const client = new runtime.SignalingClient(MAIN);
      const told = [];
      client.addEventListener('state', ({ detail }) => detail.state === when && client.stop());
      client.addEventListener('state', ({ detail }) => told.push(detail.state));
      client.start();
      await runtime.pass(HOUR);
      assert.equal(client.state, 'stopped');
      assert.equal(told.at(-1), 'stopped', 'nobody is told of an older state after it');
      assert.deepEqual([runtime.living.length, runtime.pendingTimers, runtime.listeners()], [0, 0, 0]);
    });
  }

  it('tells the others when one listener throws, and goes on', async () => {
    const runtime = await Runtime.start();
    const client = new runtime.SignalingClient(MAIN);
    const states = [];
    client.addEventListener('state', () => {
      throw new Error('a bug of the app');
    });
    client.addEventListener('state', { handleEvent: ({ detail }) => states.push(detail.state) });
    client.start();
    await runtime.pass(1);
    assert.deepEqual(states, ['connecting', 'open']);
    assert.deepEqual(runtime.uncaught.map(({ message }) => message), ['a bug of the app', 'a bug of the app']);
  });

  it('listens as an EventTarget does', async () => {
    const runtime = await Runtime.start();
    const client = new runtime.SignalingClient(MAIN);
    const told = [];
    const abort = new AbortController();
    const listener = (event) => told.push(['twice', event.type, event.detail.state, event.target === client]);
    client.addEventListener('state', listener);
    client.addEventListener('state', listener);
    client.addEventListener('state', ({ detail }) => told.push(['once', detail.state]), { once: true });
    client.addEventListener('state', ({ detail }) => told.push(['signal', detail.state]), { signal: abort.signal });
    client.addEventListener('state', () => told.push('never'), { signal: AbortSignal.abort() });
    client.addEventListener('state', null);
    const first = once(client, 'state');
    client.start();
    abort.abort();
    client.removeEventListener('state', listener);
    assert.equal((await first)[0].detail.state, 'connecting');
    await settled();
    assert.equal(client.state, 'open');
    assert.deepEqual(told, [['twice', 'state', 'connecting', true], ['once', 'connecting'], ['signal', 'connecting']]);
  });

  it('is told at once of a mistake in what it is given', async () => {
    const runtime = await Runtime.start();
    for (const urls of [[], '', undefined, [MAIN, null]]) {
      assert.throws(() => runtime.client(urls), { message: 'the URL of a server is missing' });
    }
    assert.throws(() => runtime.client(MAIN, { dialTimeout: NaN }), { message: 'dialTimeout is NaN; a number from 0 is allowed' });
    assert.throws(() => runtime.client(MAIN, { backoff: { first: '1s' } }), { message: 'first is 1s; a number from 0 is allowed' });
    const loop = {};
    loop.loop = loop;
    assert.throws(() => runtime.client(MAIN, { data: loop }), { name: 'TypeError' });
    const client = await runtime.started(MAIN, { data: { name: 'a' } });
    assert.throws(() => client.announce(loop), { name: 'TypeError' });
    runtime.sockets[0].closes(1006);
    await runtime.pass(SECOND);
    assert.deepEqual(runtime.sockets.map(({ sent }) => sent[0].data), [{ name: 'a' }, { name: 'a' }], 'what was wrong changes nothing');
  });

  it('takes defaults for what is missing, and a time without end for a long one', async () => {
    const runtime = await Runtime.start();
    runtime.behaviour[MAIN] = REFUSED;
    const options = { network: undefined, dialTimeout: Infinity, returnInterval: Infinity, silence: { ping: 20 * SECOND }, backoff: { first: undefined } };
    const client = await runtime.started([MAIN, BACKUP], options);
    assert.equal(runtime.living[0].sent[0].networkName, 'global');
    await runtime.pass(HOUR);
    assert.equal(client.state, 'open');
    assert.equal(runtime.sockets.length, 2, 'it never looks back');
  });
});

describe('the client module in a page that sleeps', () => {
  const wakings = {
    'is frozen and resumed': [['document', 'resume']],
    'comes back from the cache': [['page', 'pageshow']],
    'is seen again': [['document', 'visibilitychange']],
    'is online again': [['page', 'online']],
    'is told several ways': [['document', 'visibilitychange'], ['page', 'online'], ['document', 'resume']],
  };
  for (const [what, events] of Object.entries(wakings)) {
    it(`notices a dead connection within seconds when it ${what}`, async () => {
      const runtime = await startPage();
      const client = await runtime.started(MAIN);
      runtime.sockets[0].isDead = true;
      await runtime.pass(SECOND);
      for (const [where, type] of events) await runtime[where].tell(type);
      assert.deepEqual(runtime.sockets[0].types, ['announce', 'ping'], 'it asks, once');
      await runtime.pass(5 * SECOND);
      assert.equal(client.state, 'waiting');
      await runtime.pass(SECOND);
      assert.equal(client.state, 'open');
    });

    it(`keeps a connection that answers when it ${what}`, async () => {
      const runtime = await startPage();
      const client = await runtime.started(MAIN);
      for (const [where, type] of events) await runtime[where].tell(type);
      await runtime.pass(20 * SECOND);
      assert.equal(client.state, 'open');
      assert.equal(runtime.sockets.length, 1);
    });

    it(`dials at once when it waits and ${what}`, async () => {
      const runtime = await startPage();
      runtime.behaviour[MAIN] = REFUSED;
      const client = await runtime.started(MAIN);
      await runtime.pass(5 * SECOND);
      assert.ok(client.events.at(-1).retryMs > 10 * SECOND, 'it rests');
      runtime.behaviour[MAIN] = UP;
      for (const [where, type] of events) await runtime[where].tell(type);
      assert.equal(client.state, 'open');
      assert.equal(runtime.living.length, 1);
    });
  }

  it('notices it sooner even if it has just asked by itself', async () => {
    const runtime = await startPage();
    const client = await runtime.started(MAIN);
    runtime.sockets[0].isDead = true;
    await runtime.pass(30 * SECOND + 1);
    client.wake();
    await runtime.pass(5 * SECOND);
    assert.equal(client.state, 'waiting');
  });

  it('does nothing when it is hidden', async () => {
    const runtime = await startPage();
    await runtime.started(MAIN);
    runtime.document.visibilityState = 'hidden';
    await runtime.document.tell('visibilitychange');
    assert.deepEqual(runtime.sockets[0].types, ['announce']);
  });

  for (const [away, back] of [
    [['document', 'freeze'], ['document', 'resume']],
    [['page', 'pagehide'], ['page', 'pageshow']],
  ]) {
    it(`says goodbye at ${away[1]} and connects again at ${back[1]}`, async () => {
      const runtime = await startPage();
      const client = await runtime.started(MAIN);
      await runtime[away[0]].tell(away[1]);
      assert.deepEqual(runtime.sockets[0].types, ['announce', 'goodbye']);
      assert.equal(client.state, 'suspended');
      assert.deepEqual([runtime.living.length, runtime.pendingTimers], [0, 0], 'nothing keeps the page from sleeping');
      await runtime.pass(HOUR);
      assert.equal(runtime.sockets.length, 1);
      await runtime[back[0]].tell(back[1]);
      assert.equal(client.state, 'open');
      assert.equal(runtime.living.length, 1);
    });

    it(`stays stopped at ${away[1]} and ${back[1]}`, async () => {
      const runtime = await startPage();
      const client = await runtime.started(MAIN);
      await runtime[away[0]].tell(away[1]);
      client.stop();
      assert.equal(client.state, 'stopped');
      await runtime[back[0]].tell(back[1]);
      assert.deepEqual(client.states().slice(-2), ['suspended', 'stopped']);
      assert.equal(runtime.sockets.length, 1);
    });
  }
});
