// What `scripts/bench --only mesh` measures: the flags of mesh_lab.mjs, one line for each question.

const whole = (frames) => `--expect one-piece>=99,outside<=0.1,lone<=0.1,first-link-p99<=5,frames-both<=${frames}`;

/** Rows without --peers have 100 pages, without --links three, and without --client 1.1.3. What is expected is of our server. */
export const CASES = [
  // The library's default, and what comes of more links.
  `--links 3 --peers 50 --peers 100 --peers 300 ${whole(120)}`,
  `--links 4 --links 5 --links 7 ${whole(200)}`,
  '--links 10 --peers 50 --peers 100 --peers 300 --expect one-piece>=100,outside<=0,lone<=0,first-link-p99<=2,frames-both<=250',
  // Older versions.
  `--client 1.0.6 ${whole(120)}`,
  '--client 0.1.1',
  // Apps with different settings, and of different age, in one network.
  `--links 3,10 --peers 100 --peers 300 ${whole(200)}`,
  `--client 1.0.6,1.1.3 --peers 100 --peers 300 ${whole(200)}`,
  // NAT.
  '--blocked 0.1 --expect one-piece>=95,outside<=1,lone<=1,first-link-p99<=15,frames-both<=300',
  // A restart: while pages come and go, and in a whole mesh.
  '--outages 600:5',
  '--life 1000000 --outages 600:5 --expect cut-after-outage<=0',
  // Lost connections, background tabs, apps that dial by themselves.
  '--drops 6',
  '--asleep 0.5',
  '--dialers 0.1',
];

/** Forty virtual minutes after ten. */
export const LONG = '--warm-up 600 --watch 2400';

/** To see that everything works. */
export const QUICK = '--warm-up 120 --watch 300';
export const QUICK_CASES = CASES.map((flags) => `${flags.replace(/ --(peers|expect) .*/, '').replace('600:5', '60:5')} --peers 30`);
