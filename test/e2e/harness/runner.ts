/**
 * Runs scenarios, each on a cluster of its own, but for neighbours that ask for the very same one: they share it. A failed test gets its
 * successors a new cluster.
 */
import { down, machineOf } from "../cluster/cluster.ts";
import type { Settings } from "../cluster/settings.ts";
import { patient, waitFor } from "../cluster/wait.ts";
import type { Api } from "./api.ts";
import { clearNamespace, clearPolicies } from "./cleaning.ts";
import { diagnose } from "./diagnosis.ts";
import type { Context, Scenario, Test } from "./scenario.ts";
import { closeStage, openStage, runningStage, type Stage } from "./stage.ts";

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

export interface RunnerOptions {
  settings: Settings;
  /** Only tests whose name contains this. */
  only?: string | undefined;
  /** Leaves the last cluster up: the last scenario's, or the first failed test's. */
  keep: boolean;
  /** Uses the cluster that is up, with what is installed on it, and leaves it up. */
  attach: boolean;
  print: (line: string) => void;
}

const TEST_LIMIT_SECONDS = 240;

export class Runner {
  readonly #options: RunnerOptions;
  readonly counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  #stage: Stage | undefined;
  /** What the scenario asked for whose cluster stands. */
  #asked = "";
  #tests = 0;

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  async run(scenarios: readonly Scenario[]): Promise<void> {
    for (const scenario of scenarios) {
      await this.#scenario(scenario);
      if (this.counts.failed > 0 && this.#options.keep) break;
    }
    await this.#leave(this.#options.keep || this.#options.attach);
  }

  async #scenario(scenario: Scenario): Promise<void> {
    const { only, print } = this.#options;
    const tests = scenario.tests.filter((test) => !only || test.name.includes(only));
    if (tests.length === 0) return;
    print(`(${scenario.id}) ${scenario.title}`);
    const asked = JSON.stringify([scenario.nodeMemoryMiB, scenario.kubelet, scenario.headroom, scenario.virtual]);
    if (scenario.headroom === false || asked !== this.#asked) await this.#leave();
    this.#asked = asked;
    for (const test of tests) {
      await this.#test(scenario, test);
      if (this.counts.failed > 0 && this.#options.keep) return; // left as it is, to be looked at
    }
  }

  async #test(scenario: Scenario, test: Test): Promise<void> {
    const started = performance.now();
    const notes: string[] = [];
    const seconds = (): string => ((performance.now() - started) / 1000).toFixed(1);
    try {
      this.#stage ??= await this.#enter(scenario);
      await this.#play(this.#stage, scenario, test, notes);
      this.counts.passed += 1;
      this.#options.print(`  ok   ${test.name} (${seconds()} s)`);
    } catch (error) {
      this.counts.failed += 1;
      this.#options.print(`  FAIL ${test.name} (${seconds()} s)`);
      notes.push(error instanceof Error ? error.message : String(error));
      if (this.#stage) notes.push(`logs: ${await diagnose(this.#stage.cluster)}`);
      await this.#leave(this.#options.keep || this.#options.attach);
    }
    for (const note of notes) this.#options.print(`       ${note.replaceAll("\n", "\n       ")}`);
  }

  async #play(stage: Stage, scenario: Scenario, test: Test, notes: string[]): Promise<void> {
    const number = ++this.#tests;
    // A cluster that stays up may still have what an earlier run has left.
    const run = this.#options.attach ? `-${process.pid}` : "";
    const namespace = `e2e-${scenario.id}-${number}${run}`;
    await createNamespace(stage.api, namespace);
    const context: Context = {
      ...stage,
      namespace,
      workload: (name) => `${name}-${number}${run}`,
      node: (name) => machineOf(stage.cluster, name),
      note: (line) => notes.push(line),
    };
    await withLimit(test.run(context), patient(test.limitSeconds ?? TEST_LIMIT_SECONDS));
    await clearPolicies(stage.api);
    await clearNamespace(stage.api, namespace);
  }

  async #enter(scenario: Scenario): Promise<Stage> {
    const { settings, print, attach } = this.#options;
    return attach ? runningStage(settings) : openStage(settings, scenario, print);
  }

  async #leave(keepCluster = this.#options.attach): Promise<void> {
    const stage = this.#stage;
    this.#stage = undefined;
    if (stage) await closeStage(stage);
    if (!keepCluster) await down(this.#options.settings, () => undefined);
  }
}

/** Resolves when pods may be created in it: when its service account is there. */
async function createNamespace(api: Api, name: string): Promise<void> {
  await api.create("/api/v1/namespaces", { metadata: { name } });
  const account = `/api/v1/namespaces/${name}/serviceaccounts/default`;
  await waitFor(`the service account of namespace ${name}`, 30, () => api.get(account), 50);
}

async function withLimit(work: Promise<void>, limitSeconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${limitSeconds} s`)), limitSeconds * 1000);
  });
  await Promise.race([work, limit]).finally(() => clearTimeout(timer));
}
