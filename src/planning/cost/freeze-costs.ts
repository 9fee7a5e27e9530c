/**
 * How long a move freezes its pod: a fixed part, and the pod's bytes at the rate of the way between the two nodes. Learnt from the
 * freezes of this cluster's finished moves (./learnt-lines.ts). Preflight, time limits, the gate and the guard of liveness probes
 * all go by this one figure.
 *
 * Files (writable layer, emptyDirs) travel beside the memory over the same link, as archives of many small files: where moves with
 * files are on record, what the memory's line leaves over of their freezes is the files' rate.
 */
import { lazily } from "../lazily.ts";
import type { MoveSnapshot } from "../snapshot.ts";
import type { MoveSize } from "../staging.ts";
import { type Line, learnLines, MIN_MOVES, medianWith, type Observation, plausibleBytes } from "./learnt-lines.ts";

/** What a move's freeze is expected to take. */
export interface ExpectedFreeze {
  /** From the source's last instruction to the copy's first. */
  milliseconds: number;
  /** What it takes at the least. Less than `milliseconds` where no finished move says anything about a pod of this size. */
  atLeastMilliseconds: number;
  /** The rate of memory and files together. */
  bytesPerSecond: number;
  /** Other moves that send from the source's node or to the target's now: the rate is divided among them all. */
  sharedWith: number;
  /** Where that is known from. */
  basis: "Prior" | "Cluster" | "NodePair";
}

export interface FreezeCosts {
  expect(move: { from: string; to: string; size: MoveSize }): ExpectedFreeze;
}

/** Memory at what 1 GbE carries: 8.5 s per GB. Pause, CRIU's own start on both nodes, commit and release: 0.3–0.5 s measured. */
export const PRIOR_FREEZE: Line = {
  fixedSeconds: 0.5,
  secondsPerByte: 8.5e-9,
  marginSeconds: 0,
  moves: 0,
  mostBytes: 0,
};
/** Files before any were measured: 10 s per GB. */
const PRIOR_FILES_SECONDS_PER_BYTE = 10e-9;
/** No node dumps and no link carries more than 2 GB/s: a line through small moves may not promise it. */
const LEAST_SECONDS_PER_BYTE = 0.5e-9;
/** Finished moves tell about pods up to this many times as big as the biggest of them. */
const REACH = 4;
/** A move with a smaller part of files tells about the memory alone. */
const FEW_FILES = 0.1;

/** Succeeded moves with a recorded freeze teach; moves that are under way share the way. */
export function learnFreezeCosts(moves: readonly MoveSnapshot[]): FreezeCosts {
  const freezes = lazily(() => moves.flatMap(finishedFreeze));
  const lines = learnLines(() => freezes().filter(({ files }) => !files), PRIOR_FREEZE);
  const filesRate = lazily(() => learnFilesRate(freezes(), lines.cluster));
  return {
    expect({ from, to, size }) {
      const pair = lines.between(from, to);
      const line = pair ?? lines.cluster;
      const known = line.moves >= MIN_MOVES;
      const rates = ratesOf(line, filesRate());
      const freeze = { size, rates, fixedSeconds: line.fixedSeconds, sharedWith: sharedWith(moves, from, to) };
      return expected(
        freeze,
        known ? REACH * line.mostBytes : 0,
        pair !== undefined ? "NodePair" : known ? "Cluster" : "Prior",
      );
    },
  };
}

/** Seconds per byte. */
interface Rates {
  memory: number;
  files: number;
}

interface Freeze {
  size: MoveSize;
  rates: Rates;
  fixedSeconds: number;
  sharedWith: number;
}

/** @param reachBytes so much of it the moves on record tell about for sure. */
function expected(freeze: Freeze, reachBytes: number, basis: ExpectedFreeze["basis"]): ExpectedFreeze {
  const moving = movingSeconds(freeze);
  const bytes = plausibleBytes(freeze.size.memoryBytes) + plausibleBytes(freeze.size.filesBytes);
  const fastest = { memory: LEAST_SECONDS_PER_BYTE, files: LEAST_SECONDS_PER_BYTE };
  const known = bytes > reachBytes ? reachBytes / bytes : 1;
  const atLeast = known * moving + (1 - known) * movingSeconds({ ...freeze, rates: fastest });
  return {
    milliseconds: Math.ceil(1000 * (freeze.fixedSeconds + moving + threadSeconds(freeze.size))),
    atLeastMilliseconds: Math.ceil(1000 * (freeze.fixedSeconds + atLeast)),
    bytesPerSecond: Math.round(moving > 0 ? bytes / moving : 1 / freeze.rates.memory),
    sharedWith: freeze.sharedWith,
    basis,
  };
}

/** CRIU stops and continues each thread by itself: 2,000 took 4 s on a slow machine. A few dozen are in the fixed part. */
const [SECONDS_PER_THREAD, FEW_THREADS] = [0.002, 50];

function threadSeconds({ threads = 0 }: MoveSize): number {
  return SECONDS_PER_THREAD * Math.max(0, threads - FEW_THREADS);
}

function movingSeconds({ size, rates, sharedWith: others }: Freeze): number {
  const alone = plausibleBytes(size.memoryBytes) * rates.memory + plausibleBytes(size.filesBytes) * rates.files;
  return alone * (1 + others);
}

function ratesOf(line: Line, files: number): Rates {
  const memory = Math.max(LEAST_SECONDS_PER_BYTE, line.secondsPerByte);
  return { memory, files: Math.max(memory, files) };
}

/** A move that prepares sends soon. What leaves a node and what comes to it do not get in each other's way. */
function sharedWith(moves: readonly MoveSnapshot[], from: string, to: string): number {
  const sending = moves.filter(({ phase }) => phase === "Preparing" || phase === "Frozen");
  const leaving = sending.filter((move) => move.from === from).length;
  const arriving = sending.filter((move) => move.to === to).length;
  return Math.max(leaving, arriving);
}

interface FinishedFreeze extends Observation {
  memoryBytes: number;
  filesBytes: number;
  /** Files are a part of it that counts. */
  files: boolean;
}

function finishedFreeze(move: MoveSnapshot): FinishedFreeze[] {
  const { phase, memoryBytes, filesBytes = 0, transferredBytes, freezeMilliseconds, finishedAtMs, from, to } = move;
  if (phase !== "Succeeded" || freezeMilliseconds === undefined || finishedAtMs === undefined || to === undefined)
    return [];
  const bytes = transferredBytes ?? memoryBytes + filesBytes;
  const seconds = freezeMilliseconds / 1000;
  const files = filesBytes > FEW_FILES * (memoryBytes + filesBytes);
  return [{ bytes, seconds, finishedAtMs, from, to, memoryBytes, filesBytes, files }];
}

/** Seconds per byte: the median of what the memory's line leaves over of the freezes of moves with files. */
function learnFilesRate(freezes: readonly FinishedFreeze[], memory: Line): number {
  const rates = freezes
    .filter(({ files }) => files)
    .map((one) => (one.seconds - memory.fixedSeconds - memory.secondsPerByte * one.memoryBytes) / one.filesBytes)
    .filter(Number.isFinite);
  return medianWith(rates, PRIOR_FILES_SECONDS_PER_BYTE);
}
