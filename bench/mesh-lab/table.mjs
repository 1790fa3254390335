// Markdown tables of cases: the mean of all their runs, and the standard error of the mean.

import { FIGURES } from './figures.mjs';
import { meanAndError } from './statistics.mjs';

/** What all runs of a case come to. */
export function summarize(run, results) {
  const of = (value) => meanAndError(results.map(value));
  const labels = [...new Set(results.flatMap(({ kinds }) => Object.keys(kinds)))].sort();
  const kind = (label) => Object.fromEntries(Object.keys(KIND_COLUMNS).map((name) => (
    [name, of(({ kinds }) => kinds[label]?.[name] ?? null)]
  )));
  return {
    run,
    figures: Object.fromEntries(FIGURES.map(({ name }) => [name, of(({ figures }) => figures[name])])),
    kinds: labels.map((label) => ({ label, ...kind(label) })),
  };
}

/** A case in a few words. */
export function nameOf({ run }) {
  const crowd = `${shares(run.client)}, ${shares(run.links)} links, ${run.peers} peers`;
  return `${crowd}${circumstances(run)}, ${run.server.label}`;
}

/** One row for each case; then, where pages differ, one for each kind of page. */
export function tables(summaries) {
  const columns = FIGURES.filter(({ name, title }) => title && summaries.some(({ figures }) => figures[name].mean !== null));
  const rows = summaries.map(({ run, figures }) => [
    shares(run.client), shares(run.links), String(run.peers), run.server.label + circumstances(run),
    ...columns.map(({ name, digits }) => cell(figures[name], digits)),
  ]);
  const whole = markdown(['client', 'links', 'peers', 'server', ...columns.map(({ title }) => title)], rows);
  const kinds = summaries.filter((summary) => summary.kinds.length > 1).flatMap((summary) => summary.kinds.map((kind) => [
    nameOf(summary), kind.label, ...Object.entries(KIND_COLUMNS).map(([name, { digits }]) => cell(kind[name], digits)),
  ]));
  if (!kinds.length) return whole;
  const titles = Object.values(KIND_COLUMNS).map(({ title }) => title);
  return `${whole}\n\n${markdown(['case', 'pages of this kind', ...titles], kinds)}`;
}

const KIND_COLUMNS = {
  pages: { title: 'how many', digits: 1 },
  linksPerPeer: { title: 'links per peer', digits: 2 },
  lone: { title: 'lone, %', digits: 2 },
  firstLinkP50: { title: 'first link, s: median', digits: 1 },
  firstLinkP99: { title: 'first link, s: 99 %', digits: 1 },
};

/** `1.0.6 + 1.1.3`; weights only where they differ. */
function shares(weights) {
  const isEven = weights.every(([, weight]) => weight === weights[0][1]);
  return weights.map(([value, weight]) => (isEven ? value : `${value} (${weight})`)).join(' + ');
}

/** What is not as usual. */
function circumstances(run) {
  const told = [
    run.dialers && `${100 * run.dialers} % dial everybody`,
    run.asleep && `${100 * run.asleep} % asleep`,
    run.blocked && `${100 * run.blocked} % of the pairs blocked`,
    run.drops && `${run.drops} drops per hour`,
    ...run.outages.map(({ at, away }) => `outage of ${away} s after ${at} s`),
    Object.keys(run.mesh).length && `client ${JSON.stringify(run.mesh)}`,
  ];
  return told.filter(Boolean).map((words) => `, ${words}`).join('');
}

function cell({ mean, error }, digits) {
  if (mean === null) return '-';
  return error === null ? mean.toFixed(digits) : `${mean.toFixed(digits)} ±${error.toFixed(digits)}`;
}

function markdown(titles, rows) {
  return [titles, titles.map(() => '--:'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
