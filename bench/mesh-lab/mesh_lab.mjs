#!/usr/bin/env node
// How good are the meshes that real PeerPigeon clients build around a signaling server? See README.md.

import fs from 'node:fs';

import { misses } from './expectations.mjs';
import { HELP, UsageError, parse } from './options.mjs';
import { report, runAll } from './runs.mjs';
import { tables } from './table.mjs';

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
const finished = (run, result) => {
  const { json, sentences, isWell: wentWell } = report(run, result);
  if (options.json) fs.appendFileSync(options.json, `${JSON.stringify(json)}\n`);
  sentences.forEach((sentence) => console.error(sentence));
  isWell &&= wentWell;
};

const summaries = await runAll(options.cases, { ...options, finished });
if (summaries.length) console.log(tables(summaries));
for (const miss of summaries.flatMap((summary) => misses(options.expectations, summary))) {
  console.error(miss);
  isWell = false;
}
process.exitCode = isWell ? 0 : 1;
