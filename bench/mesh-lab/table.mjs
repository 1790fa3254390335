// Markdown tables of cases: the mean of all their runs, and the standard error of the mean.

import { FIGURES } from './figures.mjs';
import { meanAndError } from './statistics.mjs';

/** Who stays so long on average is there in all looks. */
const FOR_EVER_S = 1_000_000;

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

/** The figures that matter most, of one crowd before several servers in rows that follow each other. */
export function sideBySide(summaries) {
  const titles = ['client', 'links', 'pages', 'server', 'one piece, %', 'outside the largest, %', 'lone, %', 'links per page',
    'first link, s: median, 99 %', 'frames per join: down, up', 'evictions per join'];
  const both = (figures, names, digits) => names.map((name) => brief(figures[name], digits)).join(', ');
  const rows = summaries.map(({ run, figures }) => [
    shares(run.client), shares(run.links), String(run.peers), run.server.label + circumstances(run),
    brief(figures['one-piece'], 1), brief(figures.outside, 2), brief(figures.lone, 2), brief(figures['links-per-peer'], 2),
    both(figures, ['first-link-p50', 'first-link-p99'], 1), both(figures, ['frames', 'frames-up'], 0),
    brief(figures.evictions, 1),
  ]);
  return markdown(titles, rows);
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
    run.life >= FOR_EVER_S && 'nobody comes or goes',
    ...run.outages.map(({ at, away }) => `outage of ${away} s after ${at} s`),
    Object.keys(run.mesh).length && `client ${JSON.stringify(run.mesh)}`,
  ];
  return told.filter(Boolean).map((words) => `, ${words}`).join('');
}

function cell({ mean, error }, digits) {
  if (mean === null) return '-';
  return error === null ? mean.toFixed(digits) : `${mean.toFixed(digits)} ±${error.toFixed(digits)}`;
}

/** Without an error that does not show. */
function brief({ mean, error }, digits) {
  return cell({ mean, error: Number((error ?? 0).toFixed(digits)) ? error : null }, digits);
}

function markdown(titles, rows) {
  return [titles, titles.map(() => '--:'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
