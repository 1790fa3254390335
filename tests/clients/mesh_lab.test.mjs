// Crowds of the library's own objects before the server under test, in the mesh laboratory: bench/mesh-lab/README.md.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Page } from '../../bench/mesh-lab/page.mjs';
import { generator, isPairOfShare } from '../../bench/mesh-lab/random.mjs';
import { buildClock } from '../../bench/mesh-lab/server_process.mjs';
import { meanAndError } from '../../bench/mesh-lab/statistics.mjs';
import { serverCommand } from './server.mjs';

// What fifty pages with three links each must come to before this server.
const EXPECTED = 'one-piece>=96,outside<=0.1,lone<=0.1,never-linked<=0.1,frames<=140,links-per-peer>=2.8';

const LAB = fileURLToPath(new URL('../../bench/mesh-lab/mesh_lab.mjs', import.meta.url));
const BENCH = fileURLToPath(new URL('../../bench/mesh-lab/bench.mjs', import.meta.url));
const NPM_SERVER = fileURLToPath(new URL('../../bench/mesh-lab/npm_server.mjs', import.meta.url));
const PACKAGES = fileURLToPath(new URL('./node_modules', import.meta.url));
const STEP_MS = 50;
const LATENCY_MS = 50;

/** Prints the time, and what it has drawn. */
const DRAW = `
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
int main(void) {
  struct timespec now;
  unsigned long drawn;
  clock_gettime(CLOCK_REALTIME, &now);
  getrandom(&drawn, sizeof drawn, 0);
  printf("%ld.%09ld %lx", (long)now.tv_sec, now.tv_nsec, drawn);
}`;

const words = (list) => list.map((word) => `"${word}"`).join(' ');
const OURS = ['--server', words(serverCommand())];
const NPM = words([process.execPath, NPM_SERVER, join(PACKAGES, 'peerpigeon-1.1.3')]);
const SMALL = ['--warm-up', '60', '--watch', '120'];
const PEERS = 12;
/** Nobody leaves. */
const FOR_EVER = ['--life', '1000000'];

let folder;
let calls = 0;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mesh-lab-test-'));
});
after(() => rm(folder, { recursive: true }));

/** Calls the laboratory; its exit status, what it wrote, and one result for each run. */
async function lab(...flags) {
  calls += 1;
  const json = join(folder, `${calls}.json`);
  const ended = await run(LAB, ...flags, '--json', json);
  const lines = await readFile(json, 'utf8').catch(() => '');
  return { ...ended, results: lines.split('\n').filter(Boolean).map((line) => JSON.parse(line)) };
}

