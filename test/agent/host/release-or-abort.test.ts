/**
 * The marks on the node's disk decide whether a copy runs or never will. Here everything else is taken away: the agent's process between
 * any two lines, its records, the copy, the node's memory.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AgentError } from "../../../src/agent/agent-error.ts";
import { AgentCommands } from "../../../src/agent/commands.ts";
import type { Host } from "../../../src/agent/host/host.ts";
import { registrationOf, targetMoveOf } from "../../../src/agent/host/layout.ts";
import { FixedIdentity } from "../../../src/agent/identity.ts";
import { FileMoveRecords, type MoveRecords, type StoredRecord } from "../../../src/agent/move-records.ts";
import type { NodeRuntime } from "../../../src/agent/node-runtime.ts";
import type { StepName } from "../../../src/agent/steps.ts";
import { hostRuntimeOn } from "../../support/agent/host-runtime.ts";
import "../../support/property-seed.ts";

const POD = "5f0e1111-6f0e-4f7c-9f5b-0123456789ab";
const MOVE = "0b9d5a52-6f0e-4f7c-9f5b-0123456789ab";
const GROUP = "/sys/fs/cgroup/devices/pod/c1";
const MOVES = "/var/lib/headroom/moves";

/** A hundred nodes write durably here. */
const FAST = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** Thrown where an agent is killed: nothing that comes after it happens. */
class Killed extends Error {}

/** A node with a held copy on it, and an agent that can be killed at any of its boundaries. */
class Node {
  readonly root = mkdtempSync(join(FAST, "node-"));
  readonly host: Host = {
    path: (path) => join(this.root, path),
    command: () => ({ file: "true", args: [] }),
    environment: () => ({}),
  };
  readonly registered = registrationOf(POD);
  #copy: ChildProcess | undefined;
  /** The copy has run. */
  ran = false;
  /** How many boundaries the agent still passes. */
  #left = Number.POSITIVE_INFINITY;
  #agent: AgentCommands | undefined;

  async start(): Promise<void> {
    this.write(this.registered.move, `${MOVE}\n`);
    this.write(this.registered.container, "app\n");
    this.#copy = spawn("/bin/sh", ["-c", "kill -STOP $$; read line"], { stdio: ["pipe", "ignore", "ignore"] });
    const { pid } = this.#copy;
    this.#copy.once("exit", () => this.write(`${GROUP}/cgroup.procs`, ""));
    while (this.#state() !== "T") await sleep(1);
    const paths = { freezer: GROUP, devices: GROUP, memory: GROUP };
    const state = { init_process_pid: pid, cgroup_paths: paths, config: { rootfs: "/r", mounts: [] } };
    this.write("/run/containerd/runc/k8s.io/c1/state.json", JSON.stringify(state));
    this.write(`${GROUP}/cgroup.procs`, `${pid}\n`);
    this.write(targetMoveOf(MOVE).restorePid, "1 c1\n");
    this.write(targetMoveOf(MOVE).restoreExit, "0\n");
    this.restart();
    this.record("held");
  }

  record(state: StoredRecord["state"]): void {
    this.#records().save({ moveUID: MOVE, role: "target", epoch: 1, podUID: POD, state, results: {} });
    this.restart();
  }

  state(): StoredRecord["state"] | "none" {
    return this.#records().get(MOVE, "target")?.state ?? "none";
  }

  restart(): void {
    const runtime = this.#mortal<NodeRuntime>(hostRuntimeOn(this.host));
    const records = this.#mortal<MoveRecords>(this.#records());
    const identity = new FixedIdentity({ key: "", certificate: "", authority: "" });
    const peer = { open: async () => {}, put: async () => {}, close: async () => {} };
    const connectPeer = () => ({ ...peer, measure: async () => ({ bytesPerSecond: 1e9, atLeast: true }) });
    this.#agent = new AgentCommands({ runtime, records, identity, connectPeer }, () => 1);
  }

  killAfter(boundaries: number): void {
    this.#left = boundaries;
  }

  /** The command's answer: `ok`, the reason of its refusal, or `killed`. */
  async ask(step: StepName, podUID: string | undefined = POD): Promise<string> {
    const route = { role: "target", step, moveUID: MOVE } as const;
    const body = { moveUID: MOVE, epoch: 1, containerName: "app", ...(podUID === undefined ? {} : { podUID }) };
    try {
      await this.#agent?.step(route, body);
      return "ok";
    } catch (error) {
      if (error instanceof AgentError) return error.reason;
      if (!(error instanceof Killed)) throw error;
      this.#left = Number.POSITIVE_INFINITY;
      this.restart();
      return "killed";
    } finally {
      this.#look();
    }
  }

  loseRecords(): void {
    rmSync(this.host.path(MOVES), { recursive: true, force: true });
    this.restart();
  }

  /** As a process that was killed: it is still there, and not stopped any more. */
  copyBeginsToDie(): void {
    this.#copy?.kill("SIGCONT");
  }

  async copyDies(): Promise<void> {
    this.#look();
    const copy = this.#copy;
    if (!copy || copy.exitCode !== null || copy.signalCode !== null) return;
    const gone = new Promise((resolve) => copy.once("exit", resolve));
    copy.kill("SIGKILL");
    await gone;
  }

  /** What was in memory is gone. */
  async reboot(): Promise<void> {
    await this.copyDies();
    for (const folder of ["/run", "/sys"]) rmSync(this.host.path(folder), { recursive: true, force: true });
    this.restart();
  }

  async end(): Promise<void> {
    await this.copyDies();
    rmSync(this.root, { recursive: true, force: true });
  }

  write(path: string, content: string): void {
    if (!existsSync(this.root)) return;
    mkdirSync(dirname(this.host.path(path)), { recursive: true });
    writeFileSync(this.host.path(path), content);
  }

  #look(): void {
    const state = this.#state();
    if (state !== undefined && state !== "T" && state !== "Z") this.ran = true;
  }

