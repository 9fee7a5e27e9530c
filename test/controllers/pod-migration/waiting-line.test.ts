/** Moves made by hand wait their turn; moves that are under way never wait for a worker. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { API_VERSION } from "../../../src/api/v1alpha1/group.ts";
import {
  FINAL_PHASES,
  type Phase,
  POD_MIGRATIONS,
  type PodMigration,
  type PodMigrationStatus,
} from "../../../src/api/v1alpha1/pod-migration.ts";
import type { CheckpointDriver } from "../../../src/checkpointing/driver.ts";
import { podMigrationController } from "../../../src/controllers/pod-migration/controller.ts";
import { initialStatus } from "../../../src/controllers/pod-migration/status.ts";
import { queuedBehind } from "../../../src/controllers/pod-migration/waiting-line.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import { ControllerRunner } from "../../../src/kube/controller-runner.ts";
import { OperatorMetrics } from "../../../src/kube/metrics.ts";
import { PODS, type Pod } from "../../../src/kube/resources.ts";
import { StoreSet } from "../../../src/kube/stores.ts";
import { silentLogger } from "../../../src/logging/logger.ts";
import { learnFreezeCosts } from "../../../src/planning/cost/freeze-costs.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";
import { MemoryKube } from "../../support/memory-kube.ts";

const CAPS = { perNamespace: 2, perNode: 3 };

interface Given {
  namespace?: string;
  node?: string;
  to?: string;
  /** Absent: it waits. */
  phase?: Phase;
  policy?: string;
  cancel?: boolean;
  dryRun?: boolean;
}

/** Numbered in the order of their creation. */
function move(number: number, given: Given = {}) {
  const { namespace = "a", node = "n1", to, phase, policy, cancel = false, dryRun } = given;
  const status: PodMigrationStatus = { ...initialStatus(number), phase: phase ?? "Pending", sourceNode: node };
  return {
    apiVersion: API_VERSION,
    kind: "PodMigration",
    metadata: {
      name: `m${number}`,
      namespace,
      uid: `uid-${String(number).padStart(4, "0")}`,
      resourceVersion: String(number + 1),
      creationTimestamp: new Date(number * 1_000).toISOString(),
      annotations: { node },
    },
    spec: {
      podName: `pod-${number}`,
      timeout: "10m",
      tcp: "Refuse",
      cancel,
      ...(to ? { targetNode: to } : {}),
      ...(policy ? { policyName: policy } : {}),
      ...(dryRun ? { dryRun } : {}),
    },
    ...(phase ? { status } : {}),
  } satisfies PodMigration;
}

const nodesOf = ({ metadata, spec }: PodMigration): string[] => [
  metadata.annotations?.node ?? "",
  ...(spec.targetNode ? [spec.targetNode] : []),
];

function behind(moves: PodMigration[], which = moves.length - 1): string | undefined {
  const asked = moves[which];
  return asked && queuedBehind(asked, { moves, nodesOf, caps: CAPS })?.message;
}

/** Asked for with cancel, as `headroom check` does. */
const DRY = { dryRun: true, cancel: true };

