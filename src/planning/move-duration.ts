/**
 * How long a move takes, as far as nobody has measured it: the predecessor's 3.3506 s for each gigabyte (10⁹ bytes), rounded
 * up to whole seconds.
 */
const SECONDS_PER_GIGABYTE = 3.3506;

export function predictedSeconds(bytes: number): number {
  return Math.ceil((SECONDS_PER_GIGABYTE * bytes) / 1e9);
}
