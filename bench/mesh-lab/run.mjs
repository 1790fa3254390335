// One run, in a process of its own: takes a run from its parent, and answers with what was measured.

import { installBrowser, loadClient } from './clients.mjs';
import { VirtualClock, real } from './clock.mjs';
import { Crowd } from './crowd.mjs';
import { figuresOf, kindsOf } from './figures.mjs';
import { distances, lookAt } from './looks.mjs';
import { Outages } from './outages.mjs';
import { isPairOfShare, seedProcess } from './random.mjs';
import { Record } from './record.mjs';
import { ServerProcess } from './server_process.mjs';
import { Network } from './socket.mjs';
import { quantiles } from './statistics.mjs';
import { Traffic } from './traffic.mjs';
import { WebRtc } from './webrtc.mjs';

const LOOK_MS = 10_000;
/** Every so many looks also measures distances. */
const LOOKS_PER_DISTANCE = 12;

process.once('message', async ({ run, folders, clockLibrary }) => {
  const { command, settings } = run.server;
  const server = new ServerProcess({ command, settings, clock: clockLibrary, seed: run.seed });
  let result;
  try {
    await server.start();
    result = await measure(run, folders, server);
  } catch (error) {
    result = { error: error.stack };
  }
  await server.kill();
  process.send(result, () => process.exit(0));
});

// Without its parent nobody waits for the run.
process.once('disconnect', () => process.exit(1));

/** A crowd before `server`, and what the looks at it gave. */
async function measure(run, folders, server) {
  const record = new Record();
  watchLibrary(record);
  seedProcess(run.seed);
  const lab = build(run, server, record);
  lab.clock.install();
  for (const version of new Set(run.client.map(([version]) => version))) {
    lab.clients.set(version, await loadClient(folders[version]));
  }
  lab.crowd.open();
  return Promise.race([watch(lab, run, server, record), lab.clock.start()]);
}

/** What the library writes goes nowhere; what it throws is recorded. */
function watchLibrary(record) {
  for (const name of ['log', 'warn', 'error', 'info', 'debug']) console[name] = () => {};
  process.on('unhandledRejection', (error) => record.problem('unhandled rejection', error));
  process.on('uncaughtException', (error) => record.problem('uncaught exception', error));
}

/** Puts all parts together. */
function build(run, server, record) {
  const clients = new Map();
  const exchange = async (now) => {
    await outages.pending;
    await network.exchange(now);
  };
  const clock = new VirtualClock(run.step, exchange);
  const crowd = new Crowd({ options: run, clients, clock, record, server, left: (page) => outages.left(page) });
  const outages = new Outages({ clock, server, crowd, record });
  const announced = (page) => outages.announced(page);
  const traffic = new Traffic({ clock, record, pages: crowd.pagesById, announced });
  const network = new Network({ server, clock, latency: run.latency, traffic, packages: run.packages });
  const webRtc = new WebRtc({
    later: clock.later,
    onLink: crowd.linked,
    onLinkEnd: crowd.unlinked,
    isBlocked: (one, two) => isPairOfShare(one.id, two.id, run.blocked),
  });
  installBrowser(network.socketClass(), webRtc);
  return { clients, clock, crowd, outages, traffic };
}

async function watch({ clock, crowd, outages, traffic }, run, server, record) {
  const since = run.warmUp * 1000;
  await clock.until(since);
  // What was dialled long ago is no matter of the looks.
  for (const page of crowd.pages) traffic.expire(page);
  record.begin(since);
  outages.schedule(run.outages, since);
  const load = loadMeter(clock, server);
  const looks = [];
  const far = [];
  for (let count = 1; count <= (run.watch * 1000) / LOOK_MS; count++) {
    await clock.until(since + count * LOOK_MS);
    const { pages } = crowd;
    for (const page of pages) traffic.expire(page);
    looks.push(lookAt(pages, crowd.pagesById, clock.now()));
    if (count % LOOKS_PER_DISTANCE === 0) far.push(distances(pages));
  }
  clock.stop();
  const measured = {
    looks,
    distances: far.filter(Boolean),
    record,
    neverLinked: crowd.neverLinked + (record.counts['left without ever a link'] ?? 0),
    outages: outages.results(),
  };
  return {
    figures: figuresOf(measured),
    kinds: kindsOf(measured),
    outages: measured.outages,
    counts: record.counts,
    cutAges: quantiles(record.cuts.filter(({ at }) => at >= since).map(({ age }) => age)),
    relays: quantiles(record.relays),
    problems: record.problems,
    load: load(run.watch),
  };
}

/** How much the run asks of the machine: what no figure depends on. */
function loadMeter(clock, server) {
  const start = { wall: real.now(), cpu: process.cpuUsage(), server: server.cpuSeconds, fired: clock.fired };
  return (virtualSeconds) => {
    const seconds = (real.now() - start.wall) / 1000;
    const { user, system } = process.cpuUsage(start.cpu);
    return {
      wallSeconds: seconds,
      cpu: (user + system) / 1e6 / seconds,
      serverCpu: (server.cpuSeconds - start.server) / seconds,
      virtualSecondsPerSecond: virtualSeconds / seconds,
      timersPerSecond: (clock.fired - start.fired) / seconds,
      residentMiB: process.memoryUsage().rss / 2 ** 20,
    };
  };
}