  #state(): string | undefined {
    try {
      const text = readFileSync(`/proc/${this.#copy?.pid}/stat`, "utf8");
      return text.slice(text.lastIndexOf(")") + 2)[0];
    } catch {
      return undefined;
    }
  }

  #records(): FileMoveRecords {
    return new FileMoveRecords(this.host.path(MOVES), () => {});
  }

  /** Every call has a boundary before and after it. */
  #mortal<T extends object>(own: T): T {
    const pass = () => {
      if (this.#left-- <= 0) throw new Killed();
    };
    return new Proxy(own, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== "function") return method;
        return (...given: unknown[]) => {
          pass();
          const answer: unknown = method.apply(target, given);
          if (!(answer instanceof Promise)) pass();
          return answer instanceof Promise ? answer.finally(pass) : answer;
        };
      },
    });
  }
}

let node: Node;
beforeEach(async () => {
  node = new Node();
  await node.start();
});
afterEach(() => node.end());

test("a copy that is being killed is not marked as released: its source can go on", async () => {
  const node = new Node();
  try {
    await node.start();
    node.copyBeginsToDie();
    while ((await node.ask("release")) !== "WrongState") await sleep(1);
    expect(existsSync(node.host.path(node.registered.released))).toBe(false);
    await node.copyDies();
    expect(await node.ask("release")).toBe("CopyDead");
  } finally {
    await node.end();
  }
});

