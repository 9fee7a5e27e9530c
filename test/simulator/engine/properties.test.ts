/** What holds of every run, whatever is simulated. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Simulation } from "../../../src/simulator/engine/simulation.ts";
import type { RunEvent, RunRecord } from "../../../src/simulator/run-record.ts";
import type { Conditions, Scenario, SimulatedPod } from "../../../src/simulator/scenario.ts";
import { EXACT, node, pod, policy, run, scenario, trace } from "./world.ts";

const END = 1500;

const course = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 0, max: 70 })), { minLength: 1, maxLength: 8 })
  .map((steps) => {
    const times = steps.map((_, index) => steps.slice(1, index + 1).reduce((sum, [seconds]) => sum + seconds, 0));
    return trace(...steps.map(([, bytes], index): [number, number] => [times[index] ?? 0, bytes]));
  });

const pods = fc
  .array(
    fc.record({
      course,
      arrivalSeconds: fc.integer({ min: 0, max: 600 }),
      durationSeconds: fc.option(fc.integer({ min: 1, max: 2000 }), { nil: undefined }),
      requestBytes: fc.integer({ min: 0, max: 40 }),
      limit: fc.option(fc.integer({ min: 40, max: 80 }), { nil: undefined }),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((all) =>
    all.map(({ course: memory, limit, ...more }, index): SimulatedPod => {
      return pod(`p${index}`, memory, { ...more, ...(limit !== undefined && { limitBytes: limit }) });
    }),
  );

const conditions: fc.Arbitrary<Conditions> = fc
  .record({
    lossRate: fc.constantFrom(0, 0.3),
    delaySeconds: fc.constantFrom(0, 15),
    evictionBytes: fc.constantFrom(Number.NEGATIVE_INFINITY, 10),
    noise: fc.constantFrom(0, 0.5),
    failureRate: fc.constantFrom(0, 0.4),
    scheduler: fc.constantFrom("LeastRequested" as const, "Balanced" as const),
  })
  .map(({ lossRate, delaySeconds, evictionBytes, noise, failureRate, scheduler }) => ({
    ...EXACT,
    scheduler,
    metrics: { intervalSeconds: 10, delaySeconds, lossRate },
    kubelet: { evictionBytes, intervalSeconds: 10 },
    moves: { ...EXACT.moves, noise, failureRate },
  }));

const worlds = fc.record({ pods, conditions, nodes: fc.integer({ min: 1, max: 4 }) }).map(
  ({ pods: some, nodes, conditions: met }): Scenario =>
    scenario(
      Array.from({ length: nodes }, (_, index) => node(`n${index}`)),
      some,
      { endSeconds: END, conditions: met },
    ),
);

const POLICIES = [
  policy({
    evaluationInterval: "30s",
    pressure: { strategy: "Threshold", freeBelow: "25%" },
    pacing: { strategy: "Concurrent", maxMovesPerEvaluation: 3, concurrent: { maxPerNode: 2, maxPerCluster: 4 } },
    schedulingGate: { closeAbove: "80%", reopenBelow: "60%" },
  }),
];

const OPTIONS = { policies: POLICIES, seed: 3, reserve: 0.1, decisions: false, foresight: false };

const simulated = (world: Scenario, more = {}) => run(world, POLICIES, { seed: 3, decisions: true, ...more });
const text = (record: RunRecord) =>
  JSON.stringify(record, (_, value) => (value instanceof Float64Array ? [...value] : value));
const ofKind = <K extends RunEvent["kind"]>({ events }: RunRecord, kind: K) =>
  events.filter((event): event is Extract<RunEvent, { kind: K }> => event.kind === kind);

const check = (property: (world: Scenario) => void, numRuns = 60) =>
  fc.assert(fc.property(worlds, property), { numRuns });

describe("every run", () => {
  it("gives the same record for the same seed, byte by byte, whatever the order of its input", () => {
    check((world) => {
      const turned = { ...world, nodes: world.nodes.toReversed(), pods: world.pods.toReversed() };
      const timeline = { everySeconds: 60 };
      const first = text(simulated(world, { timeline }));
      expect(text(simulated(world, { timeline }))).toBe(first);
      expect(text(simulated(turned, { timeline }))).toBe(first);
    });
  });

  it("tells what happened in order of time, up to its end", () => {
    check((world) => {
      const times = simulated(world).events.map(({ seconds }) => seconds);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      expect(times.at(-1) ?? 0).toBeLessThanOrEqual(END);
    });
  });

  it("has on every node just the memory of its pods and of what moves hold there", () => {
    check((world) => {
      const simulation = new Simulation(world, { ...OPTIONS, timeline: undefined });
      simulation.run((at) => {
        for (const one of simulation.nodes) {
          const sum = [...one.pods].reduce(
            (bytes, { spec, clock }) => bytes + memoryOf(spec, clock.pace, clock.workAt(at)),
            0,
          );
          expect(one.usedAt(at)).toBeCloseTo(sum + one.stagedBytes, 6);
        }
      });
    }, 25);
  });

  it("promises each node what its pods request, and those that are on their way there", () => {
    check((world) => {
      const simulation = new Simulation(world, { ...OPTIONS, timeline: undefined });
      simulation.run(() => undefined);
      const record = simulated(world);
      const open = ofKind(record, "MoveStarted").length - ofKind(record, "MoveEnded").length;
      const placed = simulation.nodes.reduce((sum, one) => sum + one.pods.size, 0);
      const promised = simulation.nodes.reduce((sum, one) => sum + one.promisedPods, 0);
      expect(promised).toBe(placed + open);
      for (const one of simulation.nodes) {
        expect(one.requestedBytes).toBeGreaterThanOrEqual(0);
        if (one.pods.size === 0 && open === 0) expect([one.requestedBytes, one.stagedBytes]).toEqual([0, 0]);
      }
    });
  });

  it("never has a pod do more work than time has passed, and finishes it only when all its work is done", () => {
    check((world) => {
      const record = simulated(world);
      for (const { arrivalSeconds, scheduledSeconds, finishedSeconds, durationSeconds, workedSeconds } of record.pods) {
        expect(workedSeconds).toBeLessThanOrEqual(Math.max(0, END - (scheduledSeconds ?? END)) + 1e-6);
        if (scheduledSeconds !== undefined) expect(scheduledSeconds).toBeGreaterThanOrEqual(arrivalSeconds);
        if (finishedSeconds === undefined) continue;
        expect(workedSeconds).toBe(durationSeconds);
        expect(finishedSeconds).toBeGreaterThanOrEqual((scheduledSeconds ?? END) + (durationSeconds ?? END) - 1e-6);
      }
    });
  });

  it("accounts for every second of a pod that finished: work, work lost, waiting and standing still", () => {
    check((world) => {
      const record = simulated(world);
      for (const { pod: name, finishedSeconds, arrivalSeconds, durationSeconds = 0 } of record.pods) {
        if (finishedSeconds === undefined) continue;
        const lost = [...ofKind(record, "Killed"), ...ofKind(record, "Evicted")].filter((event) => event.pod === name);
        const frozen = ofKind(record, "MoveEnded").filter((event) => event.pod === name);
        const least =
          durationSeconds +
          sum(lost.map((event) => event.lost.seconds)) +
          sum(frozen.map((event) => event.frozenSeconds));
        expect(finishedSeconds - arrivalSeconds).toBeGreaterThanOrEqual(least - 1e-6);
      }
    });
  });

  it("ends every move that it started, one at a time for each pod, unless it ends first", () => {
    check((world) => {
      const record = simulated(world);
      const moving = new Set<string>();
      for (const event of record.events) {
        if (event.kind === "MoveStarted") {
          expect(moving).not.toContain(event.pod);
          moving.add(event.pod);
        } else if (event.kind === "MoveEnded") expect(moving.delete(event.pod)).toBe(true);
      }
      const started = ofKind(record, "MoveStarted");
      // The longest: 4 s and 35 s, four times slower for the noise, three times for others on the link; or the timeout of 10 min.
      for (const pod of moving)
        expect(started.findLast((event) => event.pod === pod)?.seconds).toBeGreaterThan(END - 601);
    });
  });

  it("leaves no node above its capacity after a tick", () => {
    check((world) => {
      const simulation = new Simulation(world, { ...OPTIONS, timeline: undefined });
      let after: { at: number; used: number[] } = { at: 0, used: [] };
      simulation.run((at) => {
        if (at > after.at && after.at % EXACT.tickSeconds === 0)
          for (const bytes of after.used) expect(bytes).toBeLessThanOrEqual(100 + 1e-6 + MOST_STARTED_AT_ONCE);
        after = { at, used: simulation.nodes.map((one) => one.usedAt(at)) };
      });
    });
  });

  it("records no less than a node's peak, and in the stretch of every kill the memory that led to it", () => {
    check((world) => {
      const record = simulated(world, { timeline: { everySeconds: 30 } });
      for (const { usedBytes = new Float64Array(), peakUsedBytes } of record.nodes)
        expect(usedBytes.reduce((most, bytes) => Math.max(most, bytes), 0)).toBeCloseTo(peakUsedBytes, 6);
      for (const { node: name, seconds, cause } of ofKind(record, "Killed")) {
        const used = record.nodes.find((one) => one.node === name)?.usedBytes;
        const stretch = Math.min(Math.floor(seconds / 30), (used?.length ?? 0) - 1);
        if (cause === "NodeOutOfMemory") expect(used?.[stretch]).toBeGreaterThan(100);
      }
    });
  });

  it("says the same whether or not it is watched, and however often", () => {
    check((world) => {
      const plain = simulated(world);
      const watched = simulated(world, { timeline: { everySeconds: 7 } });
      expect(watched.events).toEqual(plain.events);
      expect(watched.pods).toEqual(plain.pods);
    });
  });
});

/** What evaluations after the tick of the same moment may stage: three moves to a node of at most 70 each. */
const MOST_STARTED_AT_ONCE = 210;

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** Worked out anew, the slow way. */
function memoryOf({ trace: { seconds, bytes } }: SimulatedPod, pace: string, work: number): number {
  if (pace === "Down") return 0;
  const next = seconds.findIndex((second) => second > work);
  if (next < 0) return bytes.at(-1) ?? 0;
  const [from, to] = [seconds[next - 1] ?? 0, seconds[next] ?? 0];
  const part = (work - from) / (to - from);
  return (bytes[next - 1] ?? 0) * (1 - part) + (bytes[next] ?? 0) * part;
}

