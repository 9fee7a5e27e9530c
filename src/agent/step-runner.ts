/**
 * Runs steps: refuses what the move's record does not admit, joins a step that is already running, answers a finished one
 * from the record, and lets abort, resume, kill and cleanup end whatever runs.
 */
import { AgentError } from "./agent-error.ts";
import type { FinishedMove } from "./finished-moves.ts";
import type { MoveRecords, Role, StoredRecord } from "./move-records.ts";
import type { MoveRecord } from "./protocol.ts";
import { settledOrLate } from "./settled-or-late.ts";
import { admit, admitFinished, ruleOf, type StepName } from "./steps.ts";

export interface StepRequest {
  moveUID: string;
  epoch: number;
  role: Role;
  step: StepName;
  podUID: string;
  /** Written into the record before the step runs. */
  remember?: Pick<StoredRecord, "tokenHash" | "sourceNode" | "peerNode" | "containerID" | "expected">;
  /**
   * Puts the step's decision on the node's disk, before the record tells of it and the step runs. What it throws is the step's
   * answer; the record stays as it is.
   */
  mark?: () => void;
  run: (signal: AbortSignal) => Promise<unknown>;
}

/** A step that was given up is waited for so long; a source must not stay frozen for a step that hangs. */
const GIVE_WAY_MS = 3_000;

interface Running {
  step: StepName;
  abort: AbortController;
  outcome: Promise<unknown>;
}

export class StepRunner {
  readonly #records: MoveRecords;
  readonly #running = new Map<string, Running>();

  constructor(records: MoveRecords) {
    this.#records = records;
  }

  /** The step's answer. Rejects with an AgentError. */
  async execute(request: StepRequest): Promise<unknown> {
    const key = `${request.moveUID}.${request.role}`;
    const end = this.#admit(request);
    if (end !== undefined) return end.results[request.step] ?? {};
    const running = this.#running.get(key);
    if (running?.step === request.step && request.step !== "receive") return await running.outcome;
    if (running) {
      await this.#giveWay(running, request);
      return await this.execute(request);
    }
    const rule = ruleOf(request.role, request.step);
    const record = this.#records.get(request.moveUID, request.role);
    if (record && request.step in record.results && !rule.fresh) return record.results[request.step];
    return await this.#start(key, request);
  }

  /**
   * Checks the record and raises its epoch, so that the former leader is shut out at once. Returns how the move ended when it has,
   * in just the way that this step would end it.
   */
  #admit(request: StepRequest): FinishedMove | undefined {
    const record = this.#records.get(request.moveUID, request.role);
    admitEpoch(this.#records, request.epoch);
    const finished = record ? undefined : this.#records.finished(request.moveUID, request.role);
    const admission = finished
      ? admitFinished(finished.state ?? "none", request.role, request.step)
      : admit(record, request.role, request.step, request.epoch);
    if (record && request.epoch > record.epoch) this.#records.save({ ...record, epoch: request.epoch });
    if (!admission.ok) throw new AgentError(admission.reason, admission.message);
    return "finished" in admission ? finished : undefined;
  }

  async #giveWay(running: Running, request: StepRequest): Promise<void> {
    const supersedes = ruleOf(request.role, request.step).supersedes === true;
    if (!supersedes && running.step !== request.step) {
      const message = `${request.step}: ${running.step} of this move is still running`;
      throw new AgentError("WrongState", message, { retryable: true });
    }
    const settled = running.outcome.catch(() => undefined);
    if (!supersedes) {
      await settled;
      return;
    }
    running.abort.abort();
    await settledOrLate(settled, GIVE_WAY_MS);
    this.#forget(`${request.moveUID}.${request.role}`, running);
  }

  #forget(key: string, running: Running): void {
    if (this.#running.get(key) === running) this.#running.delete(key);
  }

  #start(key: string, request: StepRequest): Promise<unknown> {
    const abort = new AbortController();
    const outcome = this.#run(request, abort.signal).finally(() => this.#forget(key, running));
    const running: Running = { step: request.step, abort, outcome };
    this.#running.set(key, running);
    return outcome;
  }

  async #run(request: StepRequest, signal: AbortSignal): Promise<unknown> {
    if (request.step === "cleanup") {
      const answer = (await request.run(signal)) ?? {};
      if (!signal.aborted) this.#records.finish(request.moveUID, request.role, { cleanup: answer });
      return answer;
    }
    const rule = ruleOf(request.role, request.step);
    request.mark?.();
    this.#update(request, { state: rule.during, ...request.remember });
    try {
      const result = await request.run(signal);
      if (!signal.aborted) this.#update(request, { state: rule.after, message: undefined, result });
      return result;
    } catch (error) {
      if (!signal.aborted) this.#update(request, { message: error instanceof Error ? error.message : String(error) });
      throw error;
    }
  }

  #update(request: StepRequest, change: Change): void {
    const { result, message, ...rest } = change;
    const { message: _old, ...old } = this.#records.get(request.moveUID, request.role) ?? emptyRecord(request);
    const results = "result" in change ? { ...old.results, [request.step]: result ?? {} } : old.results;
    const record: StoredRecord = { ...old, ...rest, results };
    this.#records.save(message === undefined ? record : { ...record, message });
  }
}

/**
 * Rejects commands of a former leader, and remembers the current one. This includes moves that were cleaned up: a late dump by a former leader
 * would freeze a pod, and no controller would resume it.
 */
export function admitEpoch(records: MoveRecords, epoch: number): void {
  const highest = records.highestEpoch();
  if (epoch < highest) {
    const message = `epoch ${epoch} is older than ${highest}: another controller leads now`;
    throw new AgentError("StaleEpoch", message, { epoch: highest });
  }
  records.noteEpoch(epoch);
}

interface Change {
  state?: MoveRecord["state"];
  message?: string | undefined;
  result?: unknown;
  tokenHash?: string | undefined;
  sourceNode?: string | undefined;
  peerNode?: string | undefined;
  containerID?: string | undefined;
  expected?: StoredRecord["expected"];
}

function emptyRecord(request: StepRequest): StoredRecord {
  const { moveUID, role, epoch, podUID } = request;
  return { moveUID, role, epoch, podUID, state: role === "target" ? "registered" : "dumping", results: {} };
}
