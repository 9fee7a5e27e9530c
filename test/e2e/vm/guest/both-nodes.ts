/**
 * Source and target of a move on one machine: two runtimes of the agent's, joined by a peer without HTTP between. Each
 * has its own folders by design; only the move's control group would be shared, so the source's gets another name.
 */
import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { type Host, thisHost } from "../../../../src/agent/host/host.ts";
import { HostRuntime } from "../../../../src/agent/host/host-runtime.ts";
import type { Peer } from "../../../../src/agent/node-runtime.ts";
import { CONTAINER_NAME } from "./containers.ts";

const ADDRESS = "127.0.0.1";
/** The virtual machine has no other. */
const CRIU = "/payload/criu/bin";
const PATIENCE_MS = 60_000; // emulation is slow

function sourceHost(): Host {
  const host = thisHost();
  const renamed = (path: string): string => path.replace("/sys/fs/cgroup/headroom", "/sys/fs/cgroup/source");
  return {
    path: (path) => renamed(host.path(path)),
    command: (argv, files) => host.command(argv.map(renamed), files),
    environment: host.environment,
  };
}

function runtimeOn(host: Host): HostRuntime {
  return new HostRuntime({
    host,
    criu: CRIU,
    preparation: { turn: { state: "none" }, begin: () => ({ state: "none" }) },
    verdicts: () => [],
    agentVersion: "test",
    nodeAddress: ADDRESS,
    stagingBudget: { fraction: 0.5 },
    handler: async () => ({ installed: true }),
    dumpMs: PATIENCE_MS,
    restore: { createMs: PATIENCE_MS, restoreMs: PATIENCE_MS, startMs: PATIENCE_MS },
    warn: (message) => console.error(message),
  });
}

export const source = runtimeOn(sourceHost());
export const target = runtimeOn(thisHost());
const never = new AbortController().signal;

/** One move, by the commands that the controller would send to the two agents. */
export class Move {
  readonly uid = randomUUID();
  readonly targetPodUID = randomUUID();
  readonly #source: { podUID: string; containerID: string; containerName: string };

  constructor(containerID: string) {
    this.#source = { podUID: randomUUID(), containerID, containerName: CONTAINER_NAME };
  }

  async receive(): Promise<void> {
    await target.register({ ...this.#command, podUID: this.targetPodUID, containerName: CONTAINER_NAME });
    const receiving = {
      token: "t".repeat(32),
      sourceNode: "here",
      sourceAddress: ADDRESS,
      filesBytes: 0,
      totalBytes: 0,
      emptyDirs: [],
    };
    const { pagePort } = await target.receive({ ...this.#command, ...receiving, stagingBytes: 256 << 20 });
    this.#pagePort = pagePort;
  }

  dump() {
    const peer = { address: ADDRESS, pagePort: this.#pagePort, agentPort: 1, node: "here", token: "t".repeat(32) };
    const limits = { expectedMs: 500, allowedMs: 60_000, filesBytes: 0 };
    const command = { ...this.#command, source: this.#source, emptyDirs: [], peer, tcp: "Refuse" as const, limits };
    return source.dump(command, this.#peer(), never);
  }

  restore = () => target.restore(this.#toTarget, never);
  release = () => {
    target.markReleased(this.#toTarget);
    return target.release(this.#toTarget);
  };
  abort = () => {
    target.markAborted(this.#toTarget);
    return target.abort(this.#toTarget);
  };
  cleanUpTarget = () => target.cleanupTarget({ ...this.#toTarget, released: false });
  resume = () => source.resume({ ...this.#command, source: this.#source });
  kill = () => source.kill({ ...this.#command, source: this.#source });
  cleanUpSource = () => source.cleanupSource({ ...this.#command, podUID: "" });

  #pagePort = 0;

  get #command() {
    return { moveUID: this.uid, epoch: 1 };
  }

  get #toTarget() {
    return { ...this.#command, podUID: this.targetPodUID };
  }

  #peer(): Peer {
    return {
      open: async () => undefined,
      measure: async () => ({ bytesPerSecond: 1e9, atLeast: true }),
      put: (part, body) =>
        target.acceptFiles(this.uid, part, body instanceof Readable ? body : Readable.from([Buffer.from(body)]), never),
      close: async () => undefined,
    };
  }
}
