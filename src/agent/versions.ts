/** Versions of programs and kernels, as they tell them. Pure. */

/**
 * Is the first version that `text` names older than `than`? As many numbers are compared as `than` has. One that can't be read is not.
 *
 * @example isOlder("containerd v1.6.10-k3s1", "1.6.11") // true
 */
export function isOlder(text: string, than: string): boolean {
  const [numbers, others] = [numbersOf(text), numbersOf(than)];
  const differs = others.findIndex((number, index) => numbers[index] !== number);
  const [ours, theirs] = [numbers[differs], others[differs]];
  return ours !== undefined && theirs !== undefined && ours < theirs;
}

/** As isOlder, by the first two numbers of both. */
export const isOlderSeries = (text: string, than: string): boolean => isOlder(text, /\d+\.\d+/.exec(than)?.[0] ?? "");

const numbersOf = (text: string): number[] =>
  (/\d+(?:\.\d+)+/.exec(text)?.[0] ?? "").split(".").filter(Boolean).map(Number);
