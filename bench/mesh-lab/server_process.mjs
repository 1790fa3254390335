// The server that is measured: a process that has the laboratory's time (virtual_clock.c).

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { freePort } from '../../tests/clients/server.mjs';
import { EPOCH_MS } from './clock.mjs';

const SOURCE = fileURLToPath(new URL('virtual_clock.c', import.meta.url));
const START_MS = 15_000;
const LOG_BYTES_KEPT = 4_000;
/** File descriptor of the server's, see virtual_clock.c. */
const CHANNEL = 3;
const TICKS_PER_SECOND = 100;
const HOST = '127.0.0.1';

/** Compiles virtual_clock.c into `folder`, and returns the path of the library. */
export function buildClock(folder) {
  const library = path.join(folder, 'virtual_clock.so');
  execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, SOURCE, '-ldl'], { stdio: ['ignore', 'ignore', 'inherit'] });
  return library;
}

export class ServerProcess {
  #command;
  #settings;
  #clock;
  #seed;
  #child = null;
  #channel = null;
  #turn = null;
  #log = '';
  #passed = 0;
  #cpuBefore = 0;

  /** `command`: words, without a shell. `settings`: of its environment. `clock`: the compiled virtual_clock.c. */
  constructor({ command, settings, clock, seed }) {
    this.#command = command.match(/"[^"]*"|'[^']*'|\S+/g).map((word) => word.replace(/^(["'])(.*)\1$/, '$2'));
    this.#settings = settings;
    this.#clock = clock;
    this.#seed = seed;
  }

  /** Starts it, again on its port if it has had one, and waits until it listens. */
  async start() {
    this.port ??= await freePort();
    this.url = `ws://${HOST}:${this.port}/`;
    const env = {
      PATH: process.env.PATH, HOST, PORT: String(this.port), ...this.#settings,
      LD_PRELOAD: this.#clock, VIRTUAL_CLOCK_EPOCH: String(EPOCH_MS), VIRTUAL_CLOCK_SEED: String(this.#seed),
    };
    const [program, ...words] = this.#command;
    const child = spawn(program, words, { env, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
    this.#child = child;
    child.once('error', (error) => this.#ended(child, String(error)));
    child.once('exit', (code, signal) => this.#ended(child, `it ended with ${code ?? signal}`));
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text) => { this.#log = (this.#log + text).slice(-LOG_BYTES_KEPT); });
    }
    const isIdle = new Promise((done, failed) => { this.#turn = { done, failed }; });
    this.#channel = child.stdio[CHANNEL];
    this.#channel.on('data', () => this.#turn?.done()).on('error', () => {});
    await this.#whileStarting(isIdle);
    for (;;) {
      await this.#whileStarting(this.turn(this.#passed));
      if (await accepts(this.port)) return;
      await delay(1);
    }
  }

  /** It goes on at `now`, in virtual milliseconds, until it has nothing to do. */
  turn(now) {
    this.#passed = now;
    if (!this.#child) return Promise.resolve();
    const nanoseconds = Buffer.alloc(8);
    nanoseconds.writeBigInt64LE(BigInt(Math.round(now * 1e6)));
    return new Promise((done, failed) => {
      this.#turn = { done, failed };
      this.#channel.write(nanoseconds);
    });
  }

  /** Ends it as a crash would. */
  async kill() {
    const child = this.#child;
    if (!child) return;
    this.#cpuBefore = this.cpuSeconds;
    this.#child = null;
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  get isRunning() {
    return this.#child !== null;
  }

  /** Seconds of processor time that it, and those before it, have used. */
  get cpuSeconds() {
    if (!this.#child) return this.#cpuBefore;
    const [, rest] = fs.readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8').split(') ');
    const ticks = rest.split(' ');
    return this.#cpuBefore + (Number(ticks[11]) + Number(ticks[12])) / TICKS_PER_SECOND;
  }

  #ended(child, how) {
    if (child !== this.#child) return;
    this.#child = null;
    this.#turn?.failed(new Error(`the server is gone: ${how}; it said: ${this.#log}`));
  }

  async #whileStarting(step) {
    const tooLong = () => new Error(
      `the server does not listen on port ${this.port} within ${START_MS / 1000} s, or does not take the time from a libc `
      + `that is linked dynamically: ${this.#command.join(' ')}; it said: ${this.#log}`,
    );
    const limit = new AbortController();
    const timer = delay(START_MS, null, { signal: limit.signal }).then(() => { throw tooLong(); }, () => {});
    await Promise.race([step, timer]);
    limit.abort();
  }
}

function accepts(port) {
  return new Promise((done) => {
    const socket = net.connect({ host: HOST, port });
    socket.once('connect', () => done(true)).once('error', () => done(false));
    socket.once('connect', () => socket.destroy());
  });
}
