// What figures are expected to be, and a sentence for each that is not.

import { FIGURES } from './figures.mjs';
import { nameOf } from './table.mjs';

/** Reads `one-piece>=99,lone<=0.1`. */
export function parseExpectations(words) {
  return words.split(',').map((word) => word.trim()).filter(Boolean).map((word) => {
    const [, name, relation, number] = /^([a-z0-9-]+)(<=|>=)(-?[0-9.]+)$/.exec(word) ?? [];
    const limit = Number(number);
    if (!name || Number.isNaN(limit)) throw new Error(`--expect ${word}: FIGURE<=NUMBER or FIGURE>=NUMBER`);
    if (!FIGURES.some((figure) => figure.name === name)) {
      throw new Error(`--expect ${word}: the figures are ${FIGURES.map((figure) => figure.name).join(', ')}`);
    }
    return { name, relation, limit };
  });
}

/** A sentence for each figure of `summary` that is not as expected. */
export function misses(expectations, summary) {
  return expectations.flatMap(({ name, relation, limit }) => {
    const { mean } = summary.figures[name];
    if (mean === null) return [`${nameOf(summary)}: there is no figure ${name}, expected was ${relation} ${limit}`];
    const isMet = relation === '<=' ? mean <= limit : mean >= limit;
    return isMet ? [] : [`${nameOf(summary)}: ${name} is ${+mean.toFixed(3)}, expected was ${relation} ${limit}`];
  });
}

/** What a server must come to that is to be no worse than another one, of which this is the summary. */
export function comparison({ figures }) {
  const [high, low] = [['one-piece'], ['outside', 'lone', 'first-link-p99', 'frames-both']];
  const limit = (relation) => (name) => ({ name, relation, limit: figures[name].mean });
  return [...high.map(limit('>=')), ...low.map(limit('<='))].filter((one) => one.limit !== null);
}
