#!/usr/bin/env node
// What a signal and a join cost where peers are at different nodes, beside one node alone and beside Redis
// alone (PUBLISH and SUBSCRIBE of as many bytes, without any of our code).
//
// Usage: cluster.mjs --server SERVER [--signals N] [--peers N] [--runs N] [--json FILE]
//
// It starts a Redis of its own (Debian's package `redis-server`) without persistence. The clients are this
// Node process: what it sends and reads is not counted; the processor's time of the servers and of Redis is
// read from /proc. Everything shares the processors of one machine, so no figure of throughput is given.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const require = createRequire(new URL('../../tests/clients/package.json', import.meta.url));
const { WebSocket } = require('ws');

const { values: options } = parseArgs({
  options: {
    server: { type: 'string' },
    signals: { type: 'string', default: '100000' },
    peers: { type: 'string', default: '500' },
    runs: { type: 'string', default: '5' },
    json: { type: 'string' },
  },
});
if (!options.server) throw new Error('--server is needed');

const DATA = { candidate: 'x'.repeat(200) };
const id = (number) => number.toString(16).padStart(40, '0');

/** Processor time of a process, user and system, in µs. */
function micros(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  // utime and stime, in hundredths of a second.
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** A Redis in a folder of its own. */
async function startRedis() {
  const folder = mkdtempSync(join(tmpdir(), 'peerpigeon-bench-'));
  const port = await freePort();
  const words = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  const child = spawn('redis-server', words.map(String), { stdio: 'ignore' });
  process.once('exit', () => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const is_up = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (is_up) return { child, port, url: `redis://127.0.0.1:${port}` };
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function startNode(cluster) {
  const env = {
    PATH: process.env.PATH,
    HOST: '127.0.0.1',
    PORT: '0',
    MESSAGE_RATE: '0',
    BYTE_RATE: '0',
    MAX_CONNECTIONS: '10000',
    MAX_HANDSHAKES: '10000',
    ...(cluster && { CLUSTER: cluster }),
  };
  const child = spawn(options.server, [], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  const [, port] = await new Promise((resolve, reject) => {
    child.stderr.on('data', (chunk) => {
      log += chunk;
      const found = log.match(/http:\/\/127\.0\.0\.1:(\d+)/);
      if (found) resolve(found);
    });
    child.once('exit', () => reject(new Error(`the server has ended: ${log}`)));
  });
  return { child, http: `http://127.0.0.1:${port}`, url: `ws://127.0.0.1:${port}` };
}

/** So many nodes that know each other. */
async function startCluster(redis, count) {
  const nodes = await Promise.all(Array.from({ length: count }, () => startNode(redis?.url)));
  for (const node of nodes) {
    for (;;) {
      const { cluster } = await (await fetch(`${node.http}/health`)).json();
      if (!redis || cluster.nodes === count - 1) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  return nodes;
}

async function stop(nodes) {
  nodes.forEach((node) => node.child.kill('SIGKILL'));
  await Promise.all(nodes.map((node) => once(node.child, 'exit')));
}

class Page {
  constructor(node, number) {
    this.id = id(number);
    this.known = new Set();
    this.socket = new WebSocket(`${node.url}/?peerId=${this.id}`, { perMessageDeflate: false });
    this.socket.on('message', (data) => {
      const message = JSON.parse(data);
      if (message.type === 'ice-candidate') this.onSignal?.();
      if (message.type === 'peer-discovered') {
        this.known.add(message.data.peerId);
        this.onMeeting?.();
      }
      if (message.type === 'pong') this.onPong?.();
    });
  }

  async open() {
    await once(this.socket, 'open');
    return this;
  }

  announce() {
    this.say({ type: 'announce', data: {} });
  }

  say(message) {
    this.socket.send(JSON.stringify({ networkName: 'bench', ...message }));
  }

  ping() {
    return new Promise((resolve) => {
      this.onPong = resolve;
      this.say({ type: 'ping', data: {} });
    });
  }

  async meets(other) {
    while (!this.known.has(other.id)) await new Promise((resolve) => (this.onMeeting = resolve));
  }
}

const spread = (times) => {
  times.sort((x, y) => x - y);
  return { median: times[times.length >> 1] * 1000, p99: times[Math.floor(times.length * 0.99)] * 1000 };
};

/** Signals from one page to the other: µs of each process with 16 in flight, and of the hop with one. */
async function signals(redis, count) {
  const nodes = await startCluster(redis, count);
  const [a, b] = [new Page(nodes[0], 1), new Page(nodes[count - 1], 2)];
  await Promise.all([a.open(), b.open()]);
  a.announce();
  b.announce();
  await b.meets(a);
  const send = () => a.say({ type: 'ice-candidate', data: DATA, targetPeerId: b.id });

  const times = [];
  for (let i = 0; i < 5_000; i += 1) {
    const since = performance.now();
    const heard = new Promise((resolve) => (b.onSignal = resolve));
    send();
    await heard;
    if (i >= 500) times.push(performance.now() - since);
  }
  const pids = [...nodes.map((node) => node.child.pid), ...(redis ? [redis.child.pid] : [])];
  const before = pids.map(micros);
  await new Promise((resolve) => {
    let [sent, heard] = [0, 0];
    b.onSignal = () => {
      heard += 1;
      if (heard === Number(options.signals)) resolve();
      else if (heard % 16 === 0) for (let i = 0; i < 16 && sent < options.signals; i += 1, sent += 1) send();
    };
    for (; sent < 16; sent += 1) send();
  });
  const used = pids.map((pid, i) => (micros(pid) - before[i]) / options.signals);
  await stop(nodes);
  return { nodes: used.slice(0, count).reduce((x, y) => x + y), redis: used[count] ?? 0, hop: spread(times) };
}

/** The same bytes through Redis and nothing else. */
async function bare(redis) {
  const payload = 'x'.repeat(330);
  const words = (...all) => `*${all.length}\r\n${all.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
  const [from, to] = [connect(redis.port, '127.0.0.1'), connect(redis.port, '127.0.0.1')];
  from.setNoDelay();
  from.resume();
  let onBytes;
  to.on('data', (chunk) => onBytes?.(chunk.length));
  to.write(words('SUBSCRIBE', 'bench'));
  await new Promise((resolve) => (onBytes = resolve));
  const message = words('PUBLISH', 'bench', payload);
  const size = words('message', 'bench', payload).length;
  const times = [];
  const publish = async (times_in_flight) => {
    let missing = size * times_in_flight;
    const came = new Promise((resolve) => {
      onBytes = (length) => {
        missing -= length;
        if (missing <= 0) resolve();
      };
    });
    from.write(message.repeat(times_in_flight));
    await came;
  };
  for (let i = 0; i < 5_000; i += 1) {
    const since = performance.now();
    await publish(1);
    if (i >= 500) times.push(performance.now() - since);
  }
  const before = micros(redis.child.pid);
  for (let sent = 0; sent < options.signals; sent += 16) await publish(16);
  const used = (micros(redis.child.pid) - before) / options.signals;
  from.destroy();
  to.destroy();
  return { redis: used, hop: spread(times) };
}

/** µs of all nodes together for each peer that comes and goes, spread over them. */
async function joins(redis, count) {
  const nodes = await startCluster(redis, count);
  const before = nodes.map((node) => micros(node.child.pid));
  const rounds = 4;
  for (let round = 0; round < rounds; round += 1) {
    const pages = Array.from({ length: options.peers }, (_, i) => new Page(nodes[i % count], 1 + i));
    await Promise.all(pages.map((page) => page.open()));
    pages.forEach((page) => page.announce());
    await Promise.all(pages.map((page) => page.ping()));
    pages.forEach((page) => page.socket.terminate());
    await Promise.all(pages.map((page) => once(page.socket, 'close')));
    for (const node of nodes) {
      while ((await (await fetch(`${node.http}/health`)).json()).cluster.remotePeers > 0);
    }
  }
  const used = nodes.map((node, i) => micros(node.child.pid) - before[i]).reduce((x, y) => x + y);
  await stop(nodes);
  return used / (rounds * options.peers);
}

const redis = await startRedis();
const runs = [];
for (let run = 0; run < options.runs; run += 1) {
  runs.push({
    local: await signals(undefined, 1),
    across: await signals(redis, 2),
    bare: await bare(redis),
    one: await joins(undefined, 1),
    three: await joins(redis, 3),
  });
}

/** The median of what a run says, and the range over all of them. */
function all(of, digits) {
  const values = runs.map(of).sort((x, y) => x - y);
  const [least, median, most] = [values[0], values[values.length >> 1], values.at(-1)];
  return `${median.toFixed(digits)} (${least.toFixed(digits)} to ${most.toFixed(digits)})`;
}
const row = (name, nodes, redis, hop) => {
  const hops = [all((run) => hop(run).median, 0), all((run) => hop(run).p99, 0)];
  console.log(`| ${[name, nodes ? all(nodes, 2) : '', redis ? all(redis, 2) : '', ...hops].join(' | ')} |`);
};
console.log('| a signal of 250 B | nodes, CPU µs | Redis, CPU µs | one hop, median µs | 99 % |');
console.log('| --- | --- | --- | --- | --- |');
row('between peers of one node', (run) => run.local.nodes, undefined, (run) => run.local.hop);
row(
  'between peers of two nodes',
  (run) => run.across.nodes,
  (run) => run.across.redis,
  (run) => run.across.hop,
);
row('Redis alone, the same bytes', undefined, (run) => run.bare.redis, (run) => run.bare.hop);
console.log(`CPU across, of one node: ${all((run) => run.across.nodes / run.local.nodes, 2)} times`);
console.log(`join and leave, CPU µs with one node: ${all((run) => run.one, 0)}`);
console.log(`with three, all together: ${all((run) => run.three, 0)}`);
if (options.json) writeFileSync(options.json, `${JSON.stringify(runs, null, 2)}\n`);
process.exit(0);
