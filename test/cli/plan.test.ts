import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { load } from "js-yaml";
import { describe, expect, it } from "vitest";
import { readSnapshotText } from "../../src/cli/plan/read-documents.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FOLDER = mkdtempSync(join(tmpdir(), "headroom-plan-"));
const SNAPSHOT = `${ROOT}config/plan/snapshot.yaml`;
const POLICY = `${ROOT}config/plan/policy.yaml`;

function plan(args: string[], input = "") {
  const run = spawnSync(process.execPath, [`${ROOT}scripts/headroom.js`, "plan", ...args], {
    cwd: FOLDER,
    env: { PATH: process.env.PATH ?? "", HOME: FOLDER },
    encoding: "utf8",
    input,
  });
  return { code: run.status, out: run.stdout, err: run.stderr };
}

function file(name: string, text: string): string {
  const path = join(FOLDER, name);
  writeFileSync(path, text);
  return path;
}

const GI = 2 ** 30;

describe("headroom plan, of case 3 as two files", () => {
  it("says as JSON that only q40 of [w60,q40] goes, to z1", () => {
    const { code, out, err } = plan(["--snapshot", SNAPSHOT, "--policy", POLICY, "-o", "json"]);
    expect([code, err]).toEqual([0, ""]);
    expect(JSON.parse(out)).toEqual({
      apiVersion: "headroom.dev/v1alpha1",
      kind: "MigrationPlan",
      time: "2026-01-01T00:00:00Z",
      outcome: "Moves",
      moves: [
        {
          namespace: "default",
          pod: "q",
          from: "z2",
          to: "z1",
          bytes: 40 * GI,
          policy: "batch",
          reason: "NodeShortOfMemory",
          message: expect.stringContaining("estimated: its pods together"),
          startAt: "2026-01-01T00:00:00Z",
          expectedSeconds: 144,
        },
      ],
      nodes: [
        {
          name: "z2",
          freeBytes: 0,
          pressureBytes: 10 * GI,
          exhaustedAt: null,
          outcome: "Moves",
          reason: "PodsSelected",
        },
        {
          name: "z1",
          freeBytes: 69 * GI,
          pressureBytes: 0,
          exhaustedAt: null,
          outcome: "NothingToDo",
          reason: "EnoughFree",
        },
        {
          name: "z3",
          freeBytes: 65 * GI,
          pressureBytes: 0,
          exhaustedAt: null,
          outcome: "NothingToDo",
          reason: "EnoughFree",
        },
      ],
      gates: [],
      refusals: [
        { namespace: "default", pod: "w", reason: "NoTarget", message: expect.any(String) },
        { namespace: "default", pod: "w", node: "z1", reason: "NotEnoughRoom", message: expect.any(String) },
        { namespace: "default", pod: "w", node: "z3", reason: "NotEnoughRoom", message: expect.any(String) },
      ],
      memory: { version: 1, gates: {} },
    });
  });

  it("says the same as YAML, and with the snapshot on standard input", () => {
    const json = plan(["--snapshot", SNAPSHOT, "--policy", POLICY, "-o", "json"]);
    const yaml = plan(["--snapshot", "-", "--policy", POLICY, "-o", "yaml"], readFileSync(SNAPSHOT, "utf8"));
    expect(load(yaml.out)).toEqual(JSON.parse(json.out));
  });

  it("shows a table by default", () => {
    const { out } = plan(["--snapshot", SNAPSHOT, "--policy", POLICY]);
    expect(out).toMatch(/^Moves: pods are to be moved now/);
    expect(out).toMatch(/^default\/q +z2 +z1 +40Gi +now +144s +batch$/m);
    expect(out).toMatch(/^default\/w +z1 +NotEnoughRoom /m);
  });
});

describe("headroom plan, of a snapshot with a move on record", () => {
  it("leaves a pod alone whose program failed right after it, and says why", () => {
    const past = "{namespace: default, pod: q, from: z1, to: z2, memory: 40Gi, phase: Succeeded, lineage: default/q";
    const move = `moves:\n- ${past}, finishedAt: 2025-12-31T23:30:00Z, programFailed: true}\n`;
    const snapshot = file("failed-after-move.yaml", `${readFileSync(SNAPSHOT, "utf8")}${move}`);
    const { code, out } = plan(["--snapshot", snapshot, "--policy", POLICY]);
    expect(code).toBe(0);
    expect(out).toMatch(/^default\/q +any +FailedAfterMove +its program failed within a minute of its last move/m);
  });
});

