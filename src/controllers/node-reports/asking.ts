/** Asks the agents about their nodes: when each is asked, and how many concurrently. */
import type { CheckpointDriver } from "../../checkpointing/driver.ts";
import type { Pod } from "../../kube/resources.ts";
import { attempt } from "../pod-migration/driver-failure.ts";
import { type NodeReport, newReport } from "./report.ts";

const USUALLY_MS = 60_000;
/** A node that is being prepared, which takes seconds; doubled for each time that an agent was silent. */
const SOON_MS = 1_000;

/** The longest for a silent one whose pod is not ready: it has just started, perhaps, and its node waits to be prepared. */
const NOT_READY_MS = 5_000;

/** Number of agents that are queried concurrently. */
const AT_ONCE = 16;

/** @param before the nodes' reports until now. */
export async function reportsOf(
  driver: Pick<CheckpointDriver, "features">,
  nodes: readonly string[],
  before: ReadonlyMap<string, NodeReport>,
  time: () => string,
): Promise<Map<string, NodeReport>> {
  const reports = new Map<string, NodeReport>();
  const left = [...nodes];
  const ask = async (): Promise<void> => {
    for (let node = left.shift(); node !== undefined; node = left.shift()) {
      const answer = await attempt(driver.features(node));
      reports.set(node, newReport(time(), answer, before.get(node)));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, ask));
  return reports;
}

interface Appointment {
  atMs: number;
  /** The state of the agent's pod when it was asked. */
  pod: string;
  silences: number;
}

export class Asking {
  readonly #appointments = new Map<string, Appointment>();

  /** Is it time, or has the agent's pod changed in a way that tells of something new? */
  isDue(node: string, pod: Pod, nowMs: number): boolean {
    const known = this.#appointments.get(node);
    return known === undefined || known.atMs <= nowMs || known.pod !== stateOf(pod);
  }

  /** @param report what came of it. */
  asked(node: string, pod: Pod, report: NodeReport | undefined, nowMs: number): void {
    const silences = report?.silent === undefined ? 0 : (this.#appointments.get(node)?.silences ?? 0) + 1;
    const isBusy = report?.features?.turn.state === "preparing";
    const most = silences > 0 && !isReady(pod) ? NOT_READY_MS : USUALLY_MS;
    const inMs = silences > 0 ? SOON_MS * 2 ** (silences - 1) : isBusy ? SOON_MS : USUALLY_MS;
    this.#appointments.set(node, { atMs: nowMs + Math.min(inMs, most), pod: stateOf(pod), silences });
  }

  /** It has just been given its turn. */
  soon(node: string, nowMs: number): void {
    const known = this.#appointments.get(node);
    if (known) this.#appointments.set(node, { ...known, atMs: nowMs + SOON_MS });
  }

  /** Milliseconds until the next one is due. */
  nextInMs(nowMs: number): number {
    const times = [...this.#appointments.values()].map(({ atMs }) => atMs - nowMs);
    return Math.max(0, Math.min(USUALLY_MS, ...times));
  }

  /** Forgets nodes that have no agent any more. */
  keep(nodes: ReadonlyMap<string, unknown>): void {
    for (const node of this.#appointments.keys()) if (!nodes.has(node)) this.#appointments.delete(node);
  }
}

const isReady = ({ status }: Pod): boolean =>
  status?.conditions?.find(({ type }) => type === "Ready")?.status === "True";

function stateOf(pod: Pod): string {
  const { metadata, status } = pod;
  return [metadata.uid, status?.phase, isReady(pod), status?.containerStatuses?.[0]?.started].join(" ");
}
