/** Judges one move by what its processes did: what ran beside what, what was lost that could have been saved, what is left behind. */
import { stringAt, valueAt } from "../../../src/sandbox/api-server/json.ts";
import { matchesLabelSelector } from "../../../src/sandbox/api-server/selectors.ts";
import type { Registration } from "../../../src/sandbox/nodes/node.ts";
import type { ProcessChange, SimulatedProcess } from "../../../src/sandbox/nodes/process.ts";
import type { Fault, Stage } from "./faults.ts";

const UNDECIDED = new Set(["none", "Pending", "Preflight", "Preparing", "Frozen", "Restoring"]);
const MAY_RESUME = new Set(["RollingBack", "RolledBack", "Failed", "Cancelled"]);

export class Verdict {
  readonly #stage: Stage;
  readonly #source: SimulatedProcess;
  readonly #isProbed: boolean;
  /** Sentences. */
  readonly complaints: string[] = [];
  /** A fault left nothing from which the process could go on. */
  excused = false;

  constructor(stage: Stage, source: SimulatedProcess, isProbed: boolean) {
    this.#stage = stage;
    this.#source = source;
    this.#isProbed = isProbed;
  }

  /** In the moment of every change of any process. */
  readonly observe = (change: ProcessChange): void => {
    const { process, from, to } = change;
    if (!this.#isOfMove(process.pod) || to !== "running") return;
    this.#alone(process);
    this.#underItsPolicies(process);
    if (process.instance !== this.#source.instance) return;
    if ((from === "held" && UNDECIDED.has(this.#phase)) || (from === "frozen" && !this.#mayResume()))
      this.complaints.push(`${process.pod}, ${from} on ${process.node}, was let run in phase ${this.#phase}`);
  };

  /** Right after a fault: is there still something from which the process can go on? */
  afterStrike({ endsSource = false, endsCopy = false, wanted = false, silences }: Fault): void {
    const standsStill = this.#isProbed && this.#source.state === "frozen";
    // The table waits for a target that may have released its copy, and nobody can resume a source that is silent: probes don't wait.
    const inVain = standsStill && (silences === "source" || (silences === "target" && this.#phase === "Committed"));
    const source = this.#source.state !== "dead" && !endsSource && !inVain && !this.#isReleased();
    const target = !endsCopy && !(inVain && silences === "target");
    this.excused ||= wanted || !(source || (target && (this.#copyLives() || this.#imagesAreWhole())));
  }

  get survived(): boolean {
    return this.#running().some(({ instance }) => instance === this.#source.instance);
  }

  /** After the move. */
  lost(): string[] {
    return this.survived || this.excused ? [] : ["the process is lost, and could have been saved"];
  }

  #running(): SimulatedProcess[] {
    return this.#stage.sandbox.cluster.witness.running();
  }

  get #move() {
    return this.#stage.sandbox.server.store.get("podmigrations.headroom.dev", "default", this.#stage.name);
  }

  get #phase(): string {
    return stringAt(this.#move, "status", "phase") ?? "none";
  }

  /** Its pods: the source, and what the move made of it. Those that an owner makes are others. */
  #isOfMove(pod: string): boolean {
    const source = `default/${this.#stage.source.name}`;
    return pod === source || pod === `default/${stringAt(this.#move, "status", "targetPodName")}`;
  }

  #alone(process: SimulatedProcess): void {
    const beside = this.#running().filter((other) => other !== process && this.#isOfMove(other.pod));
    if (beside.length > 0)
      this.complaints.push(
        `${process.pod} on ${process.node} runs beside ${beside.map(({ pod, node }) => `${pod} on ${node}`)}`,
      );
  }

  #underItsPolicies(process: SimulatedProcess): void {
    const { store } = this.#stage.sandbox.server;
    const pod = store.get("pods", "default", process.pod.replace("default/", ""));
    const labels = pod?.metadata.labels ?? {};
    const policies = store.list("networkpolicies.networking.k8s.io", "default");
    const own = policies.filter(({ metadata }) => metadata.name === this.#stage.name);
    if (pod && !own.every((policy) => matchesLabelSelector(valueAt(policy, "spec", "podSelector"), labels)))
      this.complaints.push(`${process.pod} runs without the labels by which its NetworkPolicy selects it`);
  }

  /** It was decided so, or the target's agent has made sure that the copy never runs. */
  #mayResume(): boolean {
    return MAY_RESUME.has(this.#phase) || this.#registrations().some(({ barred }) => barred);
  }

  #registrations(): Registration[] {
    const all = [...this.#stage.sandbox.cluster.node(this.#stage.to).registrations.values()];
    return all.filter(({ moveUID }) => moveUID === this.#move?.metadata.uid);
  }

  /** The copy may have run: what else there was of the process is old. */
  #isReleased(): boolean {
    return this.#registrations().some(({ released }) => released) || this.#phase === "Succeeded";
  }

  #copyLives(): boolean {
    const { to } = this.#stage;
    const containers = [...this.#stage.sandbox.cluster.node(to).containers.values()];
    return containers.some(({ process }) => process.instance === this.#source.instance && process.state !== "dead");
  }

  #imagesAreWhole(): boolean {
    const staged = this.#stage.sandbox.cluster.node(this.#stage.to).staging.get(this.#move?.metadata.uid ?? "");
    return !this.#isReleased() && staged?.image !== undefined;
  }
}
