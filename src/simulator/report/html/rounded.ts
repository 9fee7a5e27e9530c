/** For `JSON.stringify`: a number has no more digits than the page shows, so that more of it deflates. */
export function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(7)) : value;
}