/** Runs a program to its end; its exit status, and what it wrote. */
async function run(file, ...flags) {
  const child = spawn(process.execPath, [file, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name].on('data', (text) => { written[name] += text; });
  const [status] = await once(child, 'close');
  return { status, ...written };
}

/** A small crowd. */
const small = (...flags) => lab(...SMALL, ...(flags.includes('--peers') ? [] : ['--peers', String(PEERS)]), ...flags);

/** The result of one small run that must have gone well. */
async function measure(...flags) {
  const { status, stderr, results } = await small(...OURS, ...flags);
  assert.equal(status, 0, stderr);
  assert.equal(results.length, 1);
  return results[0];
}

describe('fifty pages of 1.1.3 with three links each', () => {
  it('build the mesh that is expected of this server', async (test) => {
    const crowd = ['--peers', '50', '--warm-up', '180', '--watch', '300'];
    const { status, stdout, stderr, results } = await lab(...OURS, ...crowd, '--expect', EXPECTED);
    test.diagnostic(stdout);
    assert.equal(status, 0, stderr);
    assert.ok(results[0].relays.n > 100, 'offers were relayed');
  });
});

describe('a run', () => {
  it('is the same with the same seed, and another one with another seed', async () => {
    const { status, stderr, results } = await small(...OURS, '--drops', '20', '--runs', '2', '--parallel', '2');
    assert.equal(status, 0, stderr);
    const again = await measure('--drops', '20', '--seed', '2');
    const [one, two] = [1, 2].map((seed) => results.find((result) => result.seed === seed));
    assert.deepEqual(again.counts, two.counts);
    assert.deepEqual(again.figures, two.figures);
    assert.notDeepEqual(one.counts, two.counts);
  });

  it('gives the server its turn after each step, so that no offer waits longer', async () => {
    const { relays } = await measure();
    assert.ok(relays.n > 0);
    assert.ok(relays.max <= STEP_MS + LATENCY_MS, `${relays.max} ms`);
  });

  it('gives the server time and random numbers, both the same again with the same seed', async () => {
    const [source, program] = ['draw.c', 'draw'].map((name) => join(folder, name));
    await writeFile(source, DRAW);
    execFileSync('cc', ['-o', program, source]);
    const clock = buildClock(folder);
    const draw = (seed) => {
      const env = { LD_PRELOAD: clock, VIRTUAL_CLOCK_EPOCH: '1500', VIRTUAL_CLOCK_SEED: seed };
      return execFileSync(program, { env, encoding: 'utf8' });
    };
    assert.match(draw('1'), /^1\.500000000 [0-9a-f]+$/);
    assert.equal(draw('1'), draw('1'));
    assert.notEqual(draw('1'), draw('2'));
  });

  it('is possible with the server of the npm package', async () => {
    const { status, stderr, results } = await small('--other', `npm=${NPM}`, '--expect', 'links-per-peer>=1');
    assert.equal(status, 0, stderr);
    assert.equal(results[0].server, 'npm');
  });
});

describe('pages of a crowd', () => {
  it('may be of any version, each with links to the others', async () => {
    const { kinds } = await measure('--client', '0.1.1,1.0.6,1.1.3', '--links', '10');
    assert.deepEqual(Object.keys(kinds), ['0.1.1, 10 links', '1.0.6, 10 links', '1.1.3, 10 links']);
    for (const [label, { linksPerPeer }] of Object.entries(kinds)) assert.ok(linksPerPeer > 2, `${label}: ${linksPerPeer}`);
  });

  it('take as many links as they are told to', async () => {
    const { kinds } = await measure('--links', '2,3,5,10,32', '--peers', '20');
    assert.equal(Object.keys(kinds).length, 5);
    for (const links of [2, 3, 5, 10, 32]) {
      const { linksPerPeer } = kinds[`1.1.3, ${links} links`];
      assert.ok(linksPerPeer > 0 && linksPerPeer <= links, `${links}: ${linksPerPeer}`);
    }
    assert.ok(kinds['1.1.3, 32 links'].linksPerPeer > kinds['1.1.3, 3 links'].linksPerPeer);
  });

  it('are drawn by their weights', async () => {
    const { kinds } = await measure('--client', '1.1.3:9,1.0.6:1', '--peers', '30', '--watch', '10');
    assert.ok(kinds['1.1.3, 3 links'].pages > 20, JSON.stringify(kinds));
  });

  it('dial everybody whom they know every two seconds, if their app wants that', async () => {
    const without = await measure();
    assert.equal(without.counts['dials by an app'], undefined);
    // npm's server tells everybody of everybody.
    const flags = ['--dialers', '1', '--links', '5', ...FOR_EVER];
    const { status, stderr, results } = await small('--other', `npm=${NPM}`, ...flags);
    assert.equal(status, 0, stderr);
    const [{ counts, figures }] = results;
    const unlinked = PEERS - 1 - figures['links-per-peer'];
    // Sixty times in two minutes; how many are linked is known from looks only.
    const expected = 60 * PEERS * unlinked;
    const dials = counts['dials by an app'];
    assert.ok(Math.abs(dials / expected - 1) < 0.1, `${dials}, expected were ${expected}`);
  });

  it('wake up once a minute, if they are asleep', () => {
    const page = new Page(0, 'a'.repeat(40), { isAsleep: true }, 0.25);
    const due = [0, 15_000, 15_001, 70_000, 75_001];
    assert.deepEqual(due.map((at) => page.wakeUp(at)), [15_000, 15_000, 75_000, 75_000, 135_000]);
    const awake = new Page(1, 'b'.repeat(40), { isAsleep: false }, 0.25);
    assert.equal(awake.wakeUp(70_000), 70_000);
  });

  it('come back later after an outage if they are asleep', async () => {
    const awake = await measure('--outages', '5:1', ...FOR_EVER);
    const asleep = await measure('--outages', '5:1', ...FOR_EVER, '--asleep', '1');
    assert.deepEqual([awake, asleep].map(({ outages }) => outages[0].notBack), [0, 0]);
    assert.ok(awake.figures.back < 10, `${awake.figures.back} s`);
    assert.ok(asleep.figures.back > 20, `${asleep.figures.back} s`);
    assert.deepEqual(Object.keys(asleep.kinds), ['1.1.3, 3 links, asleep']);
  });
});

describe('the network', () => {
  it('lets blocked pairs do their signaling, and then ICE fails', async () => {
    const { counts, figures } = await measure('--blocked', '1');
    assert.ok(counts['up answer'] > 0, 'offers are answered');
    assert.ok(counts['lost: ICE failed'] > 0, JSON.stringify(counts));
    assert.equal(counts['links made'], undefined);
    assert.equal(figures['links-per-peer'], 0);
  });

  it('blocks the same pairs in both directions, and as many as it is told to', () => {
    const random = generator('pairs');
    const ids = Array.from({ length: 100 }, () => random().toString(16));
    const pairs = ids.flatMap((one) => ids.filter((two) => two > one).map((two) => [one, two]));
    const blocked = pairs.filter(([one, two]) => isPairOfShare(one, two, 0.1));
    assert.ok(blocked.every(([one, two]) => isPairOfShare(two, one, 0.1)));
    assert.ok(Math.abs(blocked.length / pairs.length - 0.1) < 0.02, `${blocked.length} of ${pairs.length}`);
    assert.ok(!pairs.some(([one, two]) => isPairOfShare(one, two, 0)));
    assert.ok(pairs.every(([one, two]) => isPairOfShare(one, two, 1)));
  });

  it('drops connections, and pages come back by themselves', async () => {
    const { counts } = await measure('--drops', '60', ...FOR_EVER);
    // One a minute each, for two minutes.
    const dropped = counts['sockets dropped'];
    assert.ok(dropped > PEERS && dropped < 3 * PEERS, `${dropped}`);
    assert.ok(counts['announced again'] > 5, JSON.stringify(counts));
  });

  it('loses its server, and gets a new one', async () => {
    const { outages: [outage], counts, load } = await measure('--outages', '10:3', ...FOR_EVER);
    assert.equal(outage.pages, PEERS);
    assert.equal(outage.notBack, 0);
    assert.ok(outage.back > 0 && outage.back < 60, `${outage.back} s`);
    assert.ok(counts['socket closed: 1006'] >= PEERS, JSON.stringify(counts));
    assert.equal(counts['announced again'], PEERS);
    assert.ok(load.serverCpu >= 0);
  });

  it('loses pages of 0.1.1 for good when their first attempt to come back fails', async () => {
    // In a browser a refused attempt is their last one.
    const { outages: [outage] } = await measure('--client', '0.1.1', '--outages', '10:30', ...FOR_EVER);
    assert.equal(outage.notBack, PEERS);
    assert.equal(outage.back, null);
  });
});

describe('figures', () => {
  it('have the standard error of the mean over all runs', async () => {
    assert.deepEqual(meanAndError([1, 2, 3, null]), { mean: 2, error: Math.sqrt(2 / 6) });
    assert.deepEqual(meanAndError([7]), { mean: 7, error: null });
    const { stdout } = await small(...OURS, '--runs', '2', '--watch', '20');
    const rows = stdout.trim().split('\n');
    assert.equal(rows.length, 3, stdout);
    assert.match(rows[2], /^\| 1\.1\.3 \| 3 \| 12 \| ours \| [0-9.]+ ±[0-9.]+ \|/);
  });

  it('that are not as expected get a sentence each, and an exit status', async () => {
    const { status, stderr } = await small(...OURS, '--watch', '20', '--expect', 'pieces>=13,lone<=100,back<=1');
    assert.equal(status, 1);
    const name = '1.1.3, 3 links, 12 peers, ours: ';
    const sentences = stderr.split('\n').filter((line) => line.startsWith(name)).map((line) => line.slice(name.length));
    assert.equal(sentences.length, 2, stderr);
    assert.match(sentences[0], /^pieces is [0-9.]+, expected was >= 13$/);
    assert.equal(sentences[1], 'there is no figure back, expected was <= 1');
  });
});

describe('the bench', () => {
  it('says where our server is not as expected, and where it is worse than the npm package’s', async () => {
    const ours = await measure('--watch', '20', '--peers', '50');
    const figures = { ...ours.figures, 'one-piece': 100, outside: 0, lone: 0, 'first-link-p99': 1, 'frames-both': 130 };
    const npm = { ...ours, server: 'npm 1.1.3', figures: { ...figures, 'first-link-p99': 2, 'frames-both': 100 } };
    const file = join(folder, 'results.jsonl');
    await writeFile(file, [{ ...ours, figures }, npm].map((line) => `${JSON.stringify(line)}\n`).join(''));
    const { status, stdout, stderr } = await run(BENCH, '--read', file);
    assert.equal(status, 1);
    const name = '1.1.3, 3 links, 50 peers, ours: frames-both is 130, expected was <= ';
    assert.equal(stderr, `${name}120\n${name}100 as with npm 1.1.3\n`);
    assert.match(stdout, /^\| 1\.1\.3 \| 3 \| 50 \| npm 1\.1\.3 \| 100\.0 \| 0\.00 \| 0\.00 \| [0-9.]+ \| [0-9.]+, 2\.0 \|/m);
  });
});

describe('the command line', () => {
  const mistakes = [
    [[], /^--server or --other is needed/],
    [[...OURS, '--client', '9.9.9'], /--client 9\.9\.9: .*there are: .*1\.1\.3/],
    [[...OURS, '--blocked', '2'], /--blocked 2: a number from 0 to 1/],
    [[...OURS, '--expect', 'beauty>=1'], /--expect beauty>=1: the figures are one-piece, /],
    [[...OURS, '--outages', '10:20,15'], /--outages 10:20,15: each begins after the one before it has ended/],
    [[...OURS, '--links', '3:0'], /--links 3:0: the weight must be above 0/],
    [[...OURS, '--mistake', '1'], /--mistake/],
  ];
  for (const [flags, message] of mistakes) {
    it(`says what is wrong with ${flags.slice(2).join(' ') || 'nothing'}`, async () => {
      const { status, stderr } = await lab(...flags);
      assert.equal(status, 2);
      assert.match(stderr, message);
    });
  }

  it('says so when the server cannot be started', async () => {
    const { status, stderr } = await lab('--server', '/bin/false', '--peers', '2');
    assert.equal(status, 1);
    assert.match(stderr, /the server is gone: it ended with 1/);
  });
});
