// All runs of all cases, each in a process of its own, some at a time.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { buildClock } from './server_process.mjs';
import { nameOf, summarize } from './table.mjs';

const PROGRAM = fileURLToPath(new URL('run.mjs', import.meta.url));

/**
 * Runs each of `cases` with each of `seeds`; `finished(run, result)` is called after each run. Returns a summary of
 * each case of which all runs came to an end.
 */
export async function runAll(cases, { seeds, parallel, folders, finished }) {
  const clockLibrary = buildClock(temporaryFolder());
  const results = cases.map(() => []);
  const todo = cases.flatMap((one, place) => seeds.map((seed) => ({ run: { ...one, seed }, place })));
  const work = async () => {
    for (let next = todo.shift(); next; next = todo.shift()) {
      const result = await runOne({ run: next.run, folders, clockLibrary });
      results[next.place].push(result);
      finished(next.run, result);
    }
  };
  await Promise.all(Array.from({ length: parallel }, work));
  const isWhole = (place) => results[place].every((result) => !result.error);
  return cases.flatMap((one, place) => (isWhole(place) ? [summarize(one, results[place])] : []));
}

/** What is to be told of a run that is over: a line of JSON, sentences, and whether it went well. */
export function report(run, result) {
  const { server, packages, ...rest } = run;
  const json = { ...rest, server: server.label, ...result };
  const name = `${nameOf({ run })}, seed ${run.seed}`;
  if (result.error) return { json, sentences: [`${name}: ${result.error}`], isWell: false };
  const { virtualSecondsPerSecond, cpu, serverCpu } = result.load;
  const problems = Object.entries(result.problems);
  const speed = `${virtualSecondsPerSecond.toFixed(0)} virtual seconds per second`;
  const sentences = [
    `${name}: ${speed}, CPU ${cpu.toFixed(2)} and ${serverCpu.toFixed(2)}`,
    ...problems.map(([kind, { count, example }]) => `${name}: the library threw, ${kind}, ${count} times: ${example}`),
  ];
  return { json, sentences, isWell: !problems.length };
}

/** A folder that goes with this process, also when it is told to end. */
function temporaryFolder() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mesh-lab-'));
  process.once('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(128 + os.constants.signals[signal]));
  return folder;
}

async function runOne(message) {
  const child = fork(PROGRAM, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  let result = null;
  let log = '';
  child.stderr.on('data', (text) => { log += text; });
  child.once('message', (answer) => { result = answer; });
  child.send(message);
  const [code, signal] = await once(child, 'exit');
  return result ?? { error: `the run ended with ${code ?? signal}: ${log}` };
}
