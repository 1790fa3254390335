// What `scripts/bench --only mesh` measures: the flags of mesh_lab.mjs, one line for each question.

/** Rows without --peers have 100 pages, without --links three, and without --client 1.1.3. */
export const CASES = [
  // The library's default, and what comes of more links.
  '--links 3 --peers 50 --peers 100 --peers 300',
  '--links 4 --links 5 --links 7',
  '--links 10 --peers 50 --peers 100 --peers 300',
  // Older versions.
  '--client 1.0.6',
  '--client 0.1.1',
  // Apps with different settings, and of different age, in one network.
  '--links 3,10 --peers 100 --peers 300',
  '--client 1.0.6,1.1.3 --peers 100 --peers 300',
  // NAT, a restart in the middle of a whole mesh, lost connections, background tabs, apps that dial by themselves.
  '--blocked 0.1',
  '--outages 600:5',
  '--drops 6',
  '--asleep 0.5',
  '--dialers 0.1',
];

/** Forty virtual minutes after ten. */
export const LONG = '--warm-up 600 --watch 2400';

/** To see that everything works. */
export const QUICK = '--warm-up 120 --watch 300';
export const QUICK_CASES = CASES.map((flags) => `${flags.replace(/ --peers .*/, '').replace('600:5', '60:5')} --peers 30`);
