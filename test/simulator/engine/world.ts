/** Scenarios small enough to be worked out by hand: bytes are percent of a node, conditions without chance. */
import type { z } from "zod";
import { migrationPolicySpecSchema } from "../../../src/api/v1alpha1/migration-policy.ts";
import { type Policy, toPolicy } from "../../../src/planning/policy.ts";
import { type SimulateOptions, simulate } from "../../../src/simulator/engine/simulate.ts";
import type { RunEvent, RunRecord } from "../../../src/simulator/run-record.ts";
import type { Conditions, Scenario, SimulatedNode, SimulatedPod, Trace } from "../../../src/simulator/scenario.ts";

/** `[0, 10], [60, 40]`: 10 at the beginning, 40 after a minute of work. */
export function trace(...points: [seconds: number, bytes: number][]): Trace {
  return {
    seconds: Float64Array.from(points, ([seconds]) => seconds),
    bytes: Float64Array.from(points, ([, bytes]) => bytes),
  };
}

export const flat = (bytes: number): Trace => trace([0, bytes]);
/** By so much a minute, for a day. */
export const growing = (from: number, perMinute: number): Trace => trace([0, from], [86_400, from + perMinute * 1440]);

export function pod(name: string, course: Trace, more: Partial<SimulatedPod> = {}): SimulatedPod {
  return {
    namespace: "default",
    name,
    arrivalSeconds: 0,
    durationSeconds: undefined,
    trace: course,
    requestBytes: 0,
    labels: {},
    annotations: {},
    ...more,
  };
}

export const node = (name: string, more: Partial<SimulatedNode> = {}): SimulatedNode => ({
  name,
  capacityBytes: 100,
  ...more,
});

/** Everything as predicted; a move takes 4 s, and half a second for each percent. The kubelet never evicts. */
export const EXACT: Conditions = {
  tickSeconds: 10,
  metrics: { intervalSeconds: 10, delaySeconds: 0, lossRate: 0 },
  scheduler: "LeastRequested",
  kubelet: { evictionBytes: Number.NEGATIVE_INFINITY, intervalSeconds: 10 },
  restartSeconds: 10,
  moves: { fixedSeconds: 4, secondsPerByte: 0.5, noise: 0, failureRate: 0 },
};

export function scenario(
  nodes: SimulatedNode[],
  pods: SimulatedPod[],
  more: Partial<Omit<Scenario, "conditions">> & { conditions?: Partial<Conditions> } = {},
): Scenario {
  return { name: "test", nodes, pods, endSeconds: 600, ...more, conditions: { ...EXACT, ...more.conditions } };
}

export type SpecInput = Partial<z.input<typeof migrationPolicySpecSchema>>;

/** Evaluated every minute, the biggest pod goes where most is free, without a margin. */
export function policy(spec: SpecInput = {}, name = "p"): Policy {
  const parsed = migrationPolicySpecSchema.parse({
    podSelector: {},
    mode: "Enforce",
    evaluationInterval: "60s",
    placement: { margin: "0%" },
    pacing: { strategy: "Blocking", blocking: { pause: "0s" } },
    ...spec,
    eligibility: { minMemory: "0Ki", ...spec.eligibility },
  });
  return toPolicy(name, parsed);
}

export function run(input: Scenario, policies: Policy[] = [], more: Partial<SimulateOptions> = {}): RunRecord {
  return simulate(input, { variant: "test", policies, seed: 1, reserve: 0.2, ...more });
}

/** `30 Killed a`, in order; without scheduling unless asked for. */
export function story({ events }: RunRecord, kinds?: RunEvent["kind"][]): string[] {
  const told = events.filter(({ kind }) => (kinds === undefined ? kind !== "Scheduled" : kinds.includes(kind)));
  return told.map((event) => {
    const short = (text: string) => text.replace("default/", "");
    const who = "pod" in event ? short(event.pod) : event.node;
    const where = event.kind === "MoveStarted" || event.kind === "MoveEnded" ? ` ${event.from}→${event.to}` : "";
    const on = event.kind === "Scheduled" ? ` ${event.node}` : "";
    const how = event.kind === "MoveEnded" ? ` ${event.outcome}` : event.kind === "Killed" ? ` ${event.cause}` : "";
    return `${event.seconds} ${event.kind} ${who}${on}${where}${how}`;
  });
}
