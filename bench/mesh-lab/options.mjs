// The command line, read into cases and how to run them.

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { findClients } from './clients.mjs';
import { parseExpectations } from './expectations.mjs';

export const HELP = `\
Runs crowds of real PeerPigeon clients against a real signaling server, with WebRTC in memory and virtual time.

Usage: mesh_lab.mjs (--server COMMAND [--set 'NAME=VALUE …']… | --other 'LABEL=COMMAND')… [--FLAG VALUE]…

Servers:
  --server COMMAND  The server to be measured; PORT and HOST are in its environment. It has one thread that waits with
                    epoll, and a libc that is linked dynamically.
  --set SETTINGS    Of --server; each --set is a server of its own. Limits per address and per second are off.
  --other L=COMMAND Another one, to compare with; MAX_CONNECTIONS is in its environment, too.
The crowd; --client, --links and --peers may be given several times, which makes a case of each combination:
  --client V[:W],…  Versions of the library; with several, each page draws one by their weights. [1.1.3]
  --links N[:W],…   How many links a page takes at most, likewise. [3]
  --peers N         How many pages there are always. [100]
  --mesh JSON       More options of PeerPigeonMesh.
  --life S          Mean seconds that a page stays; exponential. [600]
  --dialers SHARE   Pages whose app dials everybody whom it knows, every two seconds. [0]
  --asleep SHARE    Pages in background tabs: their timers fire once a minute. [0]
The network:
  --latency MS      To the server, and from it. [50]
  --step MS         Between two turns of the server. [50]
  --blocked SHARE   Pairs of pages between which no link ever comes. [0]
  --drops N         How often per hour a page loses its connection to the server. [0]
  --outages A[:S],… The server is killed A seconds after the warm-up, and back after S. [S: 5]
What is done:
  --warm-up S       Seconds before the first look. [600]
  --watch S         Seconds of looks, one every 10 s. [2400]
  --runs N          Of each case, with the seeds 1 to N; tables give the mean and its standard error. [1]
  --seed N          The first seed. [1]
  --parallel N      Runs at a time. [1]
  --expect 'F>=N,…' Exit status 1 with a sentence for each figure that is not so; <= and >= are possible.
  --json FILE       One line for each run, with everything that was counted, is added to it.
  --packages DIR    Where the versions of the library are installed, and ws. [tests/clients/node_modules]
All times are virtual. Exit status: 0, 1 (a run failed, or something is not as expected), 2 (not understood).`;

const PACKAGES = fileURLToPath(new URL('../../tests/clients/node_modules', import.meta.url));
const MAX_CONNECTIONS = '4000';
/** All pages have one address, and virtual time is not what these limits are made for. */
const UNLIMITED = {
  MESSAGE_RATE: '0', BYTE_RATE: '0', CONNECTION_RATE_PER_IP: '0', MAX_CONNECTIONS_PER_IP: '0', HTTP_RATE: '0',
  MAX_CONNECTIONS, LOG_LEVEL: 'error',
};
const AWAY_S = 5;
const text = (value) => ({ type: 'string', ...(value === undefined ? {} : { default: value }) });
const list = (value) => ({ type: 'string', multiple: true, default: value });
const FLAGS = {
  help: { type: 'boolean', short: 'h' },
  server: text(), set: list([]), other: list([]),
  client: list(['1.1.3']), links: list(['3']), peers: list(['100']), mesh: text('{}'),
  life: text('600'), dialers: text('0'), asleep: text('0'),
  latency: text('50'), step: text('50'), blocked: text('0'), drops: text('0'), outages: text(''),
  'warm-up': text('600'), watch: text('2400'),
  runs: text('1'), seed: text('1'), parallel: text('1'),
  expect: text(''), json: text(), packages: text(PACKAGES),
};

/** What is wrong with the command line. */
export class UsageError extends Error {}

/**
 * Reads the arguments. Returns null if help is wanted; otherwise `cases`, each with all that its runs need but for a seed,
 * `seeds`, `parallel`, `expectations`, `json`, and `folders` of the versions of the library.
 */
