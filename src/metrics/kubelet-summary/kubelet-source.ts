/** Memory straight from the kubelets, through the API server's proxy: the source that needs nothing installed. */
import { type KubeClient, KubeError } from "../../kube/client.ts";
import type { Clock } from "../../kube/clock.ts";
import type { CollectRequest, CollectResult, MemoryPressure, MetricsSource, MetricsUnavailable } from "../source.ts";
import { DEFAULT_LIMITS, type StoreLimits, UsageStore } from "../usage-store.ts";
import { eachWithLimit } from "./each-with-limit.ts";
import { readSummary, type Summary } from "./summary.ts";

export interface KubeletSourceOptions {
  limits: StoreLimits;
  /** Kubelets asked at a time. */
  concurrency: number;
  /** For one kubelet. Milliseconds. */
  timeoutMs: number;
}

export const DEFAULT_KUBELET_OPTIONS: KubeletSourceOptions = {
  limits: DEFAULT_LIMITS,
  concurrency: 16,
  timeoutMs: 5_000,
};

const CHANNEL = "summary";

type Answer = { ok: true; summary: Summary } | { ok: false; error: MetricsUnavailable };

export class KubeletSource implements MetricsSource {
  readonly name = "KubeletSummary";
  readonly #kube: Pick<KubeClient, "getRaw">;
  readonly #clock: Pick<Clock, "after">;
  readonly #options: KubeletSourceOptions;
  readonly #store: UsageStore;

  constructor(
    kube: Pick<KubeClient, "getRaw">,
    clock: Pick<Clock, "after">,
    options: Partial<KubeletSourceOptions> = {},
  ) {
    this.#kube = kube;
    this.#clock = clock;
    this.#options = { ...DEFAULT_KUBELET_OPTIONS, ...options };
    this.#store = new UsageStore(this.#options.limits);
  }

  /** A kubelet that fails is noted on its node; only when every one fails there is no reading. */
  async collect(request: CollectRequest): Promise<CollectResult> {
    this.#store.begin(request, request.nowMs);
    const pressures = new Map<string, MemoryPressure>();
    const errors = await this.#askAll(request, pressures);
    const [firstError] = errors.values();
    if (firstError !== undefined && errors.size === request.nodes.length) {
      return { ok: false, error: { ...firstError, message: `No kubelet can be asked. ${firstError.message}` } };
    }
    const { nodes, pods } = this.#store.read([CHANNEL]);
    for (const [name, error] of errors) {
      const node = nodes.get(name);
      if (node !== undefined) node.error = error;
    }
    for (const [name, pressure] of pressures) {
      const node = nodes.get(name);
      if (node !== undefined) node.pressure = pressure;
    }
    return { ok: true, reading: { source: this.name, takenAtMs: request.nowMs, nodes, pods } };
  }

  async #askAll(
    request: CollectRequest,
    pressures: Map<string, MemoryPressure>,
  ): Promise<Map<string, MetricsUnavailable>> {
    const errors = new Map<string, MetricsUnavailable>();
    const nodeOfPod = new Map(request.pods.map(({ uid, node }) => [uid, node]));
    await eachWithLimit(request.nodes, this.#options.concurrency, async ({ name }) => {
      const answer = await this.#ask(name);
      if (!answer.ok) return void errors.set(name, answer.error);
      this.#keep(name, answer.summary, nodeOfPod);
      const { pressure } = answer.summary.node ?? {};
      if (pressure !== undefined) pressures.set(name, pressure);
    });
    return errors;
  }

  async #ask(node: string): Promise<Answer> {
    try {
      const answer = readSummary(await this.#withinTime(this.#kube.getRaw(summaryPath(node))));
      if (answer.ok) return answer;
      return { ok: false, error: { reason: "BadAnswer", message: `Kubelet of ${node}: ${answer.message}` } };
    } catch (error) {
      return { ok: false, error: describeFailure(node, error) };
    }
  }

  /** The client's own limit is made for the API server; a node that is gone must not hold up the evaluation as long. */
  #withinTime(answer: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const late = () => reject(new KubeError("Timeout", `no answer in ${this.#options.timeoutMs / 1000} s`));
      const timer = this.#clock.after(this.#options.timeoutMs, late);
      answer.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  /** A node speaks for itself and its own pods only. */
  #keep(node: string, { node: own, containers }: Summary, nodeOfPod: ReadonlyMap<string, string>): void {
    if (own !== undefined) this.#store.addNode(node, CHANNEL, own.timeMs, own.figures);
    for (const { podUID, container, timeMs, bytes } of containers) {
      if (nodeOfPod.get(podUID) === node) this.#store.addContainer(podUID, container, timeMs, bytes);
    }
  }
}

function summaryPath(node: string): string {
  return `/api/v1/nodes/${encodeURIComponent(node)}/proxy/stats/summary?only_cpu_and_memory=true`;
}

function describeFailure(node: string, error: unknown): MetricsUnavailable {
  const message = `Kubelet of ${node}: ${error instanceof Error ? error.message : String(error)}`;
  if (!(error instanceof KubeError)) return { reason: "Unreachable", message };
  switch (error.reason) {
    case "Forbidden":
    case "Unauthorized":
      return { reason: "Unauthorized", message: `${message} (needs get on nodes/proxy)` };
    case "Timeout":
      return { reason: "Timeout", message };
    case "NotFound":
      return { reason: "NotFound", message };
    default:
      return { reason: "Unreachable", message };
  }
}
