/** What a scenario is, and what its tests are given. */
import type { Cluster } from "../cluster/cluster.ts";
import type { Machine } from "../cluster/machine.ts";
import type { Api } from "./api.ts";
import type { Place } from "./stage.ts";
import type { Witness } from "./witness.ts";

export interface Context {
  cluster: Cluster;
  api: Api;
  witness: Witness;
  /** A namespace of this test's own. Workloads' names need not differ between tests: `workload()` makes them differ. */
  namespace: string;
  /** A name that no other test gives to a workload: the witness knows workloads by their names. */
  workload(name: string): string;
  node(name: string): Machine;
  /** Prints a line below the test's. */
  note(line: string): void;
}

export interface Test {
  /** What is true when it passes. */
  name: string;
  limitSeconds?: number;
  run(context: Context): Promise<void>;
}

/** Where Headroom is not installed, its tests run without it, or install it themselves. */
export interface Scenario extends Place {
  /** One letter of the list in README.md, or a word. */
  id: string;
  title: string;
  /** Takes too long for every run: it runs only when it is named. */
  onDemand?: boolean;
  tests: readonly Test[];
}

/**
 * Nodes for scenarios that want nothing of them but room, so that these share a cluster. Figures are some seconds old: right after a move its
 * source and its staging still count on both nodes.
 */
export const ROOMY_NODES_MIB: readonly number[] = [8192, 8192];

/** Of the nodes that are virtual machines. */
export const VIRTUAL_NODE_MIB = 3072;

/** The scenario with nodes that are virtual machines. */
export function onVirtualMachines(scenario: Scenario): Scenario {
  const nodeMemoryMiB = scenario.nodeMemoryMiB.map(() => VIRTUAL_NODE_MIB);
  return { ...scenario, nodeMemoryMiB, virtual: true };
}

/** Fails with the sentence when the fact is not so. */
export function assert(fact: unknown, otherwise: string): asserts fact {
  if (!fact) throw new Error(otherwise);
}

export function assertEqual<T>(actual: T, expected: T, what: string): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what} is ${a}, not ${b}`);
}
