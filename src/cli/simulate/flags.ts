/** The flags of `headroom simulate` as numbers; what is wrong with them is told all at once. Pure. */
import { availableParallelism } from "node:os";
import { parseDuration, parsePercent, parseQuantity } from "../../api/quantity.ts";
import { parseSeeds } from "../../simulator/comparing/seeds.ts";
import { readSweep, type SweepRequest } from "../../simulator/comparing/sweep.ts";
import { type Conditions, DEFAULT_CONDITIONS } from "../../simulator/scenario.ts";
import type { WorkloadOptions } from "../../simulator/workloads/intake.ts";

/** As commander hands them over. */
export interface SimulateFlags {
  trace?: string[];
  cluster?: string;
  policy?: string[];
  seeds: string;
  sweep?: string[];
  json?: string;
  csv?: string;
  html?: string;
  saveTrace?: string;
  workers?: string;
  until?: string;
  labels?: string[];
  requestFactor?: string;
  gaps?: string;
  reserve: string;
  tick?: string;
  metricsInterval?: string;
  metricsDelay?: string;
  metricsLoss?: string;
  scheduler?: string;
  eviction?: string;
  restart?: string;
  moveFixed?: string;
  moveBandwidth?: string;
  moveNoise?: string;
  failureRate?: string;
}

export interface Settings {
  seeds: number[];
  sweeps: SweepRequest[];
  workers: number;
  untilSeconds: number | undefined;
  labels: Record<string, string>;
  workload: WorkloadOptions;
  reserveFraction: number;
  conditions: Conditions;
}

export function readFlags(flags: SimulateFlags): { ok: true; value: Settings } | { ok: false; lines: string[] } {
  const lines: string[] = [];
  const one = reader(lines);
  const sweeps = (flags.sweep ?? []).flatMap((text) => {
    const read = readSweep(text);
    if (!read.ok) lines.push(read.message);
    return read.ok ? [read.value] : [];
  });
  const untilSeconds = one("--until", flags.until, positiveDuration, "a duration such as 4h", undefined);
  const value: Settings = {
    seeds: one("--seeds", flags.seeds, parseSeeds, "a number such as 30, or a range such as 20001..20030", []),
    sweeps,
    workers: one("--workers", flags.workers, wholeFrom(1, 512), "a number of threads", availableParallelism()),
    untilSeconds,
    labels: labelsOf(flags.labels ?? [], lines),
    workload: {
      gaps: one("--gaps", flags.gaps, oneOf(["interpolate", "keep"]), "interpolate or keep", undefined),
      requestFactor: one("--request-factor", flags.requestFactor, numberFrom0, "a number such as 0.5", undefined),
      untilSeconds,
    },
    reserveFraction: one("--reserve", flags.reserve, fraction, A_PART, 0),
    conditions: conditionsOf(flags, one),
  };
  return lines.length === 0 ? { ok: true, value } : { ok: false, lines };
}

type ReadOne = <T>(
  flag: string,
  text: string | undefined,
  parse: (text: string) => T | undefined,
  expected: string,
  absent: T,
) => T;

const A_PART = "a part such as 5% or 0.05";
const A_DURATION = "a duration such as 10s";

/** Absent flags have a value of their own; what is wrong goes to `lines`. */
function reader(lines: string[]): ReadOne {
  return (flag, text, parse, expected, absent) => {
    if (text === undefined) return absent;
    const value = parse(text);
    if (value === undefined) lines.push(`${flag} ${text}: expected ${expected}`);
    return value ?? absent;
  };
}

function conditionsOf(flags: SimulateFlags, one: ReadOne): Conditions {
  const { metrics, kubelet, moves, ...usual } = DEFAULT_CONDITIONS;
  const bandwidth = one(
    "--move-bandwidth",
    flags.moveBandwidth,
    positiveQuantity,
    "bytes a second, as 300Mi",
    undefined,
  );
  return {
    tickSeconds: one("--tick", flags.tick, positiveDuration, A_DURATION, usual.tickSeconds),
    metrics: {
      intervalSeconds: one(
        "--metrics-interval",
        flags.metricsInterval,
        positiveDuration,
        A_DURATION,
        metrics.intervalSeconds,
      ),
      delaySeconds: one("--metrics-delay", flags.metricsDelay, parseDuration, A_DURATION, metrics.delaySeconds),
      lossRate: one("--metrics-loss", flags.metricsLoss, fraction, A_PART, metrics.lossRate),
    },
    scheduler: one(
      "--scheduler",
      flags.scheduler,
      oneOf(["LeastRequested", "Balanced"]),
      "LeastRequested or Balanced",
      usual.scheduler,
    ),
    kubelet: {
      ...kubelet,
      evictionBytes: one(
        "--eviction",
        flags.eviction,
        parseQuantity,
        "a quantity such as 100Mi, or 0Mi for never",
        kubelet.evictionBytes,
      ),
    },
    restartSeconds: one("--restart", flags.restart, parseDuration, A_DURATION, usual.restartSeconds),
    moves: {
      ...moves,
      fixedSeconds: one("--move-fixed", flags.moveFixed, parseDuration, A_DURATION, moves.fixedSeconds),
      secondsPerByte: bandwidth === undefined ? moves.secondsPerByte : 1 / bandwidth,
      noise: one("--move-noise", flags.moveNoise, numberFrom0, "a number such as 0.2", moves.noise),
      failureRate: one("--failure-rate", flags.failureRate, fraction, A_PART, moves.failureRate),
    },
  };
}

const LABEL = /^(?<key>[A-Za-z0-9._/-]+)=(?<value>[A-Za-z0-9._-]*)$/;

function labelsOf(written: readonly string[], lines: string[]): Record<string, string> {
  const pairs = written.flatMap((text) => text.split(",")).map((text) => ({ text, ...LABEL.exec(text)?.groups }));
  return Object.fromEntries(
    pairs.flatMap(({ text, ...pair }: { text: string; key?: string; value?: string }) => {
      if (pair.key === undefined) lines.push(`--labels ${text}: expected KEY=VALUE, several joined by commas`);
      return pair.key === undefined ? [] : [[pair.key, pair.value ?? ""]];
    }),
  );
}

/** 0 to 1, of "5%" or "0.05". */
function fraction(text: string): number | undefined {
  const number = numberFrom0(text) ?? parsePercent(text);
  return number !== undefined && number <= 1 ? number : undefined;
}

function numberFrom0(text: string): number | undefined {
  return /^[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : undefined;
}

function oneOf<T extends string>(names: readonly T[]): (text: string) => T | undefined {
  return (text) => names.find((name) => name === text);
}

const positive = (value: number | undefined) => (value !== undefined && value > 0 ? value : undefined);
const positiveDuration = (text: string) => positive(parseDuration(text));
const positiveQuantity = (text: string) => positive(parseQuantity(text));

function wholeFrom(least: number, most: number): (text: string) => number | undefined {
  return (text) => {
    const value = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
    return value >= least && value <= most ? value : undefined;
  };
}
