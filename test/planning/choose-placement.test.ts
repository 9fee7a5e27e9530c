import { describe, expect, it } from "vitest";
import { choosePlacement } from "../../src/planning/placement/choose-placement.ts";
import { cluster, move, node, pod } from "./fixtures.ts";

const GI = 2 ** 30;
/** w uses 20 on n1; n2 has 50 free, n3 70. */
const snapshot = cluster({ n1: { w: 20 }, n2: { a: 50 }, n3: { b: 30 } });
const ask = (more: object = {}, of = snapshot) => choosePlacement(of, { podUID: "uid-w", ...more });

describe("a move asked for by hand", () => {
  it("goes to the freest node", () => {
    expect(ask()).toMatchObject({ ok: true, node: "n3", bytes: 20 });
  });

  it("goes where it is told, if there is room", () => {
    expect(ask({ targetNode: "n2" })).toMatchObject({ ok: true, node: "n2" });
    expect(ask({ targetNode: "n2", podBytes: 46 })).toMatchObject({ ok: false, reason: "NotEnoughRoom" });
  });

  it("needs room for what is staged too, files included, where the target's budget for that is known", () => {
    const big = cluster({ n1: { w: 20 * GI }, n2: { a: 50 * GI }, n3: { b: 30 * GI } });
    const staging = (budget: number) => ({
      capacityBytes: 100 * GI,
      allocatableBytes: 100 * GI,
      stagingFreeBytes: budget * GI,
    });
    const known = (budget: number) => ({ ...big, nodes: big.nodes.map((one) => ({ ...one, ...staging(budget) })) });
    const refused = (reason: string) => ({
      ok: false,
      reason: "NodesFull",
      considered: [
        { node: "n3", reason },
        { node: "n2", reason },
      ],
    });
    // 20 and (20 + 25) × 1.1 and a sixteenth fit into 70.
    expect(ask({ memoryFilesBytes: 25 * GI }, known(100))).toMatchObject({ ok: true, node: "n3" });
    expect(ask({ memoryFilesBytes: 26 * GI }, known(100))).toMatchObject(refused("NoRoomForCopy"));
    expect(ask({ memoryFilesBytes: 25 * GI }, known(49))).toMatchObject(refused("NoStagingRoom"));
    expect(ask({}, known(49))).toMatchObject({ ok: true, node: "n3" });
  });

  it.each([
    [{ targetNode: "n1" }, "SameNode"],
    [{ targetNode: "n9" }, "NodeNotFound"],
    [{ podUID: "uid-x" }, "PodNotFound"],
  ])("is refused: %j because of %s", (request, reason) => {
    expect(ask(request)).toMatchObject({ ok: false, reason });
  });

  it("is refused for a pod that opted out, or whose memory nobody knows", () => {
    const out = pod("out", "n1", 5, { annotations: { "headroom.dev/move": "false" } });
    const unknown = pod("unknown", "n1", undefined);
    const more = { ...snapshot, pods: [...snapshot.pods, out, unknown] };
    expect(ask({ podUID: "uid-out" }, more)).toMatchObject({ reason: "OptedOut" });
    expect(ask({ podUID: "uid-unknown" }, more)).toMatchObject({ reason: "MetricsMissing" });
    expect(ask({ podUID: "uid-unknown", podBytes: 7 }, more)).toMatchObject({ ok: true });
  });

  it("does not stand in its own way, but other moves do", () => {
    const own = move({ pod: "w", podUID: "uid-w", from: "n1", to: "n3", memoryBytes: 60, phase: "Preflight" });
    const other = move({ pod: "x", podUID: "uid-x", from: "n9", to: "n3", memoryBytes: 60 });
    expect(ask({ targetNode: "n3" }, { ...snapshot, moves: [own] })).toMatchObject({ ok: true });
    expect(ask({ targetNode: "n3" }, { ...snapshot, moves: [other] })).toMatchObject({ reason: "NotEnoughRoom" });
  });

  it("says of every node why not when all are full", () => {
    const full = { ...snapshot, nodes: snapshot.nodes.map((one) => node(one.name, { ready: one.name === "n1" })) };
    expect(ask({}, full)).toMatchObject({
      ok: false,
      reason: "NodesFull",
      considered: [
        { node: "n2", reason: "NodeNotReady" },
        { node: "n3", reason: "NodeNotReady" },
      ],
    });
  });
});