export function parse(argv) {
  const flags = readFlags(argv);
  if (flags.help) return null;
  const folders = Object.fromEntries(findClients(flags.packages));
  const version = (word) => {
    if (folders[word]) return word;
    const known = Object.keys(folders).join(', ') || 'none';
    throw new UsageError(`--client ${word}: not in ${flags.packages}; there are: ${known}`);
  };
  const servers = serversOf(flags);
  const crowd = {
    mesh: json(flags.mesh, '--mesh'),
    life: number(flags.life, '--life', 1),
    dialers: share(flags.dialers, '--dialers'),
    asleep: share(flags.asleep, '--asleep'),
    latency: number(flags.latency, '--latency', 0),
    step: number(flags.step, '--step', 1),
    blocked: share(flags.blocked, '--blocked'),
    drops: number(flags.drops, '--drops', 0),
    outages: outages(flags.outages),
    warmUp: number(flags['warm-up'], '--warm-up', 0),
    watch: number(flags.watch, '--watch', 10),
    packages: flags.packages,
  };
  const clients = flags.client.map((words) => weights(words, '--client', version));
  const links = flags.links.map((words) => weights(words, '--links', (word) => count(word, '--links', 1)));
  const peers = flags.peers.map((word) => count(word, '--peers', 2));
  const cases = clients.flatMap((client) => links.flatMap((link) => peers.flatMap((peer) => (
    servers.map((server) => ({ client, links: link, peers: peer, ...crowd, server }))
  ))));
  const first = count(flags.seed, '--seed', 0);
  return {
    cases,
    seeds: Array.from({ length: count(flags.runs, '--runs', 1) }, (_, i) => first + i),
    parallel: count(flags.parallel, '--parallel', 1),
    expectations: expectations(flags.expect),
    json: flags.json,
    folders,
  };
}

function readFlags(argv) {
  try {
    return parseArgs({ args: argv, options: FLAGS }).values;
  } catch (error) {
    throw new UsageError(error.message);
  }
}

function serversOf(flags) {
  if (!flags.server && !flags.other.length) throw new UsageError('--server or --other is needed');
  if (!flags.server && flags.set.length) throw new UsageError('--set: needs --server');
  const own = flags.server ? (flags.set.length ? flags.set : ['']) : [];
  return [
    ...own.map((words) => measuredServer(flags.server, words)),
    ...flags.other.map((word) => {
      const [, label, command] = /^([^=]+)=(.+)$/.exec(word) ?? [];
      if (!command) throw new UsageError(`--other ${word}: LABEL=COMMAND`);
      return otherServer(label, command);
    }),
  ];
}

/** The server of this project, with settings `NAME=VALUE`. */
export function measuredServer(command, words) {
  const settings = { ...UNLIMITED };
  for (const word of words.split(/\s+/).filter(Boolean)) {
    const [, name, value] = /^([A-Z0-9_]+)=(.*)$/.exec(word) ?? [];
    if (!name) throw new UsageError(`--set ${word}: NAME=VALUE`);
    settings[name] = value;
  }
  return { label: words ? `ours, ${words}` : 'ours', command, settings };
}

/** Any other one. */
export const otherServer = (label, command) => ({ label, command, settings: { MAX_CONNECTIONS } });

function number(word, flag, least, most = Infinity) {
  const value = Number(word);
  if (word.trim() && Number.isFinite(value) && value >= least && value <= most) return value;
  throw new UsageError(`${flag} ${word}: a number from ${least}${most === Infinity ? '' : ` to ${most}`}`);
}

function count(word, flag, least) {
  const value = number(word, flag, least);
  if (Number.isInteger(value)) return value;
  throw new UsageError(`${flag} ${word}: a whole number from ${least}`);
}

const share = (word, flag) => number(word, flag, 0, 1);

function weights(words, flag, value) {
  return words.split(',').map((word) => {
    const [what, weight = '1'] = word.split(':');
    if (!(Number(weight) > 0)) throw new UsageError(`${flag} ${word}: the weight must be above 0`);
    return [value(what), Number(weight)];
  });
}

function outages(words) {
  const list = words.split(',').filter(Boolean).map((word) => {
    const [at, away = String(AWAY_S)] = word.split(':');
    return { at: number(at, '--outages', 0), away: number(away, `--outages ${word}: how long it is away`, 0) };
  });
  const isEarly = (one, place) => place > 0 && one.at <= list[place - 1].at + list[place - 1].away;
  if (list.some(isEarly)) throw new UsageError(`--outages ${words}: each begins after the one before it has ended`);
  return list;
}

function json(word, flag) {
  try {
    return JSON.parse(word);
  } catch {
    throw new UsageError(`${flag} ${word}: not JSON`);
  }
}

function expectations(words) {
  try {
    return parseExpectations(words);
  } catch (error) {
    throw new UsageError(error.message);
  }
}
