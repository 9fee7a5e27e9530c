/**
 * What is remembered of forecasts between evaluations: one calibration for each series that was forecast, by metrics source, options and
 * series. Bounded; without it every bound starts as its widest.
 */
import type { Cluster } from "../cluster.ts";
import { type Calibration, isCalibration } from "../forecast/calibration.ts";
import { compareText } from "../order.ts";
import type { ForecastSettings } from "../pressure/pressure.ts";

/** More series than this are forecast in no evaluation of which anything must be remembered: some 2 MB. */
const MAX_CALIBRATIONS = 10_000;

export interface ForecastOwner extends ForecastSettings {
  source: string;
}

/** A JSON object by the names of nodes or the UIDs of pods. */
type BySeries = Record<string, Calibration>;

export interface SeriesCalibrations {
  nodes: BySeries;
  pods: BySeries;
}

/** What is remembered, by metrics source and options. */
export type RememberedCalibrations = Record<string, SeriesCalibrations>;

type Kind = keyof SeriesCalibrations;
const KINDS = ["nodes", "pods"] as const satisfies readonly Kind[];

const keyOf = ({ source, model, confidence, horizonSeconds }: ForecastOwner) =>
  `${source} ${model} ${confidence} ${horizonSeconds}`;

/** Of one series. */
export interface OwnCalibration {
  before: Calibration | undefined;
  note(calibration: Calibration): void;
}

export interface Calibrations {
  of(owner: ForecastOwner): (kind: Kind, id: string) => OwnCalibration;
  /** Of series and options that are still there; undefined: none. `owners`: of all policies that forecast. */
  memory(cluster: Cluster, owners: readonly ForecastOwner[]): RememberedCalibrations | undefined;
}

/** `remembered` may have been damaged on its way. */
export function openCalibrations(remembered: Readonly<RememberedCalibrations> = {}): Calibrations {
  const made = new Map<string, Record<Kind, Map<string, Calibration>>>();
  const madeBy = (key: string) => {
    const known = made.get(key) ?? { nodes: new Map(), pods: new Map() };
    made.set(key, known);
    return known;
  };
  const before = (key: string, kind: Kind): Readonly<BySeries> => {
    const known: Partial<SeriesCalibrations> | undefined = Object.hasOwn(remembered, key) ? remembered[key] : undefined;
    return known?.[kind] ?? {};
  };
  return {
    of(owner) {
      const key = keyOf(owner);
      const own = madeBy(key);
      const known = { nodes: before(key, "nodes"), pods: before(key, "pods") };
      return (kind, id) => ({
        before: Object.hasOwn(known[kind], id) ? known[kind][id] : undefined,
        note: (calibration) => own[kind].set(id, calibration),
      });
    },
    memory(cluster, owners) {
      const isThere = {
        nodes: (name: string) => cluster.node(name) !== undefined,
        pods: (uid: string) => cluster.pod(uid) !== undefined,
      };
      const all: RememberedCalibrations = {};
      let count = 0;
      for (const key of new Set(owners.map(keyOf))) {
        const kept = { nodes: {}, pods: {} };
        for (const kind of KINDS) {
          count += keep(madeBy(key)[kind], before(key, kind), isThere[kind], kept[kind]);
        }
        all[key] = kept;
      }
      if (count === 0) return undefined;
      return count <= MAX_CALIBRATIONS ? all : newestOf(all, MAX_CALIBRATIONS);
    },
  };
}

/** Those made now, and of those before the others whose series are still there. How many. */
function keep(
  made: ReadonlyMap<string, Calibration>,
  before: Readonly<BySeries>,
  isThere: (id: string) => boolean,
  into: BySeries,
): number {
  let count = made.size;
  for (const [id, one] of made) into[id] = one;
  for (const id of Object.keys(before)) {
    const one = before[id];
    if (made.has(id) || !isCalibration(one) || !isThere(id)) continue;
    into[id] = one;
    count++;
  }
  return count;
}

/** The most recently calibrated, up to `most`. */
export function newestOf(calibrations: Readonly<RememberedCalibrations>, most: number): RememberedCalibrations {
  const newestFirst = Object.entries(calibrations)
    .flatMap(([key, own]) =>
      KINDS.flatMap((kind) => Object.entries(own[kind]).map(([id, one]) => ({ key, kind, id, one }))),
    )
    .sort((a, b) => b.one.throughMs - a.one.throughMs || compareText(a.id, b.id) || compareText(a.key, b.key));
  const newest: RememberedCalibrations = {};
  for (const { key, kind, id, one } of newestFirst.slice(0, most)) {
    newest[key] ??= { nodes: {}, pods: {} };
    newest[key][kind][id] = one;
  }
  return newest;
}
