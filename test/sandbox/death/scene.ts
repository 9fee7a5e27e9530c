/** A cluster in which one pod after the other is moved while something happens; and what must hold afterwards. */
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { API_VERSION } from "../../../src/api/v1alpha1/group.ts";
import { FINAL_PHASES, phaseSchema } from "../../../src/api/v1alpha1/pod-migration.ts";
import { type Logger, silentLogger } from "../../../src/logging/logger.ts";
import { type ApiObject, numberAt, stringAt } from "../../../src/sandbox/api-server/json.ts";
import { HEADROOM_NAMESPACE } from "../../../src/sandbox/installation.ts";
import type { SimulatedProcess } from "../../../src/sandbox/nodes/process.ts";
import { isReady } from "../../../src/sandbox/nodes/replica-sets.ts";
import { Sandbox } from "../../../src/sandbox/sandbox.ts";
import { Boundaries } from "./boundaries.ts";
import { Controllers } from "./controllers.ts";
import type { Fault, Stage } from "./faults.ts";
import { Verdict } from "./verdict.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { manifests, type Workload } from "./workloads.ts";

export interface MoveOptions extends Workload {
  fault?: Fault;
  /** The boundary at which it strikes, or the first whose name ends like this. */
  at?: number | string;
  /** Of the link from source to target, bytes per second, from the beginning. */
  bandwidth?: number;
  restoreFails?: boolean;
}

export interface Outcome {
  trace: string[];
  phase: string;
  reason: string;
  /** The process runs on somewhere. */
  survived: boolean;
  /** Sentences; empty when all is well. */
  complaints: string[];
}

const GI = 2 ** 30;
const MINUTE_MS = 60_000;
const MOVE_LIMIT_MS = 60 * MINUTE_MS;
const REST_LIMIT_MS = 40 * MINUTE_MS;
const BANDWIDTH = 2e9;
const TICK_MS = 200;
/** The longest that a watch waits before it tries again. */
const BACK_OFF_MS = 40_000;

export class Scene {
  readonly #clock: VirtualClock;
  readonly #sandbox: Sandbox;
  readonly #controllers: Controllers;
  readonly #boundaries: Boundaries;
  readonly #directory: string;
  #moves = 0;
  /** What faults have broken and is not mended yet. */
  #broken = 0;
  /** From then on everybody has tried again what failed meanwhile. */
  #wholeAtMs = 0;

  private constructor(clock: VirtualClock, sandbox: Sandbox, boundaries: Boundaries, directory: string) {
    this.#clock = clock;
    this.#sandbox = sandbox;
    this.#boundaries = boundaries;
    this.#directory = directory;
    this.#controllers = new Controllers(sandbox, clock, logger(clock));
  }

  static async open(): Promise<Scene> {
    const directory = mkdtempSync(join(tmpdir(), "headroom-death-"));
    let isDead = (_token: string): boolean => false;
    const boundaries = new Boundaries((token) => isDead(token));
    const clock = new VirtualClock();
    const sandbox = await Sandbox.start({
      clock,
      nodes: ["n1", "n2"].map((name) => ({ name, capacityBytes: 64 * GI })),
      headroom: true,
      directory,
      bandwidth: BANDWIDTH,
      tickMs: TICK_MS,
      api: { intercept: boundaries.intercept },
      aroundRuntime: boundaries.around,
    });
    const scene = new Scene(clock, sandbox, boundaries, directory);
    isDead = (token) => scene.#controllers.isDead(token);
    await scene.#controllers.start();
    return scene;
  }

