/** Pressure: a node that is or will be short of memory, and by how many bytes. */

export interface PressureInput {
  name: string;
  capacityBytes: number;
  /** Fresh and plausible, at most `capacityBytes`. */
  usedBytes: number;
  /** The policy's freeBelow on this node. */
  freeBelowBytes: number;
  nowMs: number;
}

export interface Pressure {
  /** What the node must free; 0: nothing. */
  pressureBytes: number;
  message: string;
}

export type PressureFunction = (node: PressureInput) => Pressure;
