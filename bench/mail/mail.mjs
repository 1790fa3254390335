#!/usr/bin/env node
// What mail costs the server, kept in its memory and in a PostgreSQL database; and what a database that
// is paused costs those who need no mail.
//
// Usage: mail.mjs --server SERVER [--mails N] [--json FILE]
//
// It starts a database of its own in a temporary folder (Debian's package `postgresql`). The client is one
// Node process: what it sends and reads is not counted; the processor's time is read from /proc of the
// server.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const require = createRequire(new URL('../../tests/clients/package.json', import.meta.url));
const { WebSocket } = require('ws');

const { values: options } = parseArgs({
  options: {
    server: { type: 'string' },
    mails: { type: 'string', default: '20000' },
    json: { type: 'string' },
  },
});
if (!options.server) throw new Error('--server is needed');

/** So many signals wait for one peer, within the limits of a mailbox. */
const PER_PEER = 50;
const DATA = { candidate: 'x'.repeat(200) };
const NETWORK = 'mail';

const id = (number) => number.toString(16).padStart(40, '0');

/** A server with this store, and what its processor has been given so far. */
async function start(store) {
  const env = {
    PATH: process.env.PATH,
    HOST: '127.0.0.1',
    PORT: '0',
    MESSAGE_RATE: '0',
    BYTE_RATE: '0',
    MAX_CONNECTIONS: '10000',
    MAX_HANDSHAKES: '10000',
    MAILBOX_TOTAL_BYTES: '1073741824',
    ...(store && { MAIL_STORE: store, MAIL_STORE_TIMEOUT: '5000' }),
  };
  const child = spawn(options.server, [], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  const told = (text) =>
    new Promise((resolve, reject) => {
      const look = (chunk) => {
        log += chunk ?? '';
        if (text.test(log)) resolve(log.match(text));
      };
      child.stderr.on('data', look);
      child.once('exit', () => reject(new Error(`the server has ended: ${log}`)));
      look();
    });
  const [, port] = await told(/http:\/\/127\.0\.0\.1:(\d+)/);
  if (store) await told(/mail store up/);
  if (process.env.SHOW_LOG) child.stderr.pipe(process.stderr);
  return { child, url: `ws://127.0.0.1:${port}`, micros: () => micros(child.pid) };
}

/** Processor time of a process, user and system, in µs. */
function micros(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  // utime and stime, in hundredths of a second.
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

class Page {
  constructor(url, number) {
    this.id = id(number);
    this.signals = 0;
    this.waiting = new Map();
    this.socket = new WebSocket(`${url}/?peerId=${this.id}`, { perMessageDeflate: false });
    this.socket.on('message', (data) => {
      const message = JSON.parse(data);
      if (message.type === 'ice-candidate') {
        this.signals += 1;
        this.onSignal?.(message);
      }
      if (message.type === 'pong') this.onPong?.();
    });
  }

  async join() {
    await once(this.socket, 'open');
    this.say({ type: 'announce', data: {} });
    await this.ping();
    return this;
  }

  say(message) {
    this.socket.send(JSON.stringify({ networkName: NETWORK, ...message }));
  }

  /** Until everything before it was handled. */
  ping() {
    return new Promise((resolve) => {
      this.onPong = resolve;
      this.say({ type: 'ping', data: {} });
    });
  }

  signal(to, data = DATA) {
    this.say({ type: 'ice-candidate', data, targetPeerId: to });
  }

  async vanish() {
    this.socket.terminate();
    await once(this.socket, 'close');
  }

  /** Until so many signals have come. */
  async heard(count) {
    if (this.signals >= count) return;
    await new Promise((resolve) => {
      this.onSignal = () => this.signals >= count && resolve();
    });
  }
}

/** Mails per second and µs of the processor per mail, to put and to take. */
async function mails(store) {
  const server = await start(store);
  const count = Math.ceil(options.mails / PER_PEER);
  const sender = await new Page(server.url, 1).join();
  const absent = await Promise.all(
    Array.from({ length: count }, (_, i) => new Page(server.url, 1000 + i).join()),
  );
  await Promise.all(absent.map((page) => page.vanish()));
  await sender.ping();

  const measure = async (work) => {
    const [since, micros] = [performance.now(), server.micros()];
    await work();
    const [seconds, used] = [(performance.now() - since) / 1000, server.micros() - micros];
    return { perSecond: (count * PER_PEER) / seconds, micros: used / (count * PER_PEER) };
  };
  const put = await measure(async () => {
    for (const page of absent) {
      for (let i = 0; i < PER_PEER; i += 1) sender.signal(page.id);
      // Not faster than they can go to the store.
      await sender.ping();
    }
    while (store && (await pending(server.url)) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  });
  const take = await measure(async () => {
    for (let i = 0; i < count; i += 20) {
      const back = absent.slice(i, i + 20).map((page) => new Page(server.url, parseInt(page.id, 16)));
      await Promise.all(back.map((page) => page.join()));
      await Promise.all(back.map((page) => page.heard(PER_PEER)));
      await Promise.all(back.map((page) => page.vanish()));
    }
  });
  server.child.kill();
  await once(server.child, 'exit');
  return { put, take };
}

/** Mails that wait in the process. */
async function pending(url) {
  const stats = await fetch(`${url.replace('ws:', 'http:')}/stats`);
  const { messageQueueSize } = await stats.json();
  return messageQueueSize;
}

/** ms of one hop between two peers that are there, while somebody announces itself ten times a second. */
async function hops(server, during) {
  const [a, b] = await Promise.all([new Page(server.url, 1).join(), new Page(server.url, 2).join()]);
  const times = [];
  for (let i = 0; i < 5_000; i += 1) {
    const since = performance.now();
    const heard = b.heard(i + 1);
    a.signal(b.id, { i });
    await heard;
    times.push(performance.now() - since);
    if (i % 50 === 0) during?.(i);
  }
  times.sort((x, y) => x - y);
  await Promise.all([a.vanish(), b.vanish()]);
  return { median: times[times.length >> 1], p99: times[Math.floor(times.length * 0.99)] };
}

/** The processes of a database: the first one and its children. */
function processes(pid) {
  const children = readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1].split(' ')[1] === pid;
    } catch {
      return false;
    }
  });
  return [pid, ...children].map(Number);
}

