/**
 * How memory goes over a pod's work, as a few corner points: seconds of work, and parts of the pod's peak (0 to 1). The first point is
 * at 0, the last at the end of the work; at least one point is 1.
 */
import type { Random } from "../../random.ts";
import { between } from "./distributions.ts";

export interface Corner {
  seconds: number;
  part: number;
}

export type Shape = (workSeconds: number, random: Random) => Corner[];

/** Waits with what it holds, a tenth more or less. */
const idle: Shape = (work, random) => {
  const level = between(0.85, 1, random);
  const turn = between(0.2, 0.8, random) * work;
  return [
    { seconds: 0, part: level },
    { seconds: turn, part: 1 },
    { seconds: work, part: between(0.85, 1, random) },
  ];
};

/** Loads its data, then works on it. */
const rampPlateau: Shape = (work, random) => {
  const from = between(0, 0.15, random) * work;
  const to = from + between(0.1, 0.5, random) * work;
  return [
    { seconds: 0, part: between(0.03, 0.15, random) },
    { seconds: from, part: between(0.05, 0.2, random) },
    { seconds: to, part: between(0.9, 1, random) },
    { seconds: between(0.75, 0.95, random) * work, part: 1 },
    { seconds: work, part: between(0.6, 1, random) },
  ];
};

/** Goes through stages, each of which needs more; the way up takes a minute or two. */
const step: Shape = (work, random) => {
  const stages = 2 + Math.floor(random.next() * 4);
  const first = between(0.05, 0.25, random);
  const corners: Corner[] = [];
  for (let stage = 0; stage < stages; stage++) {
    const part = stage === stages - 1 ? 1 : first + ((1 - first) * stage) / (stages - 1);
    const begin = (work * stage) / stages;
    const rise = stage === 0 ? 0 : Math.min(between(30, 120, random), work / stages / 2);
    corners.push({ seconds: begin + rise, part }, { seconds: (work * (stage + 1)) / stages, part });
  }
  return corners;
};

/** Needs little, and now and then everything for some minutes. */
const spikeRelease: Shape = (work, random) => {
  const base = between(0.08, 0.3, random);
  const spikes = 1 + Math.floor(random.next() * 4);
  const slot = work / spikes;
  const highest = Math.floor(random.next() * spikes);
  const corners: Corner[] = [{ seconds: 0, part: base }];
  for (let spike = 0; spike < spikes; spike++) {
    const [rise, hold, fall] = [between(60, 600, random), between(60, 900, random), between(30, 300, random)];
    const squeeze = Math.min(1, (0.8 * slot) / (rise + hold + fall));
    const begin = slot * spike + random.next() * (slot - squeeze * (rise + hold + fall));
    const part = spike === highest ? 1 : between(base, 1, random);
    const [up, down] = [begin + squeeze * rise, begin + squeeze * (rise + hold)];
    corners.push(
      { seconds: begin, part: base },
      { seconds: up, part },
      { seconds: down, part },
      { seconds: down + squeeze * fall, part: base },
    );
  }
  return [...corners, { seconds: work, part: base }];
};

/** Never gives anything back. */
const leak: Shape = (work, random) => [
  { seconds: 0, part: between(0.1, 0.4, random) },
  { seconds: work, part: 1 },
];

export const SHAPES = { idle, rampPlateau, step, spikeRelease, leak };
export type Kind = keyof typeof SHAPES;
