/** Carries out what the server has let in: checks each command's body and hands it to the runtime as a step. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Readable } from "node:stream";
import { z } from "zod";
import { AgentError } from "./agent-error.ts";
import type { AgentIdentity, Client } from "./identity.ts";
import { PROBE_PART, takeProbe } from "./link.ts";
import type { MoveRecords, Role, StoredRecord } from "./move-records.ts";
import type { FilePart, GuardedSource, NodeRuntime, Peer, SourceCommand, SourceProcess } from "./node-runtime.ts";
import {
  BEING_PREPARED,
  commandSchema,
  type DumpTarget,
  dumpSchema,
  type MoveRecord,
  moveRecordSchema,
  prepareSchema,
  receiveSchema,
  registerSchema,
  releaseSchema,
  restoreSchema,
  type SourceFacts,
  sourceCommandSchema,
  sourceSchema,
  type Turn,
} from "./protocol.ts";
import { admitEpoch, type StepRequest, StepRunner } from "./step-runner.ts";
import type { StepName } from "./steps.ts";
import { type Expected, Uploads } from "./uploads.ts";

const certificateSchema = z.object({ certificate: z.string() });

export interface CommandParts {
  runtime: NodeRuntime;
  records: MoveRecords;
  identity: AgentIdentity;
  connectPeer: (moveUID: string, peer: DumpTarget) => Peer;
}

type Work = Pick<StepRequest, "run" | "remember" | "mark"> & { podUID?: string; epoch: number; moveUID: string };

export class AgentCommands {
  readonly #parts: CommandParts;
  readonly #port: () => number;
  readonly #runner: StepRunner;
  readonly #uploads = new Uploads();

  constructor(parts: CommandParts, port: () => number) {
    this.#parts = parts;
    this.#port = port;
    this.#runner = new StepRunner(parts.records);
  }

  list(): MoveRecord[] {
    return this.#parts.records.list().map((record) => {
      const shown = moveRecordSchema.parse(record);
      return record.role === "target"
        ? { ...shown, ...orNothing(() => this.#ofTarget(record)) }
        : { ...shown, ...orNothing(() => this.#ofSource(record)) };
    });
  }

  #ofTarget(record: StoredRecord): Pick<MoveRecord, "createWaiting" | "copyAlive" | "images" | "progress"> {
    const { moveUID, state } = record;
    const waiting = this.#parts.runtime.createWaiting(moveUID) ? { createWaiting: true } : {};
    const arrived = this.#arrived(record);
    if (state !== "held" && state !== "released") return { ...waiting, ...arrived };
    return { ...waiting, ...arrived, copyAlive: this.#parts.runtime.copyAlive(moveUID) ?? false };
  }

  #arrived({ moveUID, state }: StoredRecord): Pick<MoveRecord, "images" | "progress"> {
    if (!["receiving", "restoring", "held"].includes(state)) return {};
    const { images, progress } = this.#parts.runtime.arrived(moveUID);
    return {
      ...(images === undefined ? {} : { images }),
      ...(progress === undefined || state !== "receiving" ? {} : { progress }),
    };
  }

  #ofSource(record: StoredRecord): Pick<MoveRecord, "process" | "guarded"> {
    const process = this.#process(record);
    const guarded = this.#parts.runtime.endedAtBirth(record.moveUID);
    return { ...(process === undefined ? {} : { process }), ...(guarded === undefined ? {} : { guarded }) };
  }

  #process({ role, state, moveUID, containerID }: StoredRecord): SourceProcess | undefined {
    const begun = role === "source" && containerID !== undefined && ["dumping", "dumped", "failed"].includes(state);
    return begun ? this.#parts.runtime.sourceProcess(moveUID, containerID) : undefined;
  }

  async recover(): Promise<void> {
    const target = this.#ofRole("target").map((record) => record.moveUID);
    await this.#parts.runtime.recover({ target, source: this.#ofRole("source").flatMap(guarded) });
  }

  async inspect(body: unknown): Promise<SourceFacts> {
    return await this.#parts.runtime.inspect(parse(sourceSchema, body));
  }

  /** containerd is not restarted in the middle of a move. */
  prepare(body: unknown): Turn {
    const { runtime, records } = this.#parts;
    const { epoch } = parse(prepareSchema, body);
    admitEpoch(records, epoch);
    const [move] = records.list();
    if (move === undefined || runtime.turn().state !== "waiting") return runtime.prepare();
    const message = `move ${move.moveUID} has not ended on this node`;
    throw new AgentError("WrongState", message, { retryable: true });
  }

  async certificate(body: unknown): Promise<object> {
    await this.#parts.identity.accept(parse(certificateSchema, body).certificate);
    return {};
  }

  async step(route: { role: Role; step: StepName; moveUID: string }, body: unknown): Promise<unknown> {
    const work = route.role === "target" ? this.#targetWork(route.step, body) : this.#sourceWork(route.step, body);
    if (work.moveUID !== route.moveUID) throw new AgentError("BadRequest", "path and body name different moves");
    this.#refuseWhilePreparing(route);
    const podUID = work.podUID ?? this.#parts.records.get(work.moveUID, route.role)?.podUID ?? "";
    const result = await this.#runner.execute({ ...work, podUID, role: route.role, step: route.step });
    return route.step === "abort" ? { neverReleased: true, gone: true } : result;
  }

  /** No move begins on a node whose containerd is being restarted. */
  #refuseWhilePreparing({ moveUID, role, step }: { moveUID: string; role: Role; step: StepName }): void {
    const { runtime, records } = this.#parts;
    const begins = (step === "register" || step === "dump") && records.get(moveUID, role) === undefined;
    if (!begins || runtime.turn().state !== "preparing") return;
    throw new AgentError("WrongState", BEING_PREPARED, { retryable: true });
  }

  /** Files come only from the agent of the move's source node, with the move's token, while the move is receiving. */
  async files(
    client: Client,
    route: { moveUID: string; part: string; name: string | undefined },
    authorization: string | undefined,
    body: Readable,
  ): Promise<object> {
    const record = this.#parts.records.get(route.moveUID, "target");
    const known = client.kind === "agent" && client.node === record?.sourceNode;
    if (!record || !known || !tokenMatches(record, authorization)) {
      throw new AgentError("Forbidden", "not the peer of this move, or not its token");
    }
    if (record.state !== "receiving")
      throw new AgentError("WrongState", `the target is ${record.state}, not receiving`);
    if (route.part === PROBE_PART) return await this.#probe(route.moveUID, record, body);
    const part = partOf(route);
    const key = part.part === "empty-dir" ? `${part.part} ${part.name}` : part.part;
    await this.#uploads.take(route.moveUID, key, body, expectedOf(record), (counted, signal) =>
      this.#parts.runtime.acceptFiles(route.moveUID, part, counted, signal),
    );
    return {};
  }

  async #probe(moveUID: string, record: StoredRecord, body: Readable): Promise<object> {
    return await this.#uploads.take(moveUID, PROBE_PART, body, expectedOf(record), takeProbe);
  }

  #targetWork(step: StepName, body: unknown): Work {
    const { runtime } = this.#parts;
    switch (step) {
      case "register": {
        const command = parse(registerSchema, body);
        return { ...ids(command), podUID: command.podUID, run: (signal) => runtime.register(command, signal) };
      }
      case "receive": {
        const command = parse(receiveSchema, body);
        const { token, sourceNode, stagingBytes, filesBytes } = command;
        const remember = { tokenHash: hashOf(token), sourceNode, expected: { stagingBytes, filesBytes } };
        const run = async (signal: AbortSignal) => ({
          ...(await runtime.receive(command, signal)),
          agentPort: this.#port(),
        });
        return { ...ids(command), remember, run };
      }
      case "restore": {
        const command = parse(restoreSchema, body);
        const run = async (signal: AbortSignal) => {
          await this.#uploads.end(command.moveUID, "the pod is being restored");
          return await runtime.restore(command, signal);
        };
        return { ...ids(command), podUID: command.podUID, run };
      }
      default:
        return this.#endingWork(step, parse(releaseSchema, body));
    }
  }

  #endingWork(step: StepName, command: z.infer<typeof releaseSchema>): Work {
    const { runtime, records } = this.#parts;
    const podUID = records.get(command.moveUID, "target")?.podUID ?? command.podUID ?? "";
    const full = { ...command, podUID };
    if (step === "release") {
      const mark = () => runtime.markReleased(full);
      return { ...ids(command), podUID, mark, run: (signal) => runtime.release(full, signal) };
    }
    const ended = () => this.#uploads.end(command.moveUID, "the move has ended here");
    if (step === "abort") {
      const mark = () => runtime.markAborted(full);
      return { ...ids(command), mark, run: (signal) => ended().then(() => runtime.abort(full, signal)) };
    }
    const run = async () => {
      await ended();
      const released = records.get(command.moveUID, "target")?.state === "released";
      const cleaned = await runtime.cleanupTarget({ ...full, released });
      this.#uploads.forget(command.moveUID);
      return cleaned;
    };
    return { ...ids(command), run };
  }

  #sourceWork(step: StepName, body: unknown): Work {
    const { runtime } = this.#parts;
    if (step === "dump") {
      const command = parse(dumpSchema, body);
      const peer = this.#parts.connectPeer(command.moveUID, command.peer);
      const run = (signal: AbortSignal) => runtime.dump(command, peer, signal).finally(() => peer.close());
      const remember = { peerNode: command.peer.node, containerID: command.source.containerID };
      return { ...ids(command), podUID: command.source.podUID, remember, run };
    }
    if (step === "cleanup") {
      const command = parse(commandSchema, body);
      const podUID = this.#parts.records.get(command.moveUID, "source")?.podUID ?? "";
      return { ...ids(command), run: () => runtime.cleanupSource({ ...command, podUID }) };
    }
    const command = this.#named(parse(sourceCommandSchema, body));
    const run = (signal: AbortSignal) =>
      step === "resume" ? runtime.resume(command, signal) : runtime.kill(command, signal);
    const remember = { containerID: command.source.containerID };
    return { ...ids(command), remember, podUID: command.source.podUID, run };
  }

  /** With the move and the pod gone from the API only the record knows the container. */
  #named(command: SourceCommand): SourceCommand {
    const known = this.#parts.records.get(command.moveUID, "source")?.containerID ?? "";
    const containerID = command.source.containerID || known;
    return { ...command, source: { ...command.source, containerID } };
  }

  #ofRole(role: Role): StoredRecord[] {
    return this.#parts.records.list().filter((record) => record.role === role);
  }
}

