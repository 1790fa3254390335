// The client module as frameworks start and stop it, with what it is given, and in pages that sleep.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { setImmediate as settled } from 'node:timers/promises';

import { MUTE, REFUSED, Runtime, UP, startPage } from './runtime.mjs';

const [MAIN, BACKUP] = ['wss://main.example', 'wss://backup.example'];
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

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
    assert.throws(() => runtime.client(MAIN, { backoff: { first: '1s' } }), { message: 'backoff.first is 1s; a number from 0 is allowed' });
    const message = 'silence.gone is 45000; more than silence.ping, 60000, is allowed';
    assert.throws(() => runtime.client(MAIN, { silence: { ping: MINUTE } }), { message });
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
    const endless = { dialTimeout: Infinity, returnInterval: Infinity };
    const options = { ...endless, network: undefined, silence: { ping: 20 * SECOND }, backoff: { first: undefined } };
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
