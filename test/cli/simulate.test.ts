import { spawn, spawnSync } from "node:child_process";
import { existsSync, linkSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { Comparison } from "../../src/simulator/comparing/comparison.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FOLDER = mkdtempSync(join(tmpdir(), "headroom-simulate-"));
const HEADROOM = [`${ROOT}scripts/headroom.js`, "simulate"];
const OPTIONS = { cwd: FOLDER, env: { PATH: process.env.PATH ?? "", HOME: FOLDER } };

function simulate(...args: string[]) {
  const run = spawnSync(process.execPath, [...HEADROOM, ...args], { ...OPTIONS, encoding: "utf8" });
  return { code: run.status, out: run.stdout, err: run.stderr };
}

function file(name: string, text: string): string {
  writeFileSync(join(FOLDER, name), text);
  return name;
}

const policy = (name: string, spec: object) =>
  JSON.stringify({ apiVersion: "headroom.dev/v1alpha1", kind: "MigrationPolicy", metadata: { name }, spec });

const SMALL = file(
  "small.yaml",
  "{apiVersion: headroom.dev/v1alpha1, kind: GeneratedWorkload, pods: 12, duration: 20m, labels: {tier: batch}}",
);
const A = file("a.yaml", policy("a", { podSelector: {}, pressure: { freeBelow: "30%" } }));
const B = file("b.yaml", policy("b", { podSelector: { matchLabels: { tier: "batch" } }, mode: "DryRun" }));
symlinkSync(file("results.csv", "of before"), join(FOLDER, "results.json"));
const ON_SMALL = ["--trace", SMALL, "--cluster", "3x40Gi"];

describe("headroom simulate", () => {
  it("shows the policies beside none and clairvoyant, without colour or progress where nobody looks on", () => {
    const { code, out, err } = simulate(...ON_SMALL, "--policy", A, "--policy", B, "--seeds", "2");
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain("small.yaml: 12 pods on 3 nodes over 0.33 h, 2 seeds");
    for (const name of ["none", "clairvoyant", "a", "b"]) expect(out).toMatch(new RegExp(`^${name} `, "m"));
    expect(out).not.toContain("\u001b");
  });

  it("writes the same bytes whatever the number of threads", () => {
    const [one, two] = ["1", "2"].map((workers) => {
      const files = ["--json", `${workers}.json`, "--csv", `${workers}.csv`];
      expect(simulate(...ON_SMALL, "--policy", A, "--seeds", "3", "--workers", workers, ...files).code).toBe(0);
      return [".json", ".csv"].map((end) => readFileSync(join(FOLDER, workers + end), "utf8"));
    });
    expect(one).toEqual(two);
  });

  it("gives JSON alone where - is asked for, sweeps included, and a page beside it", () => {
    const sweep = "pressure.freeBelow=10%..30%/10%";
    const { out } = simulate(
      ...ON_SMALL,
      "--policy",
      A,
      "--seeds",
      "1",
      "--sweep",
      sweep,
      "--json",
      "-",
      "--html",
      "report.html",
    );
    expect(readFileSync(join(FOLDER, "report.html"), "utf8")).toMatch(/^<!doctype html>/i);
    const comparison: Comparison = JSON.parse(out);
    expect(comparison.variants.map(({ name }) => name)).toEqual([
      "none",
      "clairvoyant",
      "a pressure.freeBelow=10%",
      "a pressure.freeBelow=20%",
      "a pressure.freeBelow=30%",
    ]);
    expect(comparison.sweeps).toEqual([{ path: "pressure.freeBelow", values: ["10%", "20%", "30%"] }]);
  });

  it("writes the pods of the first seed, which run as the generated ones do", () => {
    const run = (...args: string[]) =>
      simulate("--cluster", "3x16Gi", "--policy", A, "--seeds", "7..7", "--csv", "-", ...args);
    const generated = run("--trace", SMALL, "--save-trace", "saved.json");
    expect([generated.code, generated.err]).toEqual([0, ""]);
    expect(run("--trace", "saved.json", "--until", "20m").out).toBe(generated.out);
  });

  it("warns of a policy that selects none of the pods, and says how to give them labels", () => {
    const bare = file(
      "bare.yaml",
      "{apiVersion: headroom.dev/v1alpha1, kind: GeneratedWorkload, pods: 2, duration: 5m}",
    );
    const args = ["--trace", bare, "--cluster", "2x64Gi", "--policy", B, "--seeds", "1"];
    expect(simulate(...args).err).toBe(
      "headroom: policy b selects none of the 2 pods; --labels tier=batch puts its labels on every pod\n",
    );
    expect(simulate(...args, "--labels", "tier=batch").err).toBe("");
  });

  it("warns of a policy for which every figure is too old", () => {
    const { code, err } = simulate(...ON_SMALL, "--policy", A, "--seeds", "1", "--metrics-delay", "100s");
    expect([code, err.trimEnd().split("\n")]).toEqual([
      0,
      [
        expect.stringMatching(
          /^headroom: policy a finds all figures too old.*metrics\.staleAfter of 90s .*--metrics-delay 100s/,
        ),
      ],
    ]);
  });

  it("warns of pods that no node can take, and of nodes that are not there", () => {
    const pods = file(
      "big.yaml",
      `{apiVersion: headroom.dev/v1alpha1, kind: Workload, pods: [
        {name: big, request: 400Gi, memory: 1Gi},
        {name: moved, node: gone, memory: 1Gi}]}`,
    );
    const { code, err } = simulate(
      "--trace",
      pods,
      "--cluster",
      "3x16Gi",
      "--policy",
      A,
      "--seeds",
      "1",
      "--until",
      "10m",
    );
    expect(code).toBe(0);
    expect(err.split("\n")).toEqual([
      "headroom: 1 of 2 pods request more than any node has and never start, such as default/big (400Gi; the biggest node has 16Gi)",
      "headroom: 1 of 2 pods were recorded on nodes that are not in --cluster and go where the scheduler puts them, such as default/moved on gone",
      "",
    ]);
  });

  it("shows of a sweep only what each value changes against the first", () => {
    const { out } = simulate(...ON_SMALL, "--policy", A, "--seeds", "2", "--sweep", "pressure.freeBelow=10%..50%/10%");
    const rows = out.split("\n").filter((line) => line.includes(" − "));
    expect(rows.filter((line) => line.includes("− none"))).toHaveLength(6);
    const between = rows.filter((line) => !line.includes("− none"));
    expect(between.length).toBeLessThanOrEqual(5);
    for (const row of between) expect(row).toContain("pressure.freeBelow=10%");
    expect(out).toMatch(/\d+ more between policies: --json, --csv and --html hold them\./);
  });

  it("refuses generated pods whose names are taken as any other file that is wrong", () => {
    const one = "{apiVersion: headroom.dev/v1alpha1, kind: GeneratedWorkload, pods: 5, duration: 5m}";
    const twice = file("twice.yaml", `${one}\n---\n${one}`);
    const { code, out, err } = simulate("--trace", twice, "--cluster", "3x40Gi", "--policy", A);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(
      /^headroom: twice\.yaml: expected different pods; default\/\S+ is there twice, and a Generated/,
    );
  });

  it("tells everything that is wrong at once, where, and what was expected", () => {
    const wrong = file("wrong.yaml", policy("w", { podSelector: {}, pressure: { freeBelow: 7 } }));
    const args = ["--trace", "gone.json", "--policy", wrong, "--seeds", "0", "--metrics-loss", "2", "--sweep", "x"];
    const { code, out, err } = simulate(...args, "--gaps", "no", "--scheduler", "x");
    expect([code, out]).toEqual([2, ""]);
    for (const part of [
      "--seeds 0: expected a number such as 30",
      "--gaps no: expected interpolate or keep",
      "--scheduler x: expected LeastRequested or Balanced",
      "--metrics-loss 2: expected a part such as 5%",
      "--sweep x: expected [POLICY:]PATH",
      "wrong.yaml, line 1: spec.pressure.freeBelow: expected",
      "--cluster: is needed beside --trace",
      "gone.json: ",
    ]) {
      expect(err).toContain(`headroom: ${part}`);
    }
  });

  it("tells what is wrong in each policy file, whatever is the matter with the others", () => {
    const wrong = file("mode.yaml", policy("m", { podSelector: {}, mode: "x" }));
    const files = [file("cut.yaml", "a: ["), wrong, "gone.yaml"].flatMap((name) => ["--policy", name]);
    // Which policies the broken files hold is not known: cut may well be one of them.
    const { code, err } = simulate(...ON_SMALL, ...files, "--sweep", "cut:pressure.freeBelow=10%,20%");
    expect([code, err.trimEnd().split("\n")]).toEqual([
      2,
      ["cut.yaml: expected YAML or JSON", "gone.yaml: ENOENT", "mode.yaml, line 1: spec.mode: expected"].map((start) =>
        expect.stringContaining(`headroom: ${start}`),
      ),
    ]);
  });

  it.each([
    [
      "twice standard output",
      ["--json", "-", "--csv", "-"],
      "--json and --csv: both to standard output: give each a file of its own",
    ],
    [
      "the same file",
      ["--csv", "x.csv", "--html", "./x.csv"],
      "--csv and --html: both to ./x.csv: give each a file of its own",
    ],
    [
      "one file under two names",
      ["--csv", "results.csv", "--json", "results.json"],
      "--json and --csv: both to results.csv: give each a file of its own",
    ],
    ["no file", ["--html", ""], "--html: expected a file, or - for standard output"],
  ])("refuses %s before anything is run", (_, outputs, message) => {
    const { code, out, err } = simulate(...ON_SMALL, "--policy", A, ...outputs);
    expect([code, out, err]).toEqual([2, "", `headroom: ${message}\n`]);
  });

  it("refuses to overwrite what it reads, by whatever name, and tells that with all else that is wrong", () => {
    mkdirSync(join(FOLDER, "traces/inner"), { recursive: true });
    const inputs = [file("traces/inner/t.yaml", "pods"), file("nodes.yaml", "nodes"), file("p.yaml", policy("p", {}))];
    symlinkSync("nodes.yaml", join(FOLDER, "link.yaml"));
    linkSync(join(FOLDER, "p.yaml"), join(FOLDER, "hard.yaml"));
    const texts = () => inputs.map((name) => readFileSync(join(FOLDER, name), "utf8"));
    const before = texts();
    const args = ["--trace", "traces", "--cluster", "nodes.yaml", "--policy", "p.yaml", "--seeds", "0"];
    const { code, err } = simulate(
      ...args,
      ...["--save-trace", "./traces/inner/t.yaml", "--json", "link.yaml", "--html", "hard.yaml"],
    );
    expect(code).toBe(2);
    for (const line of [
      "--save-trace ./traces/inner/t.yaml: would overwrite traces/inner/t.yaml, which --trace reads: give another file",
      "--json link.yaml: would overwrite nodes.yaml, which --cluster reads: give another file",
      "--html hard.yaml: would overwrite p.yaml, which --policy reads: give another file",
      "--seeds 0: expected",
    ])
      expect(err).toContain(`headroom: ${line}`);
    expect(texts()).toEqual(before);
  });

  it("gives the page alone where - is asked for", () => {
    const { code, out } = simulate(...ON_SMALL, "--policy", A, "--seeds", "1", "--html", "-");
    expect([code, out.slice(0, 15).toLowerCase()]).toEqual([0, "<!doctype html>"]);
  });

  it.runIf(existsSync("/dev/full"))(
    "writes what can be written when one file turns out not to be, and names that",
    () => {
      const { code, err } = simulate(
        ...ON_SMALL,
        "--policy",
        A,
        "--seeds",
        "1",
        "--json",
        "/dev/full",
        "--csv",
        "kept.csv",
      );
      expect([code, err]).toEqual([1, expect.stringMatching(/^headroom: \/dev\/full: ENOSPC/)]);
      expect(readFileSync(join(FOLDER, "kept.csv"), "utf8")).toContain("variant,");
    },
  );

  it("ends quietly when nobody reads on", () => {
    const command = `${process.execPath} ${HEADROOM.join(" ")} ${ON_SMALL.join(" ")} --policy ${A} --seeds 1 --html - | head -c 10`;
    const { stdout, stderr } = spawnSync("sh", ["-c", command], { ...OPTIONS, encoding: "utf8" });
    expect([stdout.length, stderr]).toEqual([10, ""]);
  });

  it("finds out before the work, not after it, that a file cannot be written", () => {
    const { code, err } = simulate(...ON_SMALL, "--policy", A, "--seeds", "9000", "--json", "no/such/folder.json");
    expect([code, err]).toEqual([1, expect.stringContaining("no/such/folder.json: ")]);
  });

  it("shows a bar to who looks on, and keeps what is done when it is interrupted", async () => {
    const args = [
      ...HEADROOM,
      ...ON_SMALL,
      "--policy",
      A,
      "--seeds",
      "9000",
      "--workers",
      "1",
      "--json",
      "partial.json",
    ];
    const terminal = ["--import", "data:text/javascript,process.stderr.isTTY=true;"];
    const child = spawn(process.execPath, [...terminal, ...args], OPTIONS);
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk) => {
      out += String(chunk);
    });
    child.stderr.on("data", (chunk) => {
      err += String(chunk);
      // A second one would end it at once.
      if (!child.killed && / [1-9][0-9]+\/27000 runs/.test(err)) child.kill("SIGINT");
    });
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect(code).toBe(130);
    expect(err).toMatch(/interrupted: [0-9]+ of 9000 seeds are compared/);
    const { seeds, seedsAsked }: Comparison = JSON.parse(readFileSync(join(FOLDER, "partial.json"), "utf8"));
    expect([seeds.length > 0, seedsAsked]).toEqual([true, 9000]);
    expect(out).toContain(`${seeds.length} of 9000 seeds`);
  });
});
