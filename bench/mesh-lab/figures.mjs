// What a run comes to: each figure has one row here, from which tables and expectations are made.

import { mean, quantiles, sum } from './statistics.mjs';

/**
 * Name (for --expect and results), title (of its column; none: only in results), digits, and the figure itself, null
 * where there is nothing to say. `of` gets what was measured with `count(name)` and `per(name, of)`.
 */
export const FIGURES = [
  figure('one-piece', 'one piece, % of looks', 1, (m) => m.shareOfLooks((look) => look.pieces === 1)),
  figure('without-lone', 'without lone, %', 0, (m) => m.shareOfLooks((look) => look.pieces - look.lone <= 1)),
  figure('pieces', 'pieces', 2, (m) => mean(m.looks.map((look) => look.pieces))),
  figure('lone', 'lone, %', 2, (m) => m.percent(m.total('lone'), m.total('settled'))),
  figure('outside', 'outside the largest, %', 2, (m) => m.rest(m.total('largest'), m.total('settled'))),
  figure('links-per-peer', 'links per peer', 2, (m) => m.ratio(m.total('ends'), m.total('pages'))),
  figure('far', 'far apart', 0, (m) => mean(m.distances.map(({ far }) => far))),
  figure('rank', 'rank', 2, (m) => mean(m.distances.map(({ rank }) => rank))),
  figure('first-link-p50', 'first link, s: median', 1, (m) => seconds(m.firstLink?.p50)),
  figure('first-link-p99', 'first link, s: 99 %', 1, (m) => seconds(m.firstLink?.p99)),
  figure('never-linked', 'never linked', 0, (m) => m.neverLinked),
  figure('frames', 'frames down per join', 0, (m) => m.per('down', 'joins')),
  figure('frames-up', 'frames up per join', 0, (m) => m.per('up', 'joins')),
  figure('frames-both', null, 0, (m) => m.ratio(m.count('down') + m.count('up'), m.count('joins'))),
  figure('introducing', 'introducing', 0, (m) => m.per('down peer-discovered', 'joins')),
  figure('offers', 'offers per join', 0, (m) => m.per('offers', 'joins')),
  figure('offers-per-link', 'offers per link', 1, (m) => m.per('offers', 'links made')),
  figure('offers-again', 'offers again, %', 0, (m) => m.percentOf('offers: again', 'offers')),
  figure('wrong-way', 'by the smaller id, %', 0, (m) => m.percentOf('offers: by the smaller id', 'offers')),
  figure('role-conflicts', 'rejections per join: role', 0, (m) => m.per('rejected: initiator_role_conflict', 'joins')),
  figure('full', 'rejections per join: full', 0, (m) => m.per('rejected: max_peers_reached', 'joins')),
  figure('unanswered', 'unanswered, %', 0, (m) => m.percentOf('offer ended: no answer', 'offers')),
  figure('answered-unlinked', 'answered without a link, %', 0, (m) => m.rest(m.count('links made'), m.count('up answer'))),
  figure('evictions', 'evictions per join', 1, (m) => m.per('evictions', 'joins')),
  figure('cut', 'links cut, % of those ended', 0, (m) => m.percentOfBoth('links ended: cut', 'links ended: one left')),
  figure('again-ignored', 'told again: ignored, %', 0, (m) => m.percentOfBoth('told again: ignored', 'told again: heard')),
  figure('nobody-left', 'nobody left to dial, %', 0, (m) => m.percent(m.known('wantingNobodyLeft'), m.known('wanting'))),
  figure('back', 'all back after an outage, s', 0, (m) => m.worst(({ back }) => back)),
  figure('not-back', 'not back', 0, (m) => m.worst(({ notBack }) => notBack)),
  figure('cut-before-outage', 'links cut in 2 min before', 0, (m) => m.worst(({ cutBefore }) => cutBefore)),
  figure('cut-after-outage', 'and after an outage', 0, (m) => m.worst(({ cutAfter }) => cutAfter)),
  figure('listed', null, 1, (m) => m.ratio(m.known('listed'), m.total('settled'))),
  figure('listed-vanished', null, 1, (m) => m.ratio(m.known('vanished'), m.total('settled'))),
  figure('marked', null, 1, (m) => m.ratio(m.known('marked'), m.total('settled'))),
  figure('held', null, 2, (m) => m.ratio(m.known('held'), m.total('settled'))),
  figure('pending', null, 2, (m) => m.ratio(m.known('pending'), m.total('settled'))),
  figure('wanting', null, 1, (m) => m.percent(m.known('wanting'), m.total('settled'))),
  figure('all-dialled', null, 1, (m) => m.percent(m.known('wantingAllDialled'), m.known('wanting'))),
  figure('poor', null, 1, (m) => m.percent(m.known('poor'), m.total('settled'))),
  figure('poor-nobody-left', null, 1, (m) => m.percent(m.known('poorNobodyLeft'), m.known('poor'))),
];

/** All figures of a run, by name. */
export function figuresOf(measured) {
  const arithmetic = new Arithmetic(measured);
  return Object.fromEntries(FIGURES.map(({ name, of }) => [name, of(arithmetic)]));
}

/** The figures that differ by the kind of page, by its label. */
export function kindsOf({ looks, record }) {
  const labels = [...new Set(looks.flatMap((look) => Object.keys(look.kinds)))].sort();
  const kind = (label) => {
    const total = (name) => sum(looks.map((look) => look.kinds[label]?.[name] ?? 0));
    const firstLink = quantiles(record.firstLinks.get(label) ?? []);
    return {
      pages: total('pages') / looks.length,
      lone: total('settled') ? (100 * total('lone')) / total('settled') : null,
      linksPerPeer: total('ends') / total('pages'),
      firstLinkP50: seconds(firstLink?.p50),
      firstLinkP99: seconds(firstLink?.p99),
    };
  };
  return Object.fromEntries(labels.map((label) => [label, kind(label)]));
}

function figure(name, title, digits, of) {
  return { name, title, digits, of };
}

const seconds = (ms) => (ms === undefined ? null : ms / 1000);

class Arithmetic {
  constructor(measured) {
    Object.assign(this, measured);
    this.firstLink = quantiles([...measured.record.firstLinks.values()].flat());
  }

  count(name) {
    return this.record.counts[name] ?? 0;
  }

  ratio(part, whole) {
    return whole ? part / whole : null;
  }

  percent(part, whole) {
    return whole ? (100 * part) / whole : null;
  }

  /** Per cent of the whole that is not `part`. */
  rest(part, whole) {
    return this.percent(whole - part, whole);
  }

  per(name, of) {
    return this.ratio(this.count(name), this.count(of));
  }

  percentOf(name, of) {
    return this.percent(this.count(name), this.count(of));
  }

  /** Per cent that `name` is of all that is `name` or `other`. */
  percentOfBoth(name, other) {
    return this.percent(this.count(name), this.count(name) + this.count(other));
  }

  /** Over all looks. */
  total(name) {
    return sum(this.looks.map((look) => look[name]));
  }

  known(name) {
    return sum(this.looks.map((look) => look.acquaintance[name]));
  }

  shareOfLooks(test) {
    return this.percent(this.looks.filter(test).length, this.looks.length);
  }

  /** Of all outages; null where one of them says nothing. */
  worst(of) {
    const values = this.outages.map(of);
    return values.length && !values.includes(null) ? Math.max(...values) : null;
  }
}
