// Numbers that stand for many.

/** `{ n, p50, p90, p99, max }` of a list of numbers, or null of none. */
export function quantiles(list) {
  if (!list.length) return null;
  const sorted = [...list].sort((a, b) => a - b);
  const at = (q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
  return { n: list.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: sorted.at(-1) };
}

export const sum = (list) => list.reduce((total, value) => total + value, 0);

/** Null of none. */
export const mean = (list) => (list.length ? sum(list) / list.length : null);

/** The mean of a list, and its standard error: null where there are fewer than two values. Nulls are left out. */
export function meanAndError(list) {
  const values = list.filter((value) => value !== null && Number.isFinite(value));
  const middle = mean(values);
  if (values.length < 2) return { mean: middle, error: null };
  const squares = sum(values.map((value) => (value - middle) ** 2));
  return { mean: middle, error: Math.sqrt(squares / (values.length * (values.length - 1))) };
}
