// All runs of all cases, each in a process of its own, some at a time.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { buildClock } from './server_process.mjs';
import { summarize } from './table.mjs';

const PROGRAM = fileURLToPath(new URL('run.mjs', import.meta.url));

/**
 * Runs each of `cases` with each of `seeds`; `finished(run, result)` is called after each run. Returns a summary of
 * each case of which all runs came to an end.
 */
export async function runAll(cases, { seeds, parallel, folders, finished }) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mesh-lab-'));
  const results = cases.map(() => []);
  try {
    const clockLibrary = buildClock(folder);
    const todo = cases.flatMap((one, place) => seeds.map((seed) => ({ run: { ...one, seed }, place })));
    const work = async () => {
      for (let next = todo.shift(); next; next = todo.shift()) {
        const result = await runOne({ run: next.run, folders, clockLibrary });
        results[next.place].push(result);
        finished(next.run, result);
      }
    };
    await Promise.all(Array.from({ length: parallel }, work));
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
  const isWhole = (place) => results[place].every((result) => !result.error);
  return cases.flatMap((one, place) => (isWhole(place) ? [summarize(one, results[place])] : []));
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
