/** Whether events and metrics tell of the moves what their objects do. */
import { type Cluster, kubectl } from "../cluster/cluster.ts";
import { type Api, allMigrationsPath } from "../harness/api.ts";
import { HEADROOM_NAMESPACE, headroomPods } from "../harness/headroom.ts";
import { FINAL_PHASES, type Migration } from "../harness/moves.ts";
import { NAMESPACE_DELETED } from "./faults/at-pods.ts";
import { type ChaosRecord, enteredAt, finalPhase, type Span, spanOf, touches } from "./record.ts";

export interface Told {
  events: { kind: string; namespace: string; name: string; reason: string }[];
  /** PodMigrations in the API, by phase. */
  onRecord: Record<string, number>;
  /** The same as each controller's metric `headroom_pod_migrations` has it. It counts what is on record: a restart changes nothing. */
  counted: { controller: string; byPhase: Record<string, number> }[];
}

export interface EndedMove {
  namespace: string;
  name: string;
  phase: string;
  podName: string;
  /** Events are written off the move's path, once: a controller that ended, or an API server that was away, about then may have cost it. */
  troubled: boolean;
}

const TROUBLE_MS = 30_000;

/** The moves that have ended, and whether their last event may have been lost. */
export function endedMoves({ moves, faults }: Pick<ChaosRecord, "moves" | "faults">): EndedMove[] {
  const outages = faults.filter(
    ({ controllers, silences, nodeKilled }) => controllers || silences?.includes("api") || nodeKilled !== undefined,
  );
  return moves.flatMap((move) => {
    const phase = finalPhase(move);
    if (phase === undefined || !FINAL_PHASES.includes(phase) || move.final === undefined) return [];
    const endedAtMs = enteredAt(move, phase) ?? 0;
    const about: Span = { fromMs: endedAtMs - TROUBLE_MS, toMs: endedAtMs + TROUBLE_MS };
    // In a namespace that is being deleted the API server makes no more events.
    const closed = faults.some(
      ({ atMs, ends = [] }) =>
        atMs <= endedAtMs &&
        ends.some(({ workload, cell }) => workload === move.workload && cell === NAMESPACE_DELETED),
    );
    const troubled = closed || outages.some((fault) => touches(spanOf(fault), about));
    const { namespace, name } = move;
    return [{ namespace, name, phase, podName: move.final.spec.podName, troubled }];
  });
}

/** Sentences; pure. */
export function disagreements(ended: readonly EndedMove[], { events, onRecord, counted }: Told): string[] {
  const silent = ended.filter((move) => !move.troubled && !events.some((event) => tells(event, move)));
  return [
    ...silent.map(
      ({ namespace, name, phase }) => `disagrees: no event tells that move ${namespace}/${name} is ${phase}`,
    ),
    ...counted.flatMap(({ controller, byPhase }) => miscounted(controller, byPhase, onRecord)),
  ];
}

function tells(event: Told["events"][number], { namespace, name, phase, podName }: EndedMove): boolean {
  if (event.namespace !== namespace) return false;
  const ofMove = event.kind === "PodMigration" && event.name === name && event.reason === phase;
  return ofMove || (event.kind === "Pod" && event.name === podName && event.reason === `Move${phase}`);
}

function miscounted(controller: string, byPhase: Record<string, number>, onRecord: Record<string, number>): string[] {
  const phases = [...new Set([...Object.keys(byPhase), ...Object.keys(onRecord)])];
  return phases
    .filter((phase) => (byPhase[phase] ?? 0) !== (onRecord[phase] ?? 0))
    .map((phase) => {
      const [counted, there] = [byPhase[phase] ?? 0, onRecord[phase] ?? 0];
      return `disagrees: ${controller} counts ${counted} PodMigrations in phase ${phase}; the API has ${there}`;
    });
}

interface CoreEvent {
  involvedObject: { kind: string; namespace?: string; name: string };
  reason?: string;
}

/** Reads all events and PodMigrations of the cluster, and the controllers' metrics. */
export async function readTold(cluster: Cluster, api: Api): Promise<Told> {
  const events = await api.list<CoreEvent>("/api/v1/events");
  const onRecord: Record<string, number> = {};
  for (const { status } of await api.list<Migration>(allMigrationsPath)) {
    const phase = status?.phase ?? "Pending";
    onRecord[phase] = (onRecord[phase] ?? 0) + 1;
  }
  return { events: events.map(eventOf), onRecord, counted: await readCounts(cluster, api) };
}

function eventOf({ involvedObject, reason = "" }: CoreEvent): Told["events"][number] {
  const { kind, name, namespace = "" } = involvedObject;
  return { kind, namespace, name, reason };
}

const METRICS_PORT = 8080;

async function readCounts(cluster: Cluster, api: Api): Promise<Told["counted"]> {
  const folder = `/api/v1/namespaces/${HEADROOM_NAMESPACE}/pods`;
  const pods = await headroomPods(api, "controller");
  const running = pods.flatMap(({ metadata, status }) => (status?.phase === "Running" && metadata?.name) || []);
  return Promise.all(
    running.map(async (controller) => {
      const text = await kubectl(cluster, ["get", "--raw", `${folder}/${controller}:${METRICS_PORT}/proxy/metrics`]);
      return { controller, byPhase: parseCounts(text) };
    }),
  );
}

/** `headroom_pod_migrations{phase="Succeeded"} 3` among other lines in Prometheus's text format. */
export function parseCounts(metrics: string): Record<string, number> {
  const lines = metrics.matchAll(/^headroom_pod_migrations\{phase="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...lines].map(([, phase, count]) => [phase, Number(count)]));
}
