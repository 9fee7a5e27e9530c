/**
 * Asks the agents about their nodes, for only the controller may query them: it keeps the answers for planning, publishes them in a ConfigMap for
 * `headroom nodes`, and gives nodes their turn to be prepared (../roll-out).
 */
import type { Turn } from "../../agent/protocol.ts";
import type { CheckpointDriver } from "../../checkpointing/driver.ts";
import { isAgentPod } from "../../checkpointing/trust/agent-sites.ts";
import { type Controller, type ControllerContext, type Term, watchRule } from "../../kube/controller.ts";
import { PODS, type Pod } from "../../kube/resources.ts";
import { attempt } from "../pod-migration/driver-failure.ts";
import { timeText } from "../pod-migration/status.ts";
import { candidateOf, type KnownNode, movingNodes, turnOf } from "../roll-out/candidates.ts";
import { decideTurns, type Failure, type RollOut, type Share } from "../roll-out/decide.ts";
import { Asking, reportsOf } from "./asking.ts";
import { PublishedReports } from "./published-reports.ts";
import type { NodeReport } from "./report.ts";

const ALL = { name: "all-nodes" };
/** While nodes wait for their turn. */
const ROLL_OUT_MS = 1_000;
/** What happened on a node is remembered for this long after its agent's pod has gone, for another pod may be on its way. */
const REMEMBER_MS = 90_000;

type Driver = Pick<CheckpointDriver, "features" | "prepare">;

export interface NodeReportsOptions {
  /** How many nodes are prepared at a time. */
  share: Share;
  /** Is filled with each node's last report. */
  known: Map<string, NodeReport>;
}

export function nodeReportsController(
  context: ControllerContext,
  driver: Driver,
  options: NodeReportsOptions,
): Controller {
  const { namespace } = context;
  const reports = new NodeReports(context, driver, options);
  const isAgent = (pod: Pod) => pod.metadata.namespace === namespace && isAgentPod(pod);
  return {
    name: "node-reports",
    // The report is updated immediately when an agent starts or becomes ready.
    watches: [watchRule({ kind: PODS, keys: (pod) => (isAgent(pod) ? [ALL] : []) })],
    initialKeys: [ALL],
    concurrency: 1,
    async reconcile(_key, term) {
      return { requeueAfterMs: await reports.update(agentsByNode(context.stores.pods.list(namespace), isAgent), term) };
    },
  };
}

/** A pod that is being deleted only where there is no other. */
function agentsByNode(pods: readonly Pod[], isAgent: (pod: Pod) => boolean): Map<string, Pod> {
  const isGoing = (pod: Pod) => pod.metadata.deletionTimestamp !== undefined;
  const ordered = pods.filter(isAgent).sort((a, b) => Number(isGoing(b)) - Number(isGoing(a)));
  return new Map(ordered.flatMap((pod) => (pod.spec.nodeName === undefined ? [] : [[pod.spec.nodeName, pod]])));
}

class NodeReports {
  readonly #context: ControllerContext;
  readonly #driver: Driver;
  readonly #options: NodeReportsOptions;
  readonly #asking = new Asking();
  /** Why an agent refused its turn, until it is asked again. */
  readonly #refusals = new Map<string, string>();
  #told: readonly Failure[] = [];

  constructor(context: ControllerContext, driver: Driver, options: NodeReportsOptions) {
    this.#context = context;
    this.#driver = driver;
    this.#options = options;
  }

