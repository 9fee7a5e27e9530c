/** `headroom check WORKLOAD…`: could these pods be moved, where to, and what would have to change. Asks the controller by dry runs, and touches nothing. */
import { randomBytes } from "node:crypto";
import { type Command, Option } from "commander";
import { API_VERSION } from "../api/v1alpha1/group.ts";
import {
  DRY_RUN,
  POD_MIGRATIONS,
  type PodMigration,
  type PodMigrationStatus,
  podMigrationSpecSchema,
} from "../api/v1alpha1/pod-migration.ts";
import { systemClock } from "../kube/clock.ts";
import { DEPLOYMENTS, JOBS, PODS, type Pod } from "../kube/resources.ts";
import { CommandFailure, EXIT } from "./failure.ts";
import { type Cluster, clusterOf, type KubeFlags, withKubeFlags } from "./kube-flags.ts";
import { followMove } from "./move-progress.ts";
import { table } from "./table.ts";

interface CheckFlags extends KubeFlags {
  selector?: string;
  to?: string;
  tcp?: string;
  output: "table" | "json";
}

/** Whether one pod could be moved. */
export interface Answer {
  namespace: string;
  pod: string;
  node?: string | undefined;
  movable: boolean;
  targetNode?: string | undefined;
  expectedFreezeMilliseconds?: number | undefined;
  /** CamelCase, stable. */
  reason: string;
  message: string;
  /** What a process that was told of its pod goes on believing. */
  notes: string[];
}

/** The controller answers within a second or two; agents have a minute. */
const LIMIT_MS = 90_000;
const AT_ONCE = 8;

export function addCheckCommand(program: Command): void {
  withKubeFlags(program.command("check"))
    .description("show whether pods could be moved, where to, and what would have to change; moves nothing")
    .argument("[workload...]", "pods by name, or deploy/NAME, job/NAME")
    .option("-l, --selector <labels>", "pods with these labels, e.g. app=web")
    .option("--to <node>", "could they be moved to this node? (default: placement chooses one)")
    .option("--tcp <what>", "as of `headroom move`: Refuse or Close")
    .addOption(new Option("-o, --output <format>", "table, or json").choices(["table", "json"]).default("table"))
    .addHelpText("after", "\nExit code 3 when a pod could not be moved.")
    .action(async (workloads: string[], flags: CheckFlags) => {
      const cluster = clusterOf(flags);
      try {
        const answers = await check(cluster, workloads, flags);
        console.log(flags.output === "json" ? JSON.stringify({ pods: answers }, null, 2) : render(answers));
        const stuck = answers.filter(({ movable }) => !movable).length;
        if (stuck > 0)
          throw new CommandFailure(`${stuck} of ${answers.length} could not be moved`, EXIT.endedOtherwise);
      } finally {
        await cluster.transport.close();
      }
    });
}

async function check(cluster: Cluster, workloads: readonly string[], flags: CheckFlags): Promise<Answer[]> {
  if (workloads.length === 0 && flags.selector === undefined)
    throw new CommandFailure("name pods, deploy/NAME or job/NAME, or select pods with -l", EXIT.usage);
  const found = await Promise.all([
    ...workloads.map((workload) => podsOf(cluster, workload)),
    ...(flags.selector === undefined ? [] : [podsWith(cluster, flags.selector)]),
  ]);
  const pods = [...new Map(found.flat().map((pod) => [pod.metadata.name, pod])).values()];
  if (pods.length === 0) throw new CommandFailure(`no such pods run in namespace ${cluster.namespace}`);
  const answers: Answer[] = [];
  const signal = whenInterrupted();
  for (let first = 0; first < pods.length; first += AT_ONCE) {
    const some = pods.slice(first, first + AT_ONCE);
    answers.push(...(await Promise.all(some.map((pod) => ask(cluster, pod, flags, signal)))));
  }
  return answers;
}

async function podsOf(cluster: Cluster, workload: string): Promise<Pod[]> {
  const { client, namespace } = cluster;
  const [, kind = "pod", name = workload] = /^([^/]+)\/(.+)$/.exec(workload) ?? [];
  const ref = { namespace, name };
  if (/^(pods?|po)$/.test(kind)) {
    const pod = await client.get(PODS, ref);
    if (!pod) throw new CommandFailure(`there is no pod ${name} in namespace ${namespace}`);
    return [pod];
  }
  const isDeployment = /^deploy(ments?)?$/.test(kind);
  if (!isDeployment && !/^jobs?$/.test(kind))
    throw new CommandFailure(`${workload}: name a pod, deploy/NAME or job/NAME`, EXIT.usage);
  const found = await (isDeployment ? client.get(DEPLOYMENTS, ref) : client.get(JOBS, ref));
  if (!found) throw new CommandFailure(`there is no ${workload} in namespace ${namespace}`);
  return await podsWith(cluster, selectorText(found.spec?.selector ?? {}));
}

