#!/usr/bin/env node
// How good are the meshes that real PeerPigeon clients build around a signaling server? See README.md.

import fs from 'node:fs';

import { misses } from './expectations.mjs';
import { HELP, UsageError, parse } from './options.mjs';
import { runAll } from './runs.mjs';
import { nameOf, tables } from './table.mjs';

let options;
try {
  options = parse(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n--help shows all flags.`);
  process.exit(2);
}
if (!options) {
  console.log(HELP);
  process.exit(0);
}

let isWell = true;
const complain = (sentence) => {
  isWell = false;
  console.error(sentence);
};

const finished = (run, result) => {
  const { server, folders, packages, ...rest } = run;
  if (options.json) fs.appendFileSync(options.json, `${JSON.stringify({ ...rest, server: server.label, ...result })}\n`);
  const name = `${nameOf({ run })}, seed ${run.seed}`;
  if (result.error) {
    complain(`${name}: ${result.error}`);
    return;
  }
  const { virtualSecondsPerSecond: speed, cpu, serverCpu } = result.load;
  console.error(`${name}: done, ${speed.toFixed(0)} virtual seconds per second, CPU ${cpu.toFixed(2)} and ${serverCpu.toFixed(2)}`);
  for (const [kind, { count, example }] of Object.entries(result.problems)) {
    complain(`${name}: the library threw, ${kind}, ${count} times: ${example}`);
  }
};

const summaries = await runAll(options.cases, { ...options, finished });
if (summaries.length) console.log(tables(summaries));
for (const summary of summaries) misses(options.expectations, summary).forEach(complain);
process.exitCode = isWell ? 0 : 1;
