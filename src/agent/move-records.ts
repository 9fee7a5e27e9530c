/** What an agent remembers of each move: the highest epoch, how far it is, and the answers already given. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { type FinishedMove, FinishedMoves, finishedMoveSchema } from "./finished-moves.ts";
import { moveRecordSchema } from "./protocol.ts";

export const storedRecordSchema = moveRecordSchema.extend({
  /** SHA-256 (hex) of the move's token; the token itself is never written down. */
  tokenHash: z.string().optional(),
  /** The only peer that may send files. */
  sourceNode: z.string().optional(),
  /** Target: the bytes that the move may bring (see ./uploads.ts). */
  expected: z.object({ stagingBytes: z.number(), filesBytes: z.number() }).optional(),
  /** Answers of the steps that are done, by step name. */
  results: z.record(z.string(), z.unknown()),
});
export type StoredRecord = z.infer<typeof storedRecordSchema>;
export type Role = StoredRecord["role"];

export interface MoveRecords {
  list(): StoredRecord[];
  get(moveUID: string, role: Role): StoredRecord | undefined;
  /** Durable when it returns. */
  save(record: StoredRecord): void;
  /** Removes the record; that the move has ended, and how, is remembered for a while. Durable when it returns. */
  finish(moveUID: string, role: Role, results: StoredRecord["results"]): void;
  /** How a move ended whose record was removed not long ago. */
  finished(moveUID: string, role: Role): FinishedMove | undefined;
  /** Of any move, removed ones too; 0 before the first. */
  highestEpoch(): number;
  /** Durable when it returns. A lower one than before is forgotten. */
  noteEpoch(epoch: number): void;
}

export class MemoryMoveRecords implements MoveRecords {
  readonly #records = new Map<string, StoredRecord>();
  readonly #finished = new FinishedMoves();
  #epoch = 0;

  list(): StoredRecord[] {
    return [...this.#records.values()];
  }
  get(moveUID: string, role: Role): StoredRecord | undefined {
    return this.#records.get(`${moveUID}.${role}`);
  }
  save(record: StoredRecord): void {
    this.#records.set(`${record.moveUID}.${record.role}`, structuredClone(record));
  }
  finish(moveUID: string, role: Role, results: StoredRecord["results"]): void {
    this.#finished.add(endOf(moveUID, role, results, this.get(moveUID, role)));
    this.#records.delete(`${moveUID}.${role}`);
  }
  finished(moveUID: string, role: Role): FinishedMove | undefined {
    return this.#finished.get(moveUID, role);
  }
  highestEpoch(): number {
    return Math.max(this.#epoch, ...this.list().map((record) => record.epoch));
  }
  noteEpoch(epoch: number): void {
    this.#epoch = Math.max(this.#epoch, epoch);
  }
}

function endOf(
  moveUID: string,
  role: Role,
  last: StoredRecord["results"],
  record: StoredRecord | undefined,
): FinishedMove {
  const results = { ...record?.results, ...last };
  return { moveUID, role, atMs: Date.now(), results, ...(record === undefined ? {} : { state: record.state }) };
}

/** Outlives the moves' own files. */
const EPOCH_FILE = "epoch";
const FINISHED_FILE = "finished";
/** A former leader repeats a command for ten minutes at most. An older file is not read when the agent starts. */
const EPOCH_HOLDS_MS = 900_000;

/**
 * One JSON file per move and role, replaced atomically. A damaged file is left where it is and reported to `onDamaged`:
 * its move is then unknown, and every command but abort and cleanup of it starts anew from what the node shows.
 */
export class FileMoveRecords implements MoveRecords {
  readonly #directory: string;
  readonly #memory = new MemoryMoveRecords();
  #finished = new FinishedMoves();
  #epochOnDisk = 0;

  constructor(directory: string, onDamaged: (file: string, error: unknown) => void) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(directory).filter((entry) => entry.endsWith(".json"))) {
      try {
        this.#memory.save(storedRecordSchema.parse(JSON.parse(readFileSync(join(directory, name), "utf8"))));
      } catch (error) {
        onDamaged(join(directory, name), error);
      }
    }
    this.#readEpoch(onDamaged);
    this.#readFinished(onDamaged);
  }

  list(): StoredRecord[] {
    return this.#memory.list();
  }
  get(moveUID: string, role: Role): StoredRecord | undefined {
    return this.#memory.get(moveUID, role);
  }
  save(record: StoredRecord): void {
    writeDurably(this.#path(record.moveUID, record.role), JSON.stringify(record));
    this.#memory.save(record);
  }
  /** The end is on disk before the record goes: a crash in between leaves both, and then the record counts. */
  finish(moveUID: string, role: Role, results: StoredRecord["results"]): void {
    this.#finished.add(endOf(moveUID, role, results, this.get(moveUID, role)));
    writeDurably(join(this.#directory, FINISHED_FILE), JSON.stringify(this.#finished.list()));
    rmSync(this.#path(moveUID, role), { force: true });
    this.#memory.finish(moveUID, role, results);
  }
  finished(moveUID: string, role: Role): FinishedMove | undefined {
    return this.#finished.get(moveUID, role);
  }
  highestEpoch(): number {
    return this.#memory.highestEpoch();
  }
  noteEpoch(epoch: number): void {
    if (epoch <= this.#epochOnDisk) return;
    writeDurably(join(this.#directory, EPOCH_FILE), `${epoch}\n`);
    this.#epochOnDisk = epoch;
    this.#memory.noteEpoch(epoch);
  }

  #readEpoch(onDamaged: (file: string, error: unknown) => void): void {
    const file = join(this.#directory, EPOCH_FILE);
    const written = statSync(file, { throwIfNoEntry: false });
    if (!written || Date.now() - written.mtimeMs > EPOCH_HOLDS_MS) return;
    const epoch = z.string().regex(/^\d+$/).safeParse(readFileSync(file, "utf8").trim());
    if (!epoch.success) {
      onDamaged(file, epoch.error);
      return;
    }
    this.#epochOnDisk = Number(epoch.data);
    this.#memory.noteEpoch(this.#epochOnDisk);
  }

  #readFinished(onDamaged: (file: string, error: unknown) => void): void {
    const file = join(this.#directory, FINISHED_FILE);
    if (!existsSync(file)) return;
    try {
      this.#finished = new FinishedMoves(finishedMoveSchema.array().parse(JSON.parse(readFileSync(file, "utf8"))));
    } catch (error) {
      onDamaged(file, error);
    }
  }

  #path(moveUID: string, role: Role): string {
    return join(this.#directory, `${moveUID}.${role}.json`);
  }
}

/** Writes a file so that after a crash either the old or the new content is there. */
export function writeDurably(path: string, content: string): void {
  const temporary = `${path}.new`;
  const descriptor = openSync(temporary, "w", 0o600);
  try {
    writeSync(descriptor, content);
    fsyncSync(descriptor);
  } catch (error) {
    rmSync(temporary, { force: true }); // the disk is full: nothing half written stays
    throw error;
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, path);
  syncDirectory(dirname(path));
}

/** Without it a crash may bring the old name back. */
function syncDirectory(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
