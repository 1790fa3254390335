#!/usr/bin/env node
// All cases of cases.mjs, of this project's server beside the npm package's: what scripts/bench --only mesh runs. Prints the
// table of docs/MESH.md and one of all figures, and says where ours is not as expected, and where it is worse than npm's.
// Usage: bench.mjs --server PROGRAM --out FILE [--runs N] [--parallel N] [--quick]
//        bench.mjs --read FILE: prints the same of results of an earlier time.
// Exit status: 0, 1 (a run failed, or something is not as expected).

import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { CASES, LONG, QUICK, QUICK_CASES } from './cases.mjs';
import { comparison, misses } from './expectations.mjs';
import { otherServer, parse } from './options.mjs';
import { report, runAll } from './runs.mjs';
import { nameOf, sideBySide, summarize, tables } from './table.mjs';

const FLAGS = {
  server: { type: 'string' },
  out: { type: 'string' },
  read: { type: 'string' },
  runs: { type: 'string', default: '3' },
  parallel: { type: 'string', default: '1' },
  quick: { type: 'boolean', default: false },
};
const NPM_SERVER = fileURLToPath(new URL('npm_server.mjs', import.meta.url));

const { values: flags } = parseArgs({ options: FLAGS });
if (!flags.read && !(flags.server && flags.out)) throw new Error('--server and --out are needed, or --read');
const common = ['--server', `"${flags.server}"`, '--runs', flags.runs, '--parallel', flags.parallel];
const [rows, times] = flags.quick ? [QUICK_CASES, QUICK] : [CASES, LONG];
const parsed = rows.map((row) => parse([...common, ...`${row} ${times}`.split(' ')]));
const [{ folders, seeds, parallel }] = parsed;

/** The npm package's own server, of the newest version that has one: 1.0.6 comes without. */
const newest = Object.keys(folders).filter((version) => fs.existsSync(`${folders[version]}/server`)).sort().at(-1);
const npm = otherServer(`npm ${newest}`, `"${process.execPath}" "${NPM_SERVER}" "${folders[newest]}"`);

const pairs = parsed.flatMap(({ cases, expectations }) => (
  cases.map((ours) => ({ ours, beside: { ...ours, server: npm }, expectations }))
));
let isWell = true;
const summaries = flags.read ? read(flags.read) : await run(pairs.flatMap(({ ours, beside }) => [ours, beside]));
console.log(`${sideBySide(summaries)}\n\n${tables(summaries)}`);
for (const { ours, beside, expectations } of pairs) {
  const [mine, other] = [ours, beside].map((one) => summaries.find((summary) => nameOf(summary) === nameOf({ run: one })));
  const missed = mine ? misses(expectations, mine) : [];
  missed.forEach((miss) => console.error(miss));
  if (missed.length) isWell = false;
  if (mine && other) misses(comparison(other), mine).forEach((miss) => console.error(`${miss} as with ${npm.label}`));
}
process.exitCode = isWell ? 0 : 1;

async function run(cases) {
  const finished = (one, result) => {
    const { json, sentences, isWell: wentWell } = report(one, result);
    fs.appendFileSync(flags.out, `${JSON.stringify(json)}\n`);
    sentences.forEach((sentence) => console.error(sentence));
    isWell &&= wentWell;
  };
  fs.rmSync(flags.out, { force: true });
  return runAll(cases, { seeds, parallel, folders, finished });
}

/** Summaries of the lines of a file of results, in their order. */
function read(file) {
  const results = fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
  const runs = results.map((result) => ({ ...result, server: { label: result.server } }));
  const names = [...new Set(runs.map((one) => nameOf({ run: one })))];
  return names.map((name) => runs.filter((one) => nameOf({ run: one }) === name)).map((same) => summarize(same[0], same));
}
