/** A client for the time in which a pod is frozen: a request that hangs fails soon. What it asked for may still come about. */
import { type KubeClient, KubeError } from "../../../kube/client.ts";
import { type Clock, sleep } from "../../../kube/clock.ts";

/** Far longer than a healthy API server takes, far shorter than the client's own limit. */
const LIMIT_MS = 3_000;

/** Every call rejects with a KubeError `Timeout` after three seconds. */
export function impatient(client: KubeClient, clock: Clock): KubeClient {
  return new Proxy(client, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return (...given: unknown[]) => limited(member.apply(target, given), String(name), clock);
    },
  });
}

async function limited(call: unknown, name: string, clock: Clock): Promise<unknown> {
  const ended = new AbortController();
  const answer = Promise.resolve(call).finally(() => ended.abort());
  answer.catch(() => {}); // awaited below unless it is too late
  await sleep(clock, LIMIT_MS, ended.signal);
  if (ended.signal.aborted) return answer;
  throw new KubeError(
    "Timeout",
    `${name}: no answer from the API server within ${LIMIT_MS / 1000} s while a pod is frozen`,
  );
}