describe("a move made by hand", () => {
  test.each<[string, RegExp | undefined, Given[]]>([
    ["begins when it is the only one", undefined, [{}]],
    ["begins while its namespace has room", undefined, [{ phase: "Frozen" }, { node: "n2" }]],
    ["waits when its namespace has its maximum", /^namespace a has its maximum of 2/, [{ phase: "Frozen" }, {}, {}]],
    ["is told how many are ahead", /; 2 ahead of this one/, [{ phase: "Frozen" }, { phase: "Pending" }, {}, {}, {}]],
    ["does not wait for those that are over", undefined, [{ phase: "Succeeded" }, { phase: "Failed" }, {}]],
    ["does not wait for another namespace's", undefined, [{ namespace: "b", phase: "Frozen" }, { namespace: "b" }, {}]],
    [
      "waits when its pod's node has its maximum, a policy's moves included",
      /^node n1 has its maximum of 3/,
      [
        { policy: "p", phase: "Frozen" },
        { policy: "p", phase: "Committed" },
        { namespace: "b", phase: "Preparing" },
        {},
      ],
    ],
    [
      "waits when the node that it names has its maximum",
      /^node n9 has its maximum of 3/,
      [
        ...["x", "y", "z"].map((namespace) => ({ namespace, to: "n9", phase: "Frozen" as const })),
        { node: "n2", to: "n9" },
      ],
    ],
    [
      "comes before the second one of a namespace that asked earlier",
      undefined,
      [{ namespace: "b", phase: "Frozen" }, { namespace: "b" }, { namespace: "c", phase: "Frozen" }, {}],
    ],
    ["that was withdrawn does not wait", undefined, [{ phase: "Frozen" }, { phase: "Frozen" }, { cancel: true }]],
    ["does not wait for dry runs", undefined, [{ ...DRY, phase: "Preflight" }, { ...DRY, phase: "Preflight" }, {}]],
    ["that is a dry run waits for no move", undefined, [{ phase: "Frozen" }, { phase: "Frozen" }, DRY]],
    [
      "that is a dry run waits for its namespace's others",
      /^namespace a has its maximum of 2/,
      [{ ...DRY, phase: "Preflight" }, { ...DRY, phase: "Preflight" }, DRY],
    ],
    ["that has begun does not wait", undefined, [{ phase: "Frozen" }, { phase: "Frozen" }, { phase: "Pending" }]],
    ["is not what a policy asks for: the policy limits those", undefined, [{ phase: "Frozen" }, {}, { policy: "p" }]],
  ])("%s", (_about, said, given) => {
    const message = behind(given.map((one, number) => move(number, one)));
    if (said === undefined) expect(message).toBeUndefined();
    else expect(message).toMatch(said);
  });

  const arbitrary = fc.record({
    namespace: fc.constantFrom("a", "b", "c"),
    node: fc.constantFrom("n1", "n2", "n3"),
    to: fc.option(fc.constantFrom("n1", "n2", "n3"), { nil: undefined }),
  });

  test("whatever is asked for: caps are kept, and every move has its turn", () => {
    fc.assert(
      fc.property(fc.array(arbitrary, { maxLength: 40 }), (asked) => {
        let moves: PodMigration[] = asked.map(({ to, ...one }, number) =>
          move(number, { ...one, ...(to ? { to } : {}) }),
        );
        for (let round = 0; moves.some(isOpen); round++) {
          expect(round, "every round some move begins").toBeLessThanOrEqual(asked.length);
          moves = moves.map((one) => (mayBegin(one, moves) ? { ...one, status: { ...initialStatus(0) } } : one));
          const begun = moves.filter((one) => isOpen(one) && one.status !== undefined);
          for (const count of counts(begun.map(({ metadata }) => metadata.namespace ?? ""))) {
            expect(count).toBeLessThanOrEqual(CAPS.perNamespace);
          }
          for (const count of counts(begun.flatMap((one) => [...new Set(nodesOf(one))]))) {
            expect(count).toBeLessThanOrEqual(CAPS.perNode);
          }
          moves = moves.map((one) => (begun.includes(one) ? over(one) : one));
        }
      }),
    );
  });

  const isOpen = ({ status }: PodMigration) => !FINAL_PHASES.has(status?.phase ?? "Pending");
  const over = (one: PodMigration): PodMigration => ({ ...one, status: { ...initialStatus(0), phase: "Succeeded" } });
  const mayBegin = (one: PodMigration, moves: PodMigration[]) =>
    one.status === undefined && queuedBehind(one, { moves, nodesOf, caps: CAPS }) === undefined;
  const counts = (values: string[]) => values.map((value) => values.filter((other) => other === value).length);
});

