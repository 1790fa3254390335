#!/usr/bin/env node
// All cases of cases.mjs, of this project's server beside the npm package's: what scripts/bench --only mesh runs.
// Usage: bench.mjs --server PROGRAM --out FILE [--runs N] [--parallel N] [--quick]

import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { CASES, LONG, QUICK, QUICK_CASES } from './cases.mjs';
import { otherServer, parse } from './options.mjs';
import { report, runAll } from './runs.mjs';
import { tables } from './table.mjs';

const FLAGS = {
  server: { type: 'string' },
  out: { type: 'string' },
  runs: { type: 'string', default: '3' },
  parallel: { type: 'string', default: '1' },
  quick: { type: 'boolean', default: false },
};
const NPM_SERVER = fileURLToPath(new URL('npm_server.mjs', import.meta.url));

const { values: flags } = parseArgs({ options: FLAGS });
if (!flags.server || !flags.out) throw new Error('--server and --out are needed');
const common = ['--server', `"${flags.server}"`, '--runs', flags.runs, '--parallel', flags.parallel];
const [rows, times] = flags.quick ? [QUICK_CASES, QUICK] : [CASES, LONG];
const parsed = rows.map((row) => parse([...common, ...`${row} ${times}`.split(' ')]));
const [{ folders, seeds, parallel }] = parsed;

/** The npm package's own server, of the newest version among the pages. */
function npmServer({ client }) {
  const newest = client.map(([version]) => version).sort().at(-1);
  return otherServer(`npm ${newest}`, `"${process.execPath}" "${NPM_SERVER}" "${folders[newest]}"`);
}

const cases = parsed.flatMap((row) => row.cases).flatMap((one) => [one, { ...one, server: npmServer(one) }]);
let isWell = true;
const finished = (run, result) => {
  const { json, sentences, isWell: wentWell } = report(run, result);
  fs.appendFileSync(flags.out, `${JSON.stringify(json)}\n`);
  sentences.forEach((sentence) => console.error(sentence));
  isWell &&= wentWell;
};
fs.rmSync(flags.out, { force: true });
const summaries = await runAll(cases, { seeds, parallel, folders, finished });
console.log(tables(summaries));
process.exitCode = isWell ? 0 : 1;