function expectedOf({ expected }: StoredRecord): Expected {
  return expected ?? { stagingBytes: 0, filesBytes: 0 };
}

function guarded({ moveUID, podUID, containerID, state }: StoredRecord): GuardedSource[] {
  if (containerID === undefined || state === "resumed") return [];
  return [{ moveUID, podUID, containerID, dumped: state === "dumped" || state === "killed" }];
}

/** One move's unreadable state on the node doesn't hide the others. */
function orNothing<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

function ids(command: { moveUID: string; epoch: number }) {
  return { moveUID: command.moveUID, epoch: command.epoch };
}

function parse<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new AgentError("BadRequest", z.prettifyError(parsed.error));
}

function partOf(route: { part: string; name: string | undefined }): FilePart {
  if (route.part === "empty-dir" && route.name && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(route.name)) {
    return { part: "empty-dir", name: route.name };
  }
  if (route.part === "images" || route.part === "layer" || route.part === "layer-manifest") return { part: route.part };
  throw new AgentError("BadRequest", `no such part: ${route.part}`);
}

export function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

function tokenMatches(record: StoredRecord, authorization: string | undefined): boolean {
  const token = /^Bearer (.+)$/.exec(authorization ?? "")?.[1];
  if (!token || !record.tokenHash) return false;
  return timingSafeEqual(Buffer.from(hashOf(token), "hex"), Buffer.from(record.tokenHash, "hex"));
}
