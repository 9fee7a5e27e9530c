/** A cluster in which one pod after the other is moved while somebody dies; and what must hold afterwards. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { API_VERSION } from "../../../src/api/v1alpha1/group.ts";
import { FINAL_PHASES, phaseSchema } from "../../../src/api/v1alpha1/pod-migration.ts";
import { systemClock } from "../../../src/kube/clock.ts";
import { type ApiObject, type JsonObject, numberAt, objectAt, stringAt } from "../../../src/sandbox/api-server/json.ts";
import { MEMORY_ANNOTATION } from "../../../src/sandbox/nodes/memory-curve.ts";
import type { ProcessChange, SimulatedProcess } from "../../../src/sandbox/nodes/process.ts";
import { Sandbox } from "../../../src/sandbox/sandbox.ts";
import { until } from "../../support/until.ts";
import { Boundaries, type Victim } from "./boundaries.ts";
import { Controllers } from "./controllers.ts";

export type Owner = "none" | "Deployment" | "Job";
export type VictimName = "controller" | "source agent" | "target agent";

export interface MoveOptions {
  owner: Owner;
  victim?: VictimName;
  /** The boundary at which the victim dies; absent: nobody does. */
  killAt?: number;
  restoreFails?: boolean;
}

export interface Outcome {
  trace: string[];
  phase: string;
  /** Sentences; empty when all is well. */
  complaints: string[];
}

const GI = 2 ** 30;
const AGENT_IS_DOWN_MS = 150;
const MOVE_LIMIT_MS = 40_000;

export class Scene {
  readonly #sandbox: Sandbox;
  readonly #controllers: Controllers;
  readonly #boundaries: Boundaries;
  readonly #directory: string;
  readonly #untimely: string[] = [];
  #moves = 0;

  private constructor(sandbox: Sandbox, boundaries: Boundaries, directory: string) {
    this.#sandbox = sandbox;
    this.#boundaries = boundaries;
    this.#directory = directory;
    this.#controllers = new Controllers(sandbox, directory);
  }

  static async open(): Promise<Scene> {
    const directory = mkdtempSync(join(tmpdir(), "headroom-death-"));
    const boundaries = new Boundaries();
    const sandbox = await Sandbox.start({
      clock: systemClock,
      nodes: ["n1", "n2"].map((name) => ({ name, capacityBytes: 4 * GI })),
      headroom: true,
      directory,
      timing: { viewMs: 5, startMs: 30, stopMs: 10, restartMs: 50 },
      bandwidth: 2e9,
      api: { intercept: boundaries.intercept },
      aroundRuntime: boundaries.around,
    });
    const scene = new Scene(sandbox, boundaries, directory);
    sandbox.cluster.witness.listener = (change) => scene.#heed(change);
    await scene.#controllers.start();
    return scene;
  }

  async close(): Promise<void> {
    await this.#controllers.stop();
    await this.#sandbox.close();
    rmSync(this.#directory, { recursive: true });
  }

  /** A copy runs only after the commit, a source runs on only after it was decided to roll back. */
  #heed({ process, from, to }: ProcessChange): void {
    const move = this.#sandbox.server.store.get("podmigrations.headroom.dev", "default", `w${this.#moves}`);
    const phase = stringAt(move, "status", "phase") ?? "none";
    const allowed = {
      held: ["Committed", "Succeeded", "Failed"],
      frozen: ["RollingBack", "RolledBack", "Failed", "Cancelled"],
    };
    if (to !== "running" || (from !== "held" && from !== "frozen") || allowed[from].includes(phase)) return;
    this.#untimely.push(`${process.pod}, ${from} on ${process.node}, was let run in phase ${phase}`);
  }

