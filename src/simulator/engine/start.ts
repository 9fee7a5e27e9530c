/** When second 0 of every simulation is, in milliseconds since the epoch. */
export const START_MS = Date.parse("2026-01-01T00:00:00Z");

export const toMs = (seconds: number) => START_MS + Math.round(seconds * 1000);
export const toSeconds = (ms: number) => (ms - START_MS) / 1000;
