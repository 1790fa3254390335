// What is drawn, from seeds: two runs with one seed draw the same.

/** 32 bits of `text`: FNV-1a, mixed at the end as in MurmurHash3, since short texts differ in few bits only. */
export function hash(text) {
  let bits = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) bits = Math.imul(bits ^ text.charCodeAt(i), 0x01000193);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** A generator of numbers from 0 to below 1 (mulberry32), one of its own for each purpose that `names` name. */
export function generator(...names) {
  let state = hash(names.join(' '));
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A draw from the exponential distribution. */
export const exponential = (random, mean) => -Math.log(1 - random()) * mean;

/** One of `choices`, `[value, weight]` each. */
export function weighted(random, choices) {
  let left = random() * choices.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [value, weight] of choices) {
    left -= weight;
    if (left < 0) return value;
  }
  return choices.at(-1)[0];
}

/** Whether two peers are a pair of a share of all pairs: the same answer for both, and for every run with these ids. */
export function isPairOfShare(one, two, share) {
  return share > 0 && hash(one < two ? one + two : two + one) < share * 2 ** 32;
}

/** Gives this process's `Math.random` and `crypto.getRandomValues`, from which the library draws, a seed. */
export function seedProcess(seed) {
  const random = generator(seed, 'library');
  Math.random = random;
  const fill = (array) => {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    for (let i = 0; i < bytes.length; i++) bytes[i] = random() * 256;
    return array;
  };
  Object.defineProperty(globalThis.crypto, 'getRandomValues', { value: fill });
}