  /** Moves a new workload's pod; at boundary `killAt` the victim dies (absent: nobody). */
  async move({ owner, victim = "controller", killAt, restoreFails = false }: MoveOptions): Promise<Outcome> {
    this.#boundaries.restoreFails = restoreFails;
    const name = `w${++this.#moves}`;
    const pod = await this.#startWorkload(owner, name);
    const source = this.#processOf(pod);
    const from = source.node;
    const to = from === "n1" ? "n2" : "n1";
    this.#boundaries.begin(killAt, this.#victim(victim, from, to));
    this.#sandbox.server.apply({
      apiVersion: API_VERSION,
      kind: "PodMigration",
      metadata: { name, namespace: "default" },
      spec: { podName: pod.metadata.name, targetNode: to },
    });
    await until(() => this.#phase(name) !== undefined, `the move of ${name} (${owner}) ends`, MOVE_LIMIT_MS);
    this.#boundaries.end();
    await until(() => this.#atRest(owner, name), `${name} is at rest`, MOVE_LIMIT_MS).catch(() => {});
    const complaints = this.#complaints(owner, name, source);
    await this.#removeWorkload(owner, name);
    return { trace: [...this.#boundaries.trace], phase: this.#phase(name) ?? "", complaints };
  }

  #victim(name: VictimName, from: string, to: string): Victim {
    if (name === "controller") return { kind: "controller", kill: () => this.#controllers.killLeader() };
    const node = name === "source agent" ? from : to;
    return { kind: "agent", node, kill: () => void this.#restartAgent(node) };
  }

  async #restartAgent(node: string): Promise<void> {
    const agent = this.#sandbox.agents.get(node);
    await agent?.kill();
    systemClock.after(AGENT_IS_DOWN_MS, () => void agent?.start());
  }

  async #startWorkload(owner: Owner, name: string): Promise<ApiObject> {
    this.#sandbox.server.apply(manifest(owner, name));
    await until(() => this.#running(name).length === 1, `${name} runs`);
    await until(() => stringAt(this.#pods(name)[0], "status", "phase") === "Running", `${name} is known to run`);
    const [pod] = this.#pods(name);
    if (!pod) throw new Error(`there is no pod of ${name}`);
    return pod;
  }

  #pods(name: string): ApiObject[] {
    const all = this.#sandbox.server.store.list("pods", "default");
    return all.filter(({ metadata }) => metadata.name.startsWith(`${name}-`) || metadata.name === name);
  }

  /** Processes of the workload that run, by the names of their pods. */
  #running(name: string): SimulatedProcess[] {
    const { witness } = this.#sandbox.cluster;
    return witness.running().filter(({ pod }) => pod === `default/${name}` || pod.startsWith(`default/${name}-`));
  }

  #processOf(pod: ApiObject): SimulatedProcess {
    const process = this.#running(pod.metadata.name)[0];
    if (!process) throw new Error(`pod ${pod.metadata.name} does not run`);
    return process;
  }

  /** The phase, once it is final. */
  #phase(name: string): string | undefined {
    const move = this.#sandbox.server.store.get("podmigrations.headroom.dev", "default", name);
    const phase = phaseSchema.safeParse(stringAt(move, "status", "phase"));
    return phase.success && FINAL_PHASES.has(phase.data) ? phase.data : undefined;
  }

  #atRest(owner: Owner, name: string): boolean {
    const [pod, ...others] = this.#pods(name);
    const alone = pod !== undefined && others.length === 0 && !pod.metadata.deletionTimestamp;
    return (
      alone && this.#running(name).length === 1 && this.#leftovers().length === 0 && this.#ownerIsSettled(owner, name)
    );
  }

  #ownerIsSettled(owner: Owner, name: string): boolean {
    if (owner !== "Job") return true;
    return numberAt(this.#sandbox.server.store.get("jobs.batch", "default", name), "status", "active") === 1;
  }

  /** What moves have left on the nodes. */
  #leftovers(): string[] {
    const staged = [...this.#sandbox.cluster.nodes.values()].flatMap(({ name, staging }) =>
      [...staging.keys()].map((move) => `${name} still stages move ${move}`),
    );
    const records = [...this.#sandbox.agents.values()].flatMap(({ node, moves }) =>
      moves.map(({ moveUID, role, state }) => `${node} has move ${moveUID} on record: ${role} ${state}`),
    );
    return [...staged, ...records];
  }

  #complaints(owner: Owner, name: string, source: SimulatedProcess): string[] {
    const { witness } = this.#sandbox.cluster;
    const { instance } = source;
    const lost = witness.losses.filter((loss) => loss.instance === instance);
    const running = this.#running(name);
    const pods = this.#pods(name).map(({ metadata }) => metadata.name);
    const job = this.#sandbox.server.store.get("jobs.batch", "default", name);
    return [
      ...witness.violations.splice(0),
      ...this.#untimely.splice(0),
      ...lost.map(({ node, pod }) => `the last copy of the process died: ${pod} on ${node}`),
      ...(running.length === 1
        ? []
        : [`${running.length} processes run: ${running.map((p) => `${p.pod} on ${p.node}`)}`]),
      ...running.filter((process) => process.instance !== instance).map(({ pod }) => `${pod} was started cold`),
      ...(pods.length === 1 ? [] : [`there are ${pods.length} pods: ${pods}`]),
      ...(owner === "Job" && numberAt(job, "status", "failed") !== 0 ? ["the Job has counted a failure"] : []),
      ...this.#leftovers(),
    ];
  }

  async #removeWorkload(owner: Owner, name: string): Promise<void> {
    const { url } = this.#sandbox.server;
    const collections = {
      none: "",
      Deployment: "apis/apps/v1/namespaces/default/deployments",
      Job: "apis/batch/v1/namespaces/default/jobs",
    };
    const targets = [
      ...(owner === "none" ? [] : [`${url}/${collections[owner]}/${name}?propagationPolicy=Background`]),
      ...this.#pods(name).map(
        ({ metadata }) => `${url}/api/v1/namespaces/default/pods/${metadata.name}?gracePeriodSeconds=0`,
      ),
    ];
    for (const target of targets) await fetch(target, { method: "DELETE" });
    await until(() => this.#pods(name).length === 0, `${name} is removed`);
  }
}

function manifest(owner: Owner, name: string): JsonObject {
  const labels = { app: name };
  const metadata = { labels, annotations: { [MEMORY_ANNOTATION]: "0s=48Mi" } };
  const spec = { terminationGracePeriodSeconds: 1, containers: [{ name: "main", image: "counter:1" }] };
  if (owner === "none") {
    return { apiVersion: "v1", kind: "Pod", metadata: { ...metadata, name, namespace: "default" }, spec };
  }
  const own = { name, namespace: "default" };
  if (owner === "Deployment") {
    const deployment = { replicas: 1, selector: { matchLabels: labels }, template: { metadata, spec } };
    return { apiVersion: "apps/v1", kind: "Deployment", metadata: own, spec: deployment };
  }
  const template = { metadata, spec: { ...objectAt(spec), restartPolicy: "Never" } };
  return { apiVersion: "batch/v1", kind: "Job", metadata: own, spec: { backoffLimit: 0, template } };
}