describe("headroom plan, of a policy that forecasts", () => {
  const samples = (now: number, perMinute: number) => ({
    start: "2025-12-31T23:30:00Z",
    step: "15s",
    bytes: Array.from({ length: 121 }, (_, index) => Math.round((now - perMinute * (30 - index / 4)) * GI)),
  });
  const snapshot = (memory?: unknown) =>
    JSON.stringify({
      apiVersion: "headroom.dev/v1alpha1",
      kind: "ClusterSnapshot",
      time: "2026-01-01T00:00:00Z",
      nodes: [
        { name: "z1", capacity: "100Gi", series: samples(10, 0) },
        { name: "z2", capacity: "100Gi", series: samples(88, 1) },
      ],
      pods: [{ namespace: "default", name: "q", node: "z2", series: samples(20, 1) }],
      ...(memory === undefined ? {} : { memory }),
    });
  const policy = file(
    "forecast.yaml",
    `{apiVersion: headroom.dev/v1alpha1, kind: MigrationPolicy, metadata: {name: f}, spec: {podSelector: {},
      pressure: {strategy: Forecast, freeBelow: 5%, forecast: {horizon: 10m, model: Linear}}}}`,
  );
  const planned = (memory?: unknown) => {
    const { code, out, err } = plan(["--snapshot", "-", "--policy", policy, "-o", "json"], snapshot(memory));
    expect([code, err]).toEqual([0, ""]);
    return JSON.parse(out);
  };
  const minutes = (time: string) => (Date.parse(time) - Date.parse("2026-01-01T00:00:00Z")) / 60_000;

  it("waits with a move that has time, and says when it starts and when the node would be full", () => {
    const { outcome, moves, nodes, memory } = planned();
    expect(outcome).toBe("Waiting");
    expect(moves).toMatchObject([{ pod: "q", from: "z2", to: "z1", expectedSeconds: 98 }]);
    // 7 minutes until less than 5% is free; of them 98 s and 30 s for the move, and 20 s for the controller.
    expect(minutes(moves[0].startAt)).toBeCloseTo(7 - 148 / 60, 0);
    expect(nodes[0]).toMatchObject({ name: "z2", outcome: "Waiting", reason: "StartsLater" });
    expect(minutes(nodes[0].exhaustedAt)).toBeCloseTo(12, 1);
    expect(Object.keys(memory.forecasts["InfluxDB Linear 0.95 600"].nodes)).toContain("z2");
  });

  it("takes back what it remembers; what is damaged is as good as lost", () => {
    const first = planned();
    expect(planned(first.memory).outcome).toBe("Waiting");
    const damaged = (forecasts: unknown) => ({ ...first.memory, forecasts: { "InfluxDB Linear 0.95 600": forecasts } });
    expect(planned(damaged({ nodes: { z2: { alpha: "much" } }, pods: {} }))).toEqual(
      planned({ ...first.memory, forecasts: {} }),
    );
    expect(planned(damaged("none"))).toEqual(planned({ ...first.memory, forecasts: {} }));
    expect(planned({ ...first.memory, forecasts: "none" }).outcome).toBe("Waiting");
  });

  it("shows in its table when each move starts", () => {
    const { out } = plan(["--snapshot", "-", "--policy", policy], snapshot());
    expect(out).toMatch(/^default\/q +z2 +z1 +20Gi +00:0\d:\d\d +98s +f$/m);
  });
});