async function paused(url, pid) {
  const server = await start(url);
  const announce = (i) => void new Page(server.url, 10_000 + i).join();
  const before = await hops(server, announce);
  const stopped = processes(pid);
  stopped.forEach((pid) => process.kill(pid, 'SIGSTOP'));
  const meanwhile = await hops(server, announce).finally(() => {
    stopped.forEach((pid) => process.kill(pid, 'SIGCONT'));
  });
  server.child.kill();
  await once(server.child, 'exit');
  return { before, meanwhile };
}

/** A database in a folder of its own, as long as this process lives. It does not run as root. */
async function database() {
  const versions = readdirSync('/usr/lib/postgresql').sort((a, b) => a - b);
  const bin = join('/usr/lib/postgresql', versions.at(-1), 'bin');
  const folder = mkdtempSync(join(tmpdir(), 'mail-'));
  const isRoot = userInfo().uid === 0;
  const [command, ...before] = isRoot
    ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups']
    : ['env'];
  if (isRoot) {
    const [, , uid, gid] = execFileSync('getent', ['passwd', 'postgres'], { encoding: 'utf8' }).split(':');
    chownSync(folder, Number(uid), Number(gid));
  }
  const data = join(folder, 'data');
  const init = [...before, join(bin, 'initdb'), '-D', data, '-A', 'trust', '-U', 'mail', '--no-sync'];
  execFileSync(command, init, { stdio: 'ignore' });
  const run = ['-D', data, '-k', folder, '-c', 'listen_addresses='];
  const child = spawn(command, [...before, join(bin, 'postgres'), ...run], { stdio: ['ignore', 'ignore', 'pipe'] });
  await new Promise((resolve, reject) => {
    child.stderr.on('data', (text) => `${text}`.includes('ready to accept connections') && resolve());
    child.once('exit', () => reject(new Error('the database has ended')));
  });
  const end = async () => {
    child.removeAllListeners('exit');
    child.kill('SIGINT');
    await once(child, 'exit');
    rmSync(folder, { recursive: true });
  };
  const url = `postgres://mail@/postgres?host=${encodeURIComponent(folder)}&sslmode=disable`;
  return { url, pid: String(child.pid), end };
}

const result = { memory: await mails() };
const { url, pid, end } = await database();
try {
  result.postgres = await mails(url);
  result.paused = await paused(url, pid);
} finally {
  await end();
}
const row = (name, { put, take }) =>
  `| ${name} | ${Math.round(put.perSecond)} | ${put.micros.toFixed(1)} | ${Math.round(take.perSecond)} | ${take.micros.toFixed(1)} |`;
console.log('| mail kept in | put/s | CPU µs per put | taken/s | CPU µs per mail taken |\n| --- | --: | --: | --: | --: |');
for (const name of ['memory', 'postgres']) console.log(row(name, result[name]));
const { before, meanwhile } = result.paused;
console.log(
  `\none hop, ms: p50 ${before.median.toFixed(3)}, p99 ${before.p99.toFixed(3)}; while the database is paused: p50 ${meanwhile.median.toFixed(3)}, p99 ${meanwhile.p99.toFixed(3)}`,
);
if (options.json) writeFileSync(options.json, `${JSON.stringify(result)}\n`);
process.exit(0);