interface Selector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

/** As the API takes it in a query. */
export function selectorText({ matchLabels = {}, matchExpressions = [] }: Selector): string {
  const labels = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
  const expressions = matchExpressions.map(({ key, operator, values = [] }) => {
    if (operator === "Exists") return key;
    if (operator === "DoesNotExist") return `!${key}`;
    return `${key} ${operator === "In" ? "in" : "notin"} (${values.join(",")})`;
  });
  return [...labels, ...expressions].join(",");
}

/** Those that have not ended. */
async function podsWith({ client, namespace }: Cluster, labelSelector: string): Promise<Pod[]> {
  const { items } = await client.list(PODS, { namespace, labelSelector });
  return items.filter(({ status }) => !["Succeeded", "Failed"].includes(status?.phase ?? ""));
}

/** Aborted by the first Ctrl-C, so that what was asked is taken away before the command ends. */
function whenInterrupted(): AbortSignal {
  const end = new AbortController();
  process.once("SIGINT", () => end.abort(new CommandFailure("interrupted", EXIT.interrupted)));
  return end.signal;
}

/** Asks by a dry run, and takes it away again. What goes wrong is the answer: of the other pods there is one all the same. */
async function ask(cluster: Cluster, pod: Pod, flags: CheckFlags, signal: AbortSignal): Promise<Answer> {
  const { client, namespace } = cluster;
  const asked = dryRunOf(pod, namespace, flags);
  try {
    const ref = { namespace, name: asked.metadata.name };
    await client.create(POD_MIGRATIONS, asked);
    const options = { clock: systemClock, ref, say: () => undefined, limitMs: LIMIT_MS, signal };
    return answerOf(
      pod,
      await followMove({ ...cluster, ...options }).finally(() => client.delete(POD_MIGRATIONS, ref)),
    );
  } catch (error) {
    signal.throwIfAborted();
    const message = `${error instanceof Error ? error.message : String(error)}; is Headroom's controller running?`;
    return answerOf(pod, { status: { phase: "Failed", reason: "NotAnswered", message } });
  }
}

function dryRunOf(pod: Pod, namespace: string, flags: CheckFlags): PodMigration {
  const spec = podMigrationSpecSchema.safeParse({
    podName: pod.metadata.name,
    dryRun: true,
    cancel: true, // a controller, or a CRD, that does not know dry runs moves nothing
    ...(flags.to ? { targetNode: flags.to } : {}),
    ...(flags.tcp ? { tcp: flags.tcp } : {}),
  });
  if (!spec.success) {
    const lines = spec.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new CommandFailure(lines.join("\n"), EXIT.usage);
  }
  const name = `check-${pod.metadata.name.slice(0, 234)}-${randomBytes(3).toString("hex")}`;
  return { apiVersion: API_VERSION, kind: "PodMigration", metadata: { name, namespace }, spec: spec.data };
}

export function answerOf(pod: Pod, { status }: { status?: Partial<PodMigrationStatus> }): Answer {
  const movable = status?.phase === "Cancelled" && status.reason === DRY_RUN;
  return {
    namespace: pod.metadata.namespace ?? "",
    pod: pod.metadata.name,
    node: pod.spec.nodeName,
    movable,
    ...(movable
      ? { targetNode: status?.targetNode, expectedFreezeMilliseconds: status?.freeze?.expectedMilliseconds }
      : {}),
    reason: status?.reason ?? "",
    message: status?.message ?? "",
    notes: movable ? notesOn(pod) : [],
  };
}

/** What changes with a move, and what a program may have been told of it when it was started. */
const CHANGES = /^(status\.(podIPs?|hostIPs?)|metadata\.(name|uid)|spec\.nodeName)$/;

function notesOn(pod: Pod): string[] {
  const told = pod.spec.containers.flatMap(({ env = [] }) =>
    env.filter(({ valueFrom }) => CHANGES.test(valueFrom?.fieldRef?.fieldPath ?? "")).map(({ name }) => name),
  );
  if (told.length === 0) return [];
  return [`its environment keeps the values of before the move: ${told.join(", ")}`];
}

export function render(answers: readonly Answer[]): string {
  const rows = answers.map(({ pod, node = "", movable, reason, message }) => [
    pod,
    node,
    movable ? "yes" : "no",
    movable ? message : `${reason}: ${message}`,
  ]);
  const notes = answers.flatMap(({ pod, notes: some }) => some.map((note) => `${pod}: ${note}`));
  const shown = table(["POD", "NODE", "MOVABLE", "HOW, OR WHY NOT"], rows);
  return [shown, ...(notes.length > 0 ? ["", ...notes] : [])].join("\n");
}