  async close(): Promise<void> {
    this.#controllers.stop();
    await this.#sandbox.close();
    rmSync(this.#directory, { recursive: true });
  }

  /** Moves a new workload's pod; at boundary `at` the fault strikes (absent: nothing happens). */
  async move(options: MoveOptions): Promise<Outcome> {
    const { fault, at } = options;
    this.#boundaries.restoreFails = options.restoreFails ?? false;
    const name = `w${++this.#moves}`;
    const pod = await this.#startWorkload(options, name);
    const source = this.#processOf(pod);
    const stage = this.#stage(name, pod, source.node);
    this.#sandbox.cluster.links.limit(stage.from, stage.to, options.bandwidth);
    const verdict = new Verdict(stage, source, options.hasLivenessProbe ?? true);
    this.#sandbox.cluster.witness.listener = verdict.observe;
    this.#boundaries.begin(at, () => {
      const struck = fault?.strike(stage) ?? {};
      if (fault) verdict.afterStrike(fault);
      return struck;
    });
    this.#sandbox.server.apply({
      apiVersion: API_VERSION,
      kind: "PodMigration",
      metadata: { name, namespace: "default" },
      spec: { podName: pod.metadata.name, targetNode: stage.to },
    });
    const ended = await this.#clock.until(() => this.#phase(name) !== undefined, MOVE_LIMIT_MS);
    this.#boundaries.end();
    const atRest = await this.#clock.until(() => this.#atRest(options, name, verdict), REST_LIMIT_MS);
    const complaints = [
      ...(ended ? [] : ["the move does not end"]),
      ...verdict.complaints,
      ...this.#sandbox.cluster.witness.violations.splice(0),
      ...verdict.lost(),
      ...(atRest ? [] : this.#unrest(options, name, verdict)),
    ];
    const move = this.#sandbox.server.store.get("podmigrations.headroom.dev", "default", name);
    const outcome = {
      trace: [...this.#boundaries.trace],
      phase: stringAt(move, "status", "phase") ?? "",
      reason: stringAt(move, "status", "reason") ?? "",
      survived: verdict.survived,
      complaints,
    };
    await this.#removeWorkload(options, name);
    return outcome;
  }

  #stage(name: string, pod: ApiObject, from: string): Stage {
    const { server } = this.#sandbox;
    const target = () => {
      const move = server.store.get("podmigrations.headroom.dev", "default", name);
      const targetName = stringAt(move, "status", "targetPodName");
      const uid = targetName && server.store.get("pods", "default", targetName)?.metadata.uid;
      return targetName && uid ? { name: targetName, uid } : undefined;
    };
    return {
      sandbox: this.#sandbox,
      clock: this.#clock,
      controllers: this.#controllers,
      boundaries: this.#boundaries,
      name,
      from,
      to: from === "n1" ? "n2" : "n1",
      source: { name: pod.metadata.name, uid: pod.metadata.uid },
      target,
      mend: (afterMs, undo) => this.#mend(afterMs, undo),
    };
  }

  #mend(afterMs: number, undo: () => void): void {
    this.#broken++;
    this.#clock.after(afterMs, () => {
      this.#broken--;
      this.#wholeAtMs = this.#clock.now() + BACK_OFF_MS;
      undo();
    });
  }

  async #startWorkload(workload: Workload, name: string): Promise<ApiObject> {
    for (const manifest of manifests(workload, name)) this.#sandbox.server.apply(manifest);
    const runs = () =>
      this.#running(name).length === 1 && stringAt(this.#pods(name)[0], "status", "phase") === "Running";
    await this.#clock.until(runs, MINUTE_MS);
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

  #atRest(workload: Workload, name: string, verdict: Verdict): boolean {
    return this.#isWhole() && this.#unrest(workload, name, verdict).length === 0;
  }

  /** Whatever a fault has broken is mended, and back at work. */
  #isWhole(): boolean {
    const { server, agents } = this.#sandbox;
    const pods = server.store.list("pods", HEADROOM_NAMESPACE);
    const up = [...agents.values()].every((agent) => agent.running && agent.enrolled);
    return (
      this.#broken === 0 &&
      this.#clock.now() >= this.#wholeAtMs &&
      up &&
      [...server.store.list("nodes"), ...pods].every(isReady)
    );
  }

  /** What keeps the cluster from being as before, with the pod elsewhere or not. */
  #unrest({ owner }: Workload, name: string, { survived, excused }: Verdict): string[] {
    const pods = this.#pods(name);
    const running = this.#running(name);
    const job = this.#sandbox.server.store.get("jobs.batch", "default", name);
    const deleting = pods.filter(({ metadata }) => metadata.deletionTimestamp);
    return [
      ...this.#leftovers(),
      ...deleting.map(({ metadata }) => `pod ${metadata.name} is still being deleted`),
      ...(running.length > 1 ? [`${running.length} processes run: ${running.map(({ pod }) => pod)}`] : []),
      ...(survived && pods.length !== 1 ? [`there are ${pods.length} pods: ${pods.map((p) => p.metadata.name)}`] : []),
      ...(survived && !excused && owner === "Job" && numberAt(job, "status", "failed") !== 0
        ? ["the Job has counted a failure"]
        : []),
      ...(survived && owner === "Job" && numberAt(job, "status", "active") !== 1
        ? ["the Job counts no active pod"]
        : []),
    ];
  }

  /** What moves have left on the nodes. */
  #leftovers(): string[] {
    const onNodes = [...this.#sandbox.cluster.nodes.values()].flatMap(({ name, staging, landings, guards }) => [
      ...[...staging.keys()].map((move) => `${name} still stages move ${move}`),
      ...[...landings.keys()].map((move) => `${name} still has files of move ${move}`),
      ...[...guards.values()].map(({ moveUID }) => `${name} still guards the source of move ${moveUID}`),
    ]);
    const records = [...this.#sandbox.agents.values()].flatMap(({ node, moves }) =>
      moves.map(({ moveUID, role, state }) => `${node} has move ${moveUID} on record: ${role} ${state}`),
    );
    return [...onNodes, ...records];
  }

  async #removeWorkload({ owner }: Workload, name: string): Promise<void> {
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
      `${url}/apis/networking.k8s.io/v1/namespaces/default/networkpolicies/${name}`,
    ];
    for (const target of targets) await fetch(target, { method: "DELETE" });
    await this.#clock.until(() => this.#pods(name).length + this.#running(name).length === 0, MINUTE_MS);
  }
}

const inWords = (_key: string, value: unknown): unknown => (value instanceof Error ? value.message : value);

/** What the controllers have to say, with the cluster's own time, goes to the file that HEADROOM_DEATH_LOG names, if it does. */
function logger(clock: VirtualClock): Logger {
  const file = process.env.HEADROOM_DEATH_LOG;
  if (file === undefined) return silentLogger;
  const write =
    (level: string) =>
    (message: string, fields: object = {}) =>
      appendFileSync(
        file,
        `${new Date(clock.now()).toISOString()} ${level} ${message} ${JSON.stringify(fields, inWords)}\n`,
      );
  const log: Logger = {
    debug: () => {},
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: () => log,
  };
  return log;
}
