/** How an agent brings its node to where pods can be moved to it, over a containerd that a test holds. */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isSettled, Preparation, type PreparationParts } from "../../src/agent/preparation.ts";
import type { Turn, Verdict } from "../../src/agent/protocol.ts";
import { silentLogger } from "../../src/logging/logger.ts";
import { type NodeFolder, nodeFolder } from "../support/agent/node-folder.ts";
import { until } from "../support/until.ts";

const MARK = "/var/lib/headroom/turn.json";
const root = (ok: boolean): Verdict => ({
  kind: "root",
  ok,
  ms: 1,
  ...(ok ? {} : { message: "it could not be dumped" }),
});

let node: NodeFolder;
/** What happens on the node, in order. */
let done: string[];
let installed: boolean;
let install: () => Promise<void>;
let verdicts: Verdict[];
let changes: Turn["state"][];

beforeEach(() => {
  node = nodeFolder();
  mkdirSync(node.host.path("/var/lib/headroom"), { recursive: true });
  done = [];
  changes = [];
  installed = false;
  install = async () => {
    if (installed) return;
    done.push("containerd restarted");
    installed = true;
  };
  verdicts = [root(true)];
});
afterEach(() => rmSync(node.root, { recursive: true, force: true }));

function agent(more: Partial<PreparationParts> = {}): Preparation {
  const proof = {
    isNew: true,
    verdicts: [] as Verdict[],
    prove: async () => {
      done.push("tested");
      proof.verdicts = verdicts;
    },
  };
  return new Preparation({
    host: node.host,
    pod: "pod-1",
    installs: true,
    wasInstalled: false,
    install: () => install(),
    handler: async () => (installed ? { installed } : { installed, message: "add it" }),
    proof,
    onChange: ({ state }) => changes.push(state),
    log: silentLogger,
    ...more,
  });
}

async function prepared(preparation: Preparation): Promise<Turn> {
  preparation.begin();
  await until(() => isSettled(preparation.turn), "the end of preparing");
  return preparation.turn;
}

describe("a new node", () => {
  test("waits for its turn, and is prepared then: containerd, then the self-test", async () => {
    const preparation = agent();
    await preparation.settle();
    await preparation.look();
    expect([preparation.turn, done]).toEqual([{ state: "waiting" }, []]);
    expect(preparation.begin()).toEqual({ state: "preparing" });
    expect(preparation.begin()).toEqual({ state: "preparing" });
    expect(await prepared(preparation)).toEqual({ state: "none" });
    expect(done).toEqual(["containerd restarted", "tested"]);
    expect(changes).toEqual(["preparing", "none"]);
    expect(existsSync(node.host.path(MARK))).toBe(false);
  });

  test("needs no turn where its owner has put the handler in, before or while it waits", async () => {
    const preparation = agent();
    await preparation.settle();
    installed = true;
    await preparation.look();
    expect([preparation.turn, done]).toEqual([{ state: "none" }, ["tested"]]);
  });

  test.each(["before its turn", "in its turn"])("of a kind that is never edited is no failure, %s", async (when) => {
    const message = "this node runs CRI-O";
    const handler = async () => ({ installed: false, message, refused: true as const });
    install = async () => {
      throw new Error(message);
    };
    const preparation = agent({ handler });
    if (when === "before its turn") await preparation.settle();
    else await prepared(preparation);
    expect(preparation.turn).toEqual({ state: "none" });
    expect(existsSync(node.host.path(MARK))).toBe(false);
    expect(done).toEqual(["tested"]);
  });

  test("needs no turn where containerd is left alone", async () => {
    const preparation = agent({ installs: false, install: async () => {} });
    await preparation.settle();
    expect([preparation.turn, done]).toEqual([{ state: "none" }, ["tested"]]);
  });
});

describe("a prepared node", () => {
  test.each([
    ["is ready at once", true, { isNew: false }, ["tested"]],
    ["is tested before it is ready when it never was", true, { isNew: true }, ["tested"]],
  ])("%s", async (_what, was, { isNew }, expected) => {
    installed = true;
    const proof = { isNew, verdicts: [], prove: async () => void done.push("tested") };
    const preparation = agent({ wasInstalled: was, proof });
    expect(preparation.turn).toEqual({ state: "none" });
    await preparation.settle();
    expect([done, changes]).toEqual([expected, isNew ? ["preparing", "none"] : []]);
  });

  test("waits for a turn when the handler is gone from its containerd", async () => {
    const preparation = agent({ wasInstalled: true });
    await preparation.settle();
    expect([preparation.turn, done]).toEqual([{ state: "waiting" }, []]);
  });
});

describe("a failure", () => {
  const broken = async (): Promise<never> => {
    throw new Error("config.toml: line 3");
  };

  test.each<[string, () => void, string]>([
    ["containerd's configuration cannot be edited", () => (install = broken), "config.toml: line 3"],
    ["the handler is not there afterwards", () => (install = async () => {}), "add it"],
    ["no container can be moved", () => (verdicts = [root(false)]), "its self-test failed: it could not be dumped"],
  ])("is told when %s", async (_what, breakIt, message) => {
    breakIt();
    expect(await prepared(agent())).toEqual({ state: "failed", message });
  });

  test("is not that containers of another kind cannot be moved", async () => {
    verdicts = [root(true), { kind: "user", ok: false, ms: 1 }];
    expect(await prepared(agent())).toEqual({ state: "none" });
  });

  test("stays with the agent's pod, over restarts of the agent; the next pod waits for a turn", async () => {
    install = broken;
    await prepared(agent());
    expect(agent().turn).toEqual({ state: "failed", message: "config.toml: line 3" });
    expect(agent().begin()).toMatchObject({ state: "failed" });
    expect(agent({ pod: "pod-2" }).turn).toEqual({ state: "waiting" });
    expect(agent({ pod: undefined }).turn).toEqual({ state: "waiting" });
  });

  test("is that the agent ended in the middle", () => {
    node.write(MARK, JSON.stringify({ pod: "pod-1" }));
    expect(agent({ wasInstalled: true }).turn).toMatchObject({ state: "failed", message: /ended/ });
  });

  test("is mended when the handler is put in by hand, and then the node is tested", async () => {
    install = broken;
    const preparation = agent();
    await prepared(preparation);
    await preparation.look();
    expect(preparation.turn).toMatchObject({ state: "failed" });
    install = async () => {};
    installed = true;
    await preparation.look();
    expect([preparation.turn, done]).toEqual([{ state: "none" }, ["tested"]]);
  });

  test("of the self-test is not tried again by itself, and is by the next pod, without a restart", async () => {
    verdicts = [root(false)];
    const preparation = agent();
    await prepared(preparation);
    await preparation.look();
    expect(done).toEqual(["containerd restarted", "tested"]);
    expect(JSON.parse(readFileSync(node.host.path(MARK), "utf8"))).toMatchObject({ pod: "pod-1" });
    verdicts = [root(true)];
    const next = agent({ pod: "pod-2", wasInstalled: true });
    await next.settle();
    expect([next.turn, done.slice(2)]).toEqual([{ state: "none" }, ["tested"]]);
  });
});
