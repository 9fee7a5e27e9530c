/** Puts an agent together from its configuration, and keeps it going until it is told to stop. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AgentConfig } from "../config/agent-config.ts";
import type { Logger } from "../logging/logger.ts";
import {
  handlerStatus,
  handlerWasInstalled,
  installHandler,
  installWrapper,
  noteRunc,
  readRuntime,
} from "./containerd/handler.ts";
import { EnrolledIdentity } from "./enrolled-identity.ts";
import { layTree } from "./host/criu-tree.ts";
import { type Host, hostOfProcessOne, type RuntimePaths, thisHost, USUAL_RUNTIME, withPrograms } from "./host/host.ts";
import { HostRuntime } from "./host/host-runtime.ts";
import { RUN_DIRECTORY, STATE_DIRECTORY } from "./host/layout.ts";
import { type AgentIdentity, FixedIdentity } from "./identity.ts";
import { FileMoveRecords } from "./move-records.ts";
import { connectPeer } from "./peer.ts";
import { isSettled, Preparation } from "./preparation.ts";
import type { Turn } from "./protocol.ts";
import { NodeProof } from "./self-test/node-proof.ts";
import { AgentServer } from "./server.ts";

const UPKEEP_INTERVAL_MS = 15_000;
/** Touched at every upkeep: for the liveness probe, which no flood of connections can starve. */
export const HEARTBEAT_FILE = join(tmpdir(), "headroom-agent-alive");
/** There while the agent is ready: for the readiness probe. */
const READY_FILE = join(tmpdir(), "headroom-agent-ready");
const DUMP_LIMIT_MS = 600_000;
/** Below the kubelet's two minutes, as the runtime wrapper's own limit. */
const CREATE_LIMIT_MS = 110_000;
/** Usually some 20 ms: longer only on a node that is out of breath. */
const START_LIMIT_MS = 10_000;

export function hostOf({ host, layouts }: Pick<AgentConfig, "host"> & Partial<AgentConfig>): Host {
  return { ...(host === "here" ? thisHost() : hostOfProcessOne()), optedIn: layouts ?? [] };
}

export interface AgentRun {
  config: AgentConfig;
  version: string;
  logger: Logger;
}

/** Starts the agent. `stop` closes its port; what moves have started on the node goes on without it. */
export async function startAgent({ config, version, logger }: AgentRun): Promise<{ stop(): Promise<void> }> {
  const node = hostOf(config);
  rmSync(READY_FILE, { force: true }); // of an agent before this one
  installWrapper(node);
  const [tree, runtime] = await Promise.all([treeOn(node, config, logger), runtimeOn(node, logger)]);
  const criu = config.criu === "node" ? undefined : tree;
  noteRunc(node, runtime.runc);
  const host = { ...node, runtime };
  const identity = await identityOf(config, host);
  const proof = new NodeProof(criu === undefined ? host : withPrograms(host, criu), tree, logger);
  const records = new FileMoveRecords(host.path(join(STATE_DIRECTORY, "moves")), (file, error) =>
    logger.warn("a move's record is damaged", { file, error: String(error) }),
  );
  const handler = () => handlerStatus(host).catch((error: unknown) => ({ installed: false, message: inWords(error) }));
  const preparation = new Preparation({
    host,
    pod: config.podUID,
    installs: config.installHandler,
    wasInstalled: handlerWasInstalled(host),
    install: async () => {
      if (config.installHandler) await installHandler(host, (message) => logger.info(message));
    },
    handler,
    proof,
    onChange: showReadiness,
    log: logger,
  });
  const hostRuntime = new HostRuntime({
    host,
    agentVersion: version,
    criu,
    nodeAddress: config.address,
    stagingBudget: config.stagingBudget,
    verdicts: () => proof.verdicts,
    preparation,
    handler,
    dumpMs: DUMP_LIMIT_MS,
    restore: { createMs: CREATE_LIMIT_MS, restoreMs: DUMP_LIMIT_MS, startMs: START_LIMIT_MS },
    warn: (message) => logger.warn(message),
  });
  const server = new AgentServer({
    node: config.node,
    runtime: hostRuntime,
    records,
    identity,
    connectPeer: connectPeer(identity),
    log: logger,
  });
  await server.start({ host: config.address, port: config.port });
  logger.info("agent listens", { node: config.node, address: config.address, port: server.port });
  writeFileSync(HEARTBEAT_FILE, "");
  showReadiness(preparation.turn);
  void preparation.settle();
  const upkeep = setInterval(() => {
    writeFileSync(HEARTBEAT_FILE, "");
    hostRuntime.sweep();
    void preparation.look();
    if (identity instanceof EnrolledIdentity) identity.refresh();
  }, UPKEEP_INTERVAL_MS);
  return {
    stop: async () => {
      clearInterval(upkeep);
      await server.stop();
    },
  };
}

function showReadiness(turn: Turn): void {
  if (isSettled(turn)) writeFileSync(READY_FILE, "");
  else rmSync(READY_FILE, { force: true });
}

/** The folder that holds the agent's own CRIU; undefined when it can't be laid. It also holds the program that the self-test runs. */
async function treeOn(host: Host, { criuFolder, criuTree }: AgentConfig, logger: Logger): Promise<string | undefined> {
  try {
    return await layTree(host, { source: criuTree, folder: criuFolder });
  } catch (error) {
    logger.error("the agent's CRIU is not used, but the node's, and there is no self-test", { why: inWords(error) });
    return undefined;
  }
}

async function runtimeOn(host: Host, logger: Logger): Promise<RuntimePaths> {
  try {
    return await readRuntime(host);
  } catch (error) {
    logger.error("the usual folders of containerd and runc are taken", { why: inWords(error) });
    return USUAL_RUNTIME;
  }
}

const inWords = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function identityOf(config: AgentConfig, host: Host): Promise<AgentIdentity> {
  const folder = config.tlsDirectory;
  if (folder) {
    const read = (name: string) => readFileSync(join(folder, name), "utf8");
    return new FixedIdentity({ key: read("tls.key"), certificate: read("tls.crt"), authority: read("ca.crt") });
  }
  return await EnrolledIdentity.load({
    node: config.node,
    directory: host.path(join(RUN_DIRECTORY, "agent")),
    authorityFile: config.authorityFile,
    tokenFile: config.tokenFile,
    now: () => Date.now(),
  });
}
