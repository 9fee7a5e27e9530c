/** What an audit found, each as it happened: with its mend undone, one of these fails. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fault, slowLink } from "./faults.ts";
import { type MoveOptions, type Outcome, Scene } from "./scene.ts";

const LIMIT_MS = 180_000;

let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open();
}, 90_000);
afterAll(() => scene.close(), 60_000);

interface Case {
  about: string;
  move: MoveOptions;
  expected: Partial<Outcome>;
}

const FREEZE = "before acceptFiles";
const HELD = "after restore";
const COMMITTED = "before markReleased";
const SAVED = { survived: true, complaints: [] };
const MOVED = { ...SAVED, phase: "Succeeded" };
const ROLLED_BACK = { ...SAVED, phase: "RolledBack" };

/** 2 GiB over 12 MB/s take three minutes. */
const LONG: MoveOptions = { owner: "none", memory: "2Gi", files: "64Mi", bandwidth: 12e6 };

const CASES: Case[] = [
  {
    about: "C1: files go to the container that is restored, although another was created for them before",
    move: { owner: "none", fault: fault("the target is created a second time"), at: "before restore" },
    expected: MOVED,
  },
  {
    about: "C1: the same while the files come",
    move: { owner: "none", fault: fault("the target is created a second time"), at: FREEZE },
    expected: MOVED,
  },
  {
    about: "H1: a transfer may take longer than a kubelet holds a create",
    move: { ...LONG, hasLivenessProbe: false },
    expected: MOVED,
  },
  {
    about: "H1: also when that shows only during the freeze",
    move: { owner: "none", memory: "2Gi", files: "64Mi", hasLivenessProbe: false, fault: slowLink(12e6), at: FREEZE },
    expected: SAVED,
  },
  {
    about: "H2: a pod whose liveness probe does not forgive the freeze is not lost over a slow link",
    move: LONG,
    expected: SAVED,
  },
  {
    about: "H2: nor over one that becomes slow during the freeze",
    move: { owner: "none", memory: "2Gi", fault: slowLink(12e6), at: FREEZE },
    expected: ROLLED_BACK,
  },
  {
    about: "M1: a source that is evicted while its copy is held goes on as the copy",
    move: { owner: "none", fault: fault("the source is evicted by its kubelet"), at: HELD },
    expected: MOVED,
  },
  {
    about: "M1: one that is killed for its node's memory, too",
    move: { owner: "Deployment", fault: fault("the source is killed by the kernel"), at: HELD },
    expected: MOVED,
  },
  {
    about: "M1: one that is evicted through the API, too",
    move: { owner: "none", fault: fault("the source is evicted through the API"), at: HELD },
    expected: MOVED,
  },
  {
    about: "M2: a committed copy that dies before its release gives the pod back to its source",
    move: { owner: "none", fault: fault("the target is killed by the kernel"), at: COMMITTED },
    expected: ROLLED_BACK,
  },
  {
    about: "M2: one whose node restarts, too",
    move: { owner: "Job", hasLivenessProbe: false, fault: fault("the target's node restarts"), at: COMMITTED },
    expected: ROLLED_BACK,
  },
  {
    about: "M3: a source that is frozen while the API server goes away runs on before its liveness probe kills it",
    move: { owner: "none", fault: fault("the API server is away for 3 min"), at: HELD },
    expected: SAVED,
  },
  {
    about: "M4: a pod that is deleted by force does not come back under another name",
    move: { owner: "none", fault: fault("the source is deleted by force"), at: HELD },
    expected: { phase: "RolledBack", survived: false, complaints: [] },
  },
];

describe("nothing is lost", () => {
  it.each(CASES)(
    "$about",
    async ({ move, expected }) => {
      expect(await scene.move(move)).toMatchObject(expected);
    },
    LIMIT_MS,
  );
});
