/**
 * Seeded random numbers: the same seed gives the same numbers on every machine. Each user draws from a stream of its own, named by
 * what it is for, so that what one draws more or less never changes what the others get (paired seeds stay paired).
 */

export interface Random {
  /** From 0 up to, not including, 1. */
  next(): number;
  /** Standard normal. */
  normal(): number;
}

/**
 * `randomOf(7, "pod", 12)`: the thirteenth pod's stream under seed 7. sfc32 (Chris Doty-Humphrey, PractRand), seeded through
 * FNV-1a and the finaliser of MurmurHash3.
 */
export function randomOf(seed: number, ...purpose: (string | number)[]): Random {
  const hash = hashOf(`${seed}/${purpose.join("/")}`);
  const next = sfc32(hash, mixed(hash + 1), mixed(hash + 2));
  for (let round = 0; round < 12; round++) next();
  return { next, normal: () => boxMuller(next) };
}

function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return mixed(hash);
}

function mixed(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) | 0;
}

function sfc32(first: number, second: number, third: number): () => number {
  let [a, b, c, counter] = [first, second, third, 1];
  return () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
}

/** One of the pair is thrown away: no state beside the stream's. */
function boxMuller(next: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}