describe("the PodMigration controller", () => {
  const NEVER = new Promise<never>(() => {});

  /** Reconciles hang as soon as they read their move: as with a step on a node that takes minutes. */
  function leading(moves: PodMigration[], kube = new MemoryKube()) {
    const clock = new FakeClock();
    const stores = new StoreSet();
    const reading: string[] = [];
    const store = stores.for(POD_MIGRATIONS);
    store.replaceAll(moves);
    stores.for(PODS).replaceAll(moves.map(podOf));
    const client: KubeClient = {
      ...kube.client,
      get: (_kind, { name }) => {
        reading.push(name);
        return NEVER;
      },
    };
    const context = {
      client,
      stores: stores.shared,
      events: { record() {} },
      clock,
      logger: silentLogger,
      namespace: "hr",
    };
    const controller = podMigrationController(context, {
      driver: {} as CheckpointDriver, // no step gets that far
      choosePlacement: () => NEVER,
      expectFreeze: learnFreezeCosts([]).expect,
      caps: CAPS,
    });
    const storeFor = (kind: Parameters<StoreSet["for"]>[0]) => stores.for(kind);
    const metrics = new OperatorMetrics();
    const runner = new ControllerRunner({ controller, storeFor, clock, logger: silentLogger, metrics });
    runner.start({ epoch: 1, signal: new AbortController().signal });
    return { clock, reading, runner, store };
  }

  const podOf = ({ metadata, spec }: PodMigration): Pod => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: spec.podName,
      ...(metadata.namespace ? { namespace: metadata.namespace } : {}),
      uid: `${metadata.uid}p`,
    },
    spec: { nodeName: metadata.annotations?.node ?? "", containers: [] },
  });

  test("takes up every move that is under way when it begins to lead, however many there are", async () => {
    const phases: Phase[] = ["Frozen", "Restoring", "Committed", "RollingBack", "Preparing"];
    const moves = phases.flatMap((phase, i) => Array.from({ length: 10 }, (_, j) => move(10 * i + j, { phase })));
    const { reading } = leading(moves);
    await settle();
    expect(reading).toHaveLength(50);
  });

  test("takes up a frozen move while its workers are busy with others", async () => {
    const pending = Array.from({ length: 40 }, (_, i) => move(i, { policy: "p", phase: "Pending" }));
    const { reading, runner, store } = leading(pending);
    await settle();
    expect(reading).toHaveLength(16);
    const frozen = move(99, { phase: "Frozen" });
    const change = store.put(frozen);
    if (change) runner.changed(POD_MIGRATIONS, change);
    await settle();
    expect(reading.slice(16)).toEqual(["m99"]);
  });

  test("lets a move whose long step has begun keep no other from beginning", async () => {
    const pending = Array.from({ length: 17 }, (_, i) => move(i, { policy: "p", phase: "Pending" }));
    const { reading, runner, store } = leading(pending);
    await settle();
    expect(reading).not.toContain("m16");
    const change = store.put({
      ...move(0, { policy: "p", phase: "Frozen" }),
      metadata: { ...move(0).metadata, resourceVersion: "99" },
    });
    if (change) runner.changed(POD_MIGRATIONS, change);
    await settle();
    expect(reading).toContain("m16");
  });

  test("writes on a move that waits why it does, and leaves its start time open", async () => {
    const kube = new MemoryKube();
    const waiting = await kube.client.create(POD_MIGRATIONS, move(2));
    const { reading, clock } = leading([move(0, { phase: "Frozen" }), move(1, { phase: "Frozen" }), waiting], kube);
    await clock.advance(5_000);
    expect(reading).not.toContain("m2");
    const { status } = (await kube.client.list(POD_MIGRATIONS)).items[0] ?? {};
    expect(status).toEqual({ phase: "Pending", reason: "Queued", message: expect.stringContaining("maximum of 2") });
  });
});