describe("a held copy", () => {
  test("that has died is not released: nothing on the node says that it may have run", async () => {
    await node.copyDies();
    expect(await node.ask("release")).toBe("CopyDead");
    expect([node.state(), existsSync(node.host.path(node.registered.released))]).toEqual(["held", false]);
    expect([await node.ask("abort"), await node.ask("release")]).toEqual(["ok", "WrongState"]);
  });

  test("that has died with its node's memory is dead and never ran", async () => {
    await node.reboot();
    expect(await node.ask("release")).toBe("CopyDead");
  });

  test("that died once its release was decided may have run, whatever the record says", async () => {
    node.write(node.registered.released, "");
    await node.copyDies();
    expect(await node.ask("abort")).toBe("AlreadyReleased");
    expect(await node.ask("release")).toBe("ReleaseFailed");
  });

  test("whose registration is lost, too, is not said never to have run", async () => {
    await node.copyDies();
    node.loseRecords();
    rmSync(node.host.path(node.registered.directory), { recursive: true });
    expect(await node.ask("release")).toBe("ReleaseFailed");
  });

  test("is released after its record is lost, or back at `restoring`", async () => {
    node.record("restoring");
    expect(await node.ask("release")).toBe("ok");
    node.loseRecords();
    expect(await node.ask("release")).toBe("ok");
    expect([node.state(), node.ran]).toEqual(["released", true]);
  });

  test("that was only marked as aborted before the agent and its records were lost is not released either", async () => {
    node.write(node.registered.aborted, "");
    node.loseRecords();
    expect(await node.ask("release")).toBe("WrongState");
    expect(await node.ask("abort")).toBe("ok");
    expect(node.ran).toBe(false);
  });

  test("that is still being restored can't be released yet", async () => {
    rmSync(node.host.path(targetMoveOf(MOVE).restoreExit));
    node.write(targetMoveOf(MOVE).restorePid, `${process.pid} ${process.argv[1]}\n`);
    node.record("restoring");
    expect(await node.ask("release")).toBe("WrongState");
    expect(node.ran).toBe(false);
  });

  test.each([
    ["at once", async () => {}],
    ["after its record was lost", async () => node.loseRecords()],
    ["after clean-up", () => node.ask("cleanup")],
    ["after clean-up and a loss of all records", async () => node.ask("cleanup").then(() => node.loseRecords())],
    ["after a reboot", () => node.reboot()],
  ])("that was aborted is never released: %s", async (_when, happens) => {
    node.loseRecords(); // the registration knows the move's pod
    expect(await node.ask("abort", undefined)).toBe("ok");
    await happens();
    expect(["WrongState", "CopyDead", "ReleaseFailed"]).toContain(await node.ask("release"));
    expect(await node.ask("register")).toBe("WrongState");
    expect(node.ran).toBe(false);
  });
});

test("a clean-up that is repeated after a kill does not bar a released pod from its restarts", async () => {
  for (let boundary = 0, killed = true; killed; boundary++) {
    await node.ask("release");
    node.killAfter(boundary);
    killed = (await node.ask("cleanup")) === "killed";
    node.killAfter(Number.POSITIVE_INFINITY);
    expect(await node.ask("cleanup")).toBe("ok");
    expect(existsSync(node.host.path(node.registered.directory))).toBe(false);
    await node.end();
    node = new Node();
    await node.start();
  }
});

type Accident = "lose records" | "die" | "reboot";
type Event = { ask: "release" | "abort" | "cleanup"; killAfter: number } | Accident;

const killAfter = fc.oneof(fc.integer({ min: 0, max: 30 }), fc.constant(Number.POSITIVE_INFINITY));
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ ask: fc.constantFrom("release", "abort", "cleanup"), killAfter }) },
  { weight: 1, arbitrary: fc.constantFrom<Accident>("lose records", "die", "reboot") },
);

/** What the agent has answered. */
async function happen(to: Node, what: Event): Promise<string> {
  if (typeof what === "string") {
    if (what === "lose records") to.loseRecords();
    else await (what === "die" ? to.copyDies() : to.reboot());
    return what;
  }
  to.killAfter(what.killAfter);
  const answer = `${what.ask} ${await to.ask(what.ask)}`;
  to.killAfter(Number.POSITIVE_INFINITY);
  return answer;
}

test("whatever is killed and lost in between, no copy runs that was said never to run", async () => {
  const run = async (events: Event[]) => {
    const own = new Node();
    await own.start();
    try {
      const answers: string[] = [];
      for (const what of events) {
        answers.push(await happen(own, what));
        const never = answers.some((answer) => answer === "abort ok" || answer === "release CopyDead");
        expect(own.ran && never, answers.join(", ")).toBe(false);
      }
      if (answers.includes("release ok")) expect(answers).not.toContain("abort ok");
    } finally {
      await own.end();
    }
  };
  await fc.assert(fc.asyncProperty(fc.array(event, { maxLength: 6 }), run), { numRuns: 100 });
});