describe("a scenario that cannot be", () => {
  const good = scenario([node("z1")], [pod("a", trace([0, 1]))]);
  const [first] = good.pods;
  const withPod = (more: object) => ({ ...good, pods: [{ ...pod("a", trace([0, 1])), ...more }] });
  it.each([
    ["two pods of one name", { ...good, pods: [first, first] }, "pod default/a is listed more than once"],
    ["two nodes of one name", { ...good, nodes: [node("z1"), node("z1")] }, "node z1 is listed more than once"],
    ["a node without capacity", { ...good, nodes: [node("z1", { capacityBytes: 0 })] }, "node z1: capacity"],
    ["an empty trace", withPod({ trace: trace() }), "pod default/a: its trace"],
    ["a trace that goes back", withPod({ trace: trace([0, 1], [5, 1], [5, 2]) }), "pod default/a: trace.seconds[2]"],
    ["negative memory", withPod({ trace: trace([0, 1], [5, -1]) }), "pod default/a: trace.bytes[1]"],
    ["no time at all", { ...good, endSeconds: 0 }, "endSeconds"],
    ["ticks of no length", { ...good, conditions: { ...EXACT, tickSeconds: 0 } }, "conditions.tickSeconds"],
  ])("is refused by name: %s", (_, world, message) => {
    // Some of them are not even of the type.
    expect(() => run(world as Scenario)).toThrow(message);
  });
});

describe("a run that is watched", () => {
  it("says how far it is, and stops when it is told to", () => {
    const world = scenario([node("z1")], [pod("a", trace([0, 1]))]);
    const parts: number[] = [];
    run(world, [], { onProgress: (done) => parts.push(done) });
    expect(parts.at(-1)).toBe(1);
    expect(parts.length).toBeGreaterThan(50);
    const stop = new AbortController();
    const stopped = () =>
      run(world, [], { signal: stop.signal, onProgress: (done) => done >= 0.5 && stop.abort(new Error("enough")) });
    expect(stopped).toThrow("enough");
  });
});
