/** Placement: to which of the feasible nodes a pod goes. */

/** A node that could be a target, with everything reserved on it taken into account. */
export interface Target {
  name: string;
  capacityBytes: number;
  /** Capacity minus what is used and what is reserved. */
  freeBytes: number;
  /**
   * What is still free after so many minutes if what runs there and what comes grows on like this; where the policy forecasts, at its
   * horizon, by the upper bounds. May be negative. Worked out when asked for.
   */
  freeAheadBytes(minutes: number): number;
  allocatableBytes: number;
  /** By its pods and by those that are coming. */
  requestedBytes: number;
}

/** How good a feasible target is for a pod of this size: the highest score wins, the first by name among equals. */
export type PlacementFunction = (target: Target, podBytes: number) => number;
