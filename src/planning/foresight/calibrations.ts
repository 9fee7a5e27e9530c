/**
 * What is remembered of forecasts between evaluations: one calibration for each series that was forecast, by metrics source, options and
 * series. Bounded; without it every bound starts as its widest.
 */
import type { Cluster } from "../cluster.ts";
import { type Calibration, isCalibration, keptCalibrations } from "../forecast/calibration.ts";
import type { ForecastSettings } from "../pressure/pressure.ts";

/** More series than this are forecast in no evaluation of which anything must be remembered: some 2 MB. */
const MAX_CALIBRATIONS = 10_000;

export interface ForecastOwner extends ForecastSettings {
  source: string;
}

const prefixOf = ({ source, model, confidence, horizonSeconds }: ForecastOwner) =>
  `${source} ${model} ${confidence} ${horizonSeconds}`;

/** Of one series. */
export interface OwnCalibration {
  before: Calibration | undefined;
  note(calibration: Calibration): void;
}

export interface Calibrations {
  of(owner: ForecastOwner): (kind: "node" | "pod", id: string) => OwnCalibration;
  /** Of series and options that are still there; undefined: none. `owners`: of all policies that forecast. */
  memory(cluster: Cluster, owners: readonly ForecastOwner[]): Record<string, Calibration> | undefined;
}

export function openCalibrations(before: Readonly<Record<string, Calibration>> = {}): Calibrations {
  const made = new Map<string, Calibration>();
  return {
    of(owner) {
      const prefix = prefixOf(owner);
      return (kind, id) => {
        const key = `${prefix} ${kind} ${id}`;
        return {
          before: Object.hasOwn(before, key) ? before[key] : undefined,
          note: (calibration) => made.set(key, calibration),
        };
      };
    },
    memory(cluster, owners) {
      const isLiving = livingIn(cluster, owners);
      // What was made now is of series that are there.
      const all = new Map(made);
      for (const key of Object.keys(before)) {
        const one = before[key];
        if (!all.has(key) && isCalibration(one) && isLiving(key)) all.set(key, one);
      }
      return all.size > 0 ? keptCalibrations(all, MAX_CALIBRATIONS) : undefined;
    },
  };
}

function livingIn(cluster: Cluster, owners: readonly ForecastOwner[]): (key: string) => boolean {
  const prefixes = [...new Set(owners.map(prefixOf))];
  return (key) => {
    const prefix = prefixes.find((one) => key.startsWith(`${one} `));
    if (prefix === undefined) return false;
    const series = key.slice(prefix.length + 1);
    if (series.startsWith("node ")) return cluster.node(series.slice("node ".length)) !== undefined;
    return series.startsWith("pod ") && cluster.pod(series.slice("pod ".length)) !== undefined;
  };
}