  /** Resolves with the time until the next update, milliseconds. */
  async update(agents: ReadonlyMap<string, Pod>, term: Term): Promise<number> {
    const { client, namespace } = this.#context;
    const published = await PublishedReports.read(client, namespace);
    const nodes = await this.#gather(agents, published.reports);
    const rollOut = this.#decide(nodes);
    this.#tell(rollOut.failures, agents);
    const reports = reportsAfter(nodes, rollOut, await this.#giveTurns(rollOut.turns, term));
    this.#keep(reports);
    await published.replace(reports);
    const waits = rollOut.waits.size > 0 && rollOut.failures.length === 0;
    return Math.min(this.#asking.nextInMs(this.#nowMs()), waits ? ROLL_OUT_MS : Number.POSITIVE_INFINITY);
  }

  #keep(reports: ReadonlyMap<string, NodeReport>): void {
    const { known } = this.#options;
    known.clear();
    for (const [node, report] of reports) known.set(node, report);
  }

  async #gather(agents: ReadonlyMap<string, Pod>, before: ReadonlyMap<string, NodeReport>): Promise<KnownNode[]> {
    const nowMs = this.#nowMs();
    this.#asking.keep(agents);
    const due = [...agents].filter(([node, pod]) => !before.has(node) || this.#asking.isDue(node, pod, nowMs));
    const names = due.map(([node]) => node);
    const fresh = await reportsOf(this.#driver, names, before, () => timeText(this.#nowMs()));
    for (const [node, pod] of due) {
      this.#asking.asked(node, pod, fresh.get(node), this.#nowMs());
      this.#refusals.delete(node);
    }
    return [...new Map([...before, ...fresh])].flatMap(([node, report]) => {
      const pod = agents.get(node);
      const known = { node, pod, report, refusal: this.#refusals.get(node) };
      return pod !== undefined || isRemembered(report, nowMs) ? [known] : [];
    });
  }

  #decide(nodes: readonly KnownNode[]): RollOut {
    const moving = movingNodes(this.#context.stores.podMigrations.list());
    const nowMs = this.#nowMs();
    return decideTurns(
      nodes.map((known) => candidateOf(known, moving, nowMs)),
      this.#options.share,
    );
  }

  /**
   * Resolves with what the agents made of it. One that refuses is passed over until it is asked again; one that does not answer may have
   * begun.
   */
  async #giveTurns(nodes: readonly string[], { epoch, signal }: Term): Promise<Map<string, Turn>> {
    const turns = new Map<string, Turn>();
    const give = async (node: string): Promise<void> => {
      const answer = await attempt(this.#driver.prepare(node, { epoch, signal }));
      if (answer.ok) turns.set(node, answer.value);
      else if (answer.failure.reason === "Unreachable") turns.set(node, { state: "preparing" });
      else this.#refusals.set(node, answer.failure.message);
      this.#asking.soon(node, this.#nowMs());
      const refused = answer.ok ? {} : { refused: answer.failure.message };
      this.#context.logger.info("node's turn to be prepared", { node, ...refused });
    };
    await Promise.all(nodes.map(give));
    return turns;
  }

  /** Each failure once, as long as this process leads. */
  #tell(failures: readonly Failure[], agents: ReadonlyMap<string, Pod>): void {
    const { events, logger } = this.#context;
    for (const { node, message } of failures) {
      if (this.#told.some((one) => one.node === node && one.message === message)) continue;
      logger.error("roll-out stopped", { node, why: message });
      const pod = agents.get(node);
      if (pod) events.record(pod, "Warning", "RollOutStopped", stopMessage(node, message));
    }
    this.#told = failures;
  }

  #nowMs(): number {
    return this.#context.clock.now();
  }
}

/** What is published: a node that has just been given its turn is no longer waiting. */
function reportsAfter(
  nodes: readonly KnownNode[],
  { waits }: RollOut,
  given: ReadonlyMap<string, Turn>,
): Map<string, NodeReport> {
  const after = ({ node, report: { waits: _former, ...report } }: KnownNode): NodeReport => {
    const why = waits.get(node);
    const turn = given.get(node);
    return {
      ...report,
      ...(why === undefined ? {} : { waits: why }),
      ...(turn === undefined || report.features === undefined ? {} : { features: { ...report.features, turn } }),
    };
  };
  return new Map(nodes.map((known) => [known.node, after(known)]));
}

/** Another agent may be on its way to a node that could not be prepared, or is being prepared. */
function isRemembered(report: NodeReport, nowMs: number): boolean {
  const turn = turnOf(report, nowMs);
  const matters = turn?.state === "failed" || turn?.state === "preparing";
  return matters && nowMs - Date.parse(report.time) < REMEMBER_MS;
}

function stopMessage(node: string, why: string): string {
  return `node ${node} could not be prepared, and no other node gets its turn: ${why}. When the cause is removed, delete this pod: the next one tries again`;
}
