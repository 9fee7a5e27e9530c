/** A budget counted in steps of work, not in time, so that the result is the same on any machine. */
export interface Steps {
  /** False when the budget is used up. */
  take(count?: number): boolean;
  taken(): number;
  /** A part of what is left, as a budget of its own; what is taken from it is taken from here too. */
  share(part: number): Steps;
}

export function countSteps(most: number): Steps {
  let taken = 0;
  const steps: Steps = {
    take(count = 1) {
      taken += count;
      return taken <= most;
    },
    taken: () => taken,
    share: (part) => limited(steps, Math.floor(Math.max(0, most - taken) * part)),
  };
  return steps;
}

function limited(whole: Steps, most: number): Steps {
  const own = countSteps(most);
  const part: Steps = {
    take(count = 1) {
      const inWhole = whole.take(count);
      return own.take(count) && inWhole;
    },
    taken: own.taken,
    share: (share) => limited(part, Math.floor(Math.max(0, most - own.taken()) * share)),
  };
  return part;
}
