import { Chalk } from "chalk";
import { describe, expect, it } from "vitest";
import { SandboxApiServer } from "../../src/sandbox/api-server/server.ts";
import { Journal } from "../../src/sandbox/demo/journal.ts";
import { reportLines } from "../../src/sandbox/demo/report.ts";
import { screenFor } from "../../src/sandbox/demo/screen.ts";
import { type Frame, frameLines, kubectlTable, wrapped } from "../../src/sandbox/demo/view.ts";
import { installHeadroom } from "../../src/sandbox/installation.ts";

const PLAIN = new Chalk({ level: 0 });
const GI = 2 ** 30;

const frame = (change: Partial<Frame> = {}): Frame => ({
  title: "1/2",
  elapsedMs: 0,
  nodes: [
    { name: "node-a", usedBytes: GI, capacityBytes: 2 * GI, pods: [{ name: "w", bytes: GI / 2, state: "frozen" }] },
  ],
  journal: [],
  table: [],
  ...change,
});

const entry = (text: string) => ({ atMs: 1_000, tone: "plain" as const, text });

describe("a frame", () => {
  it("shows each node's memory and what its pods use, and which of them stand still", () => {
    const text = frameLines(frame(), PLAIN, { width: 100, height: 40 }).join("\n");
    expect(text).toContain(`node-a  ${"█".repeat(15)}${"░".repeat(15)}   50 % of 2.0 GiB  w 0.50 (frozen)`);
  });

  it("never has more lines than the terminal: of the journal the newest are kept", () => {
    const journal = Array.from({ length: 50 }, (_, i) => entry(`entry ${i}`));
    const lines = frameLines(frame({ journal, table: ["NAME", "m"] }), PLAIN, { width: 80, height: 20 });
    expect(lines.length).toBeLessThan(20);
    expect(lines.join("\n")).toContain("entry 49");
  });
});

describe("text", () => {
  it("is broken at spaces and nowhere else", () => {
    expect(wrapped("one two three", 8)).toEqual(["one two", "  three"]);
    expect(wrapped("unbreakable", 4)).toEqual(["unbreakable"]);
  });

  it("of a table is laid out as kubectl does it", () => {
    expect(kubectlTable(["Name", "To"], [["a-long-name", "n2"]])).toEqual(["NAME          TO", "a-long-name   n2"]);
    expect(kubectlTable(["Name"], [])).toEqual([]);
  });
});

describe("the screen", () => {
  const written = (isTTY: boolean, frames: Frame[]): string => {
    let text = "";
    const screen = screenFor({ isTTY, columns: 100, rows: 40, write: (more) => (text += more) }, PLAIN);
    for (const each of frames) screen.show(each);
    return text;
  };

  it("draws over what it drew before, on a terminal", () => {
    expect(written(true, [frame(), frame()])).toContain("\u001b[4A");
  });

  it("writes what is new and no control characters, elsewhere", () => {
    const first = frame({ journal: [entry("first")] });
    const text = written(false, [first, frame({ journal: [entry("first"), entry("second")] })]);
    expect(text.match(/first/g)).toHaveLength(1);
    expect(text).toContain("second");
    expect(text).not.toContain("\u001b");
  });
});

describe("the journal", () => {
  it("tells a kill that lost work apart from a source's whose copy goes on", () => {
    const journal = new Journal(() => 0);
    const kill = { node: "node-a", pod: "default/w", atMs: 0, workMs: 2000 };
    journal.kill(kill, true);
    journal.kill(kill, false);
    expect(journal.entries.map(({ tone }) => tone)).toEqual(["bad", "plain"]);
    expect(journal.entries[0]?.text).toContain("kills w; 2.0 s of work are lost");
    expect(journal.entries[1]?.text).not.toContain("lost");
  });

  it("tells why a move was decided, what else was considered, and how it went", async () => {
    const server = await SandboxApiServer.start();
    installHeadroom(server);
    const journal = new Journal(() => 0);
    journal.follow(server.store);
    const type = server.types.find("headroom.dev", "v1alpha1", "podmigrations");
    if (!type) throw new Error("no podmigrations");
    const address = { type, namespace: "default", name: "m" };
    server.registry.create(type, "default", { metadata: { name: "m" }, spec: { podName: "w", targetNode: "n2" } });
    const considered = [{ pod: "v", reason: "TooSmall", message: "it is too small" }];
    const put = (status: object) =>
      server.registry.patch(address, (move) => ({ ...move, status: JSON.parse(JSON.stringify(status)) }), {
        subresource: "status",
      });
    put({ phase: "Preflight", cause: { message: "n1 is short", considered } });
    put({ phase: "Succeeded", freezeMilliseconds: 700, cause: { message: "n1 is short", considered } });
    await server.close();
    expect(journal.entries.map(({ text }) => text)).toEqual([
      "decided: w goes to n2: n1 is short",
      "  considered v: it is too small",
      "w was moved, memory and all; it stood still for 0.7 s",
    ]);
  });
});

describe("the report", () => {
  const nothing = { losses: [], freezes: [], violations: [], marked: [] };

  it("sets kills avoided and work saved against the time stood still", () => {
    const loss = { instance: "i", pod: "p", node: "a", atMs: 0, workMs: 9_000 };
    const freeze = { instance: "i", fromNode: "a", toNode: "b", milliseconds: 700 };
    const lines = reportLines({ ...nothing, losses: [loss] }, { ...nothing, freezes: [freeze] }, PLAIN);
    expect(lines.at(-1)).toBe("1 kill avoided and 9.0 s of work saved, for 0.7 s of standing still.");
  });

  it("says so when an invariant was broken", () => {
    const lines = reportLines(nothing, { ...nothing, violations: ["two copies run"] }, PLAIN);
    expect(lines).toContain("two copies run");
  });
});
