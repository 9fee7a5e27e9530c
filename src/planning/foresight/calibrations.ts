/**
 * What is remembered of forecasts between evaluations: one calibration for each series that was forecast, by metrics source, options and
 * series. Bounded; without it every bound starts as its widest.
 */
import type { Cluster } from "../cluster.ts";
import { type Calibration, calibrationSchema, keptCalibrations } from "../forecast/calibration.ts";
import type { ForecastSettings } from "../pressure/pressure.ts";

/** More series than this are forecast in no evaluation of which anything must be remembered: some 2 MB. */
const MAX_CALIBRATIONS = 10_000;

export interface ForecastOwner extends ForecastSettings {
  source: string;
}

const prefixOf = ({ source, model, confidence, horizonSeconds }: ForecastOwner) =>
  `${source} ${model} ${confidence} ${horizonSeconds}`;

export interface Calibrations {
  before(owner: ForecastOwner, kind: "node" | "pod", id: string): Calibration | undefined;
  note(owner: ForecastOwner, kind: "node" | "pod", id: string, calibration: Calibration): void;
  /** Of series and options that are still there; undefined: none. `owners`: of all policies that forecast. */
  memory(cluster: Cluster, owners: readonly ForecastOwner[]): Record<string, Calibration> | undefined;
}

export function openCalibrations(before: Readonly<Record<string, Calibration>> = {}): Calibrations {
  const made: Record<string, Calibration> = {};
  const keyOf = (owner: ForecastOwner, kind: string, id: string) => `${prefixOf(owner)} ${kind} ${id}`;
  return {
    before(owner, kind, id) {
      const key = keyOf(owner, kind, id);
      return Object.hasOwn(before, key) ? before[key] : undefined;
    },
    note(owner, kind, id, calibration) {
      made[keyOf(owner, kind, id)] = calibration;
    },
    memory(cluster, owners) {
      const all = { ...usable(before), ...made };
      const kept = keptCalibrations(all, living(Object.keys(all), cluster, owners), MAX_CALIBRATIONS);
      return Object.keys(kept).length > 0 ? kept : undefined;
    },
  };
}

/** Without what was damaged on its way. */
function usable(before: Readonly<Record<string, Calibration>>): Record<string, Calibration> {
  return Object.fromEntries(Object.entries(before).filter(([, one]) => calibrationSchema.safeParse(one).success));
}

function living(keys: readonly string[], cluster: Cluster, owners: readonly ForecastOwner[]): Set<string> {
  const prefixes = new Set(owners.map(prefixOf));
  const isLiving = (key: string) => {
    const [source, model, confidence, horizon, kind, ...rest] = key.split(" ");
    if (!prefixes.has(`${source} ${model} ${confidence} ${horizon}`)) return false;
    const id = rest.join(" ");
    return kind === "node" ? cluster.node(id) !== undefined : cluster.pod(id) !== undefined;
  };
  return new Set(keys.filter(isLiving));
}
