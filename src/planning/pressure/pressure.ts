/** Pressure: a node that is or will be short of memory, and by how many bytes. */
import type { ModelName } from "../forecast/models.ts";

export interface NodeGrowth {
  /** Bytes per minute; never negative. */
  perMinute: number;
  /** Pods whose growth is not known. */
  unknownPods: number;
}

export interface PressureInput {
  name: string;
  capacityBytes: number;
  /** Fresh and plausible, at most `capacityBytes`. */
  usedBytes: number;
  /** The policy's freeBelow on this node. */
  freeBelowBytes: number;
  nowMs: number;
  /** Worked out when asked for. */
  growth(): NodeGrowth;
  /**
   * Where the strategy forecasts: what the node will use at most up to its horizon. Where that is not more than `enoughBytes` a cruder
   * bound may be given that is not either.
   */
  atMost?(enoughBytes: number): number | undefined;
}

export interface Pressure {
  /** What the node must free; 0: nothing. */
  pressureBytes: number;
  message: string;
}

/** What is foreseen, and how surely. */
export interface ForecastSettings {
  /** How far ahead. */
  horizonSeconds: number;
  /** With which memory stays below the bound; between 0 and 1, exclusive. */
  confidence: number;
  model: ModelName;
}

export interface PressureRule {
  judge(node: PressureInput): Pressure;
  /** How far the strategy looks ahead; a target must keep its room for so long. 0: not at all. */
  aheadMinutes: number;
  /** The strategy forecasts: it is given bounds, targets are judged by theirs, and moves start when they must. */
  forecast?: ForecastSettings;
}
