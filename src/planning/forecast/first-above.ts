/** When memory runs out: the moment at which a curve reaches what may be used. Seconds from now. */

const HALVINGS = 20;

/**
 * The first moment from which on `curve` exceeds `limit` at a place looked at: in `places`, evenly spread; then the crossing is narrowed down
 * between two of them, to a millionth of what lies between.
 */
export function firstAbove(
  curve: (seconds: number) => number,
  limit: number,
  withinSeconds: number,
  places = 64,
): number | undefined {
  const above = (seconds: number) => !(curve(seconds) <= limit);
  if (above(0)) return 0;
  for (let place = 1; place <= places; place++) {
    const seconds = (withinSeconds * place) / places;
    if (above(seconds)) return narrowed(above, (withinSeconds * (place - 1)) / places, seconds);
  }
  return undefined;
}

/** Not later than the crossing: the last moment known to lie before it. */
function narrowed(above: (seconds: number) => boolean, from: number, to: number): number {
  let [low, high] = [from, to];
  for (let halving = 0; halving < HALVINGS; halving++) {
    const middle = (low + high) / 2;
    if (above(middle)) high = middle;
    else low = middle;
  }
  return low;
}