describe("headroom plan refuses with exit code 2 and names", () => {
  const OWN = file("own.yaml", readFileSync(POLICY, "utf8"));

  it("every wrong field of the snapshot and of all policies at once", () => {
    const snapshot = file(
      "bad.yaml",
      `{apiVersion: headroom.dev/v1alpha1, kind: ClusterSnapshot, time: yesterday,
        nodes: [{name: a, capacity: lots}, {name: b, sise: 3}],
        pods: [{namespace: d, name: p, node: a, used: 1Gi, series: {start: 2026-01-01T00:00:00Z, step: 15, bytes: [x]}}],
        memory: {version: 2}}`,
    );
    const policies = file(
      "policies.yaml",
      `{apiVersion: headroom.dev/v1alpha1, kind: MigrationPolicy, metadata: {name: a},
        spec: {podSelector: {}, pressure: {freeBelow: 120%, freeBellow: 3}}}
---
{apiVersion: v1, kind: MigrationPolicy, metadata: {name: b}, spec: {}}`,
    );
    const { code, out, err } = plan(["--snapshot", snapshot, "--policy", policies]);
    expect([code, out]).toEqual([2, ""]);
    const lines = err.trimEnd().split("\n");
    expect(
      lines.map((line) =>
        line
          .slice(line.lastIndexOf("/") + 1)
          .split(": ")
          .slice(0, 2)
          .join(" "),
      ),
    ).toEqual([
      "bad.yaml time",
      "bad.yaml nodes[0].capacity",
      "bad.yaml nodes[1].capacity",
      "bad.yaml nodes[1].sise",
      "bad.yaml pods[0].series.step",
      "bad.yaml pods[0].series.bytes[0]",
      "bad.yaml pods[0].used",
      "bad.yaml memory.version",
      "policies.yaml, document 1, line 2 spec.pressure.freeBelow",
      "policies.yaml, document 1, line 2 spec.pressure.freeBellow",
      'v1alpha1"',
      "policies.yaml, document 2, line 4 spec.podSelector",
    ]);
    expect(lines.every((line) => /expected|must be/.test(line))).toBe(true);
  });

  it("what is wrong in each file, whatever is the matter with the others; with 1 where one is not there", () => {
    const cut = file("cut.yaml", "a: [");
    const wrong = file("mode.yaml", readFileSync(POLICY, "utf8").replace("spec:", "spec:\n  moode: x"));
    const told = (...args: string[]) => {
      const { code, err } = plan(args);
      return [
        code,
        ["/cut.yaml: expected YAML", "spec.moode: is not", "/gone: ENOENT"].filter((part) => err.includes(part)),
      ];
    };
    expect(told("--snapshot", SNAPSHOT, "--policy", cut, wrong)).toEqual([2, [expect.anything(), expect.anything()]]);
    const all = ["/cut.yaml: expected YAML", "spec.moode: is not", "/gone: ENOENT"];
    expect(told("--snapshot", cut, "--policy", wrong, "/gone")).toEqual([1, all]);
    expect(told("--snapshot", "/gone", "--policy", wrong, cut)).toEqual([1, all]);
    expect(told("--policy", wrong, "/gone", cut)).toEqual([1, all]);
  });

  it.each<[string, string[], RegExp, number]>([
    ["text that is neither YAML nor JSON", ["--snapshot", "-", "--policy", POLICY], /expected YAML or JSON/, 2],
    ["a snapshot without a policy", ["--snapshot", SNAPSHOT], /--policy: is needed/, 2],
    ["two policies of one name", ["--snapshot", SNAPSHOT, "--policy", POLICY, POLICY], /different names; batch/, 2],
    [
      "a snapshot that would overwrite a policy",
      ["--policy", OWN, "--save", OWN],
      /^headroom: --save .*--policy reads/,
      2,
    ],
    ["an output that it doesn't know", ["--snapshot", SNAPSHOT, "--policy", POLICY, "-o", "xml"], /json, yaml/, 2],
    ["a policy in place of a snapshot", ["--snapshot", POLICY, "--policy", POLICY], /kind: expected "ClusterSnap/, 2],
    ["a file that is not there, with 1,", ["--snapshot", "/nowhere", "--policy", POLICY], /^headroom: \/nowhere: /, 1],
  ])("%s", (_, args, message, expected) => {
    const { code, err } = plan(args, "a: [");
    expect(err).toMatch(message);
    expect(code).toBe(expected);
  });
});

describe("a written snapshot", () => {
  const read = (text: string) => readSnapshotText({ name: "f", text });
  const wrap = (rest: string) =>
    `{apiVersion: headroom.dev/v1alpha1, kind: ClusterSnapshot, time: 2026-01-01T00:00:00Z, ${rest}}`;

  it.each([
    ["no nodes at all", "nodes: []"],
    ["a node without a known capacity", "nodes: [{name: a, capacity: 0}]"],
    ["a pod on a node that is not there", "nodes: [], pods: [{namespace: d, name: p, node: gone}]"],
    ["an empty memory", "nodes: [], memory: {}"],
    ["samples that cannot be", "nodes: [{name: a, capacity: 1Gi, series: [{time: 2027-01-01T00:00:00Z, bytes: -5}]}]"],
  ])("may have %s: that is data", (_, rest) => {
    expect(read(wrap(rest)).ok).toBe(true);
  });

  it("tells pods of nodes that are not in it", () => {
    const snapshot = file("lost.yaml", wrap("nodes: [], pods: [{namespace: d, name: p, node: gone, used: 1Gi}]"));
    const { out } = plan(["--snapshot", snapshot, "--policy", POLICY, "-o", "json"]);
    expect(JSON.parse(out)).toMatchObject({
      outcome: "NothingToDo",
      refusals: [{ namespace: "d", pod: "p", reason: "NodeNotFound" }],
    });
  });
});
