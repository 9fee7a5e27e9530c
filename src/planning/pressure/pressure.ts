/** Pressure: a node that is or will be short of memory, and by how many bytes. */

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
}

export interface Pressure {
  /** What the node must free; 0: nothing. */
  pressureBytes: number;
  message: string;
}

export interface PressureRule {
  judge(node: PressureInput): Pressure;
  /** How far the strategy looks ahead; a target must keep its room for so long. 0: not at all. */
  aheadMinutes: number;
}
