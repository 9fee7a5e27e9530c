/** What happens to objects of the API, with the times at which the tests heard of it. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Api } from "./api.ts";

export interface Seen<T> {
  atMs: number;
  object: T;
}

export interface Watch<T> {
  /** In the order in which they came: every version of every object at the path. */
  seen: Seen<T>[];
  stop(): void;
}

const AGAIN_MILLISECONDS = 100;

/** From now on, of all objects at a path; begun again when the API server has ended it. */
export function watch<T>(api: Api, path: string, onSeen: (seen: Seen<T>) => void = () => undefined): Watch<T> {
  const seen: Seen<T>[] = [];
  const stopped = new AbortController();
  const take = (line: string): void => {
    const { type, object } = JSON.parse(line) as { type: string; object: T }; // the API server is trusted
    if (type === "ERROR" || type === "BOOKMARK") return;
    const now = { atMs: performance.timeOrigin + performance.now(), object };
    seen.push(now);
    onSeen(now);
  };
  const forEver = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await api.stream(`${path}?watch=1`, take, stopped.signal).catch(() => undefined); // it is away: asked again
      await sleep(AGAIN_MILLISECONDS);
    }
  };
  void forEver();
  return { seen, stop: () => stopped.abort() };
}
