import { beforeEach, describe, expect, test } from "vitest";
import { type KubeClient, KubeError } from "../../src/kube/client.ts";
import type { Term } from "../../src/kube/controller.ts";
import { LeaderElection } from "../../src/kube/leader-election.ts";
import { LEASES, type Lease } from "../../src/kube/resources.ts";
import { silentLogger } from "../../src/logging/logger.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";
import { MemoryKube } from "../support/memory-kube.ts";

const REF = { namespace: "headroom-system", name: "headroom-controller" };

let clock: FakeClock;
let kube: MemoryKube;

beforeEach(() => {
  clock = new FakeClock();
  kube = new MemoryKube();
});

/** A candidate whose way to the API server can be cut. */
class Candidate {
  readonly terms: Term[] = [];
  /** When each term ended, by the monotonic clock. */
  readonly endedMs: number[] = [];
  readonly end = new AbortController();
  readonly election: LeaderElection;
  link: "up" | "refused" | "hangs" | "answersLost" = "up";
  /** What a term's work waits for after its signal. */
  lingers: Promise<void> = Promise.resolve();
  readonly run: Promise<void>;
  readonly #hanging: (() => void)[] = [];

  /** What hangs runs into its time limit. */
  freeHanging(): void {
    for (const resolve of this.#hanging.splice(0)) resolve();
  }

  constructor(identity: string, hasEnded: (holder: string) => boolean = () => false) {
    this.election = new LeaderElection({
      client: this.#client(),
      lease: REF,
      identity,
      hasEnded,
      clock,
      logger: silentLogger,
      random: () => 0,
      lead: (term) => this.#lead(term),
    });
    this.run = this.election.run(this.end.signal);
  }

  get leads(): boolean {
    return this.election.leading && this.terms.at(-1)?.signal.aborted === false;
  }

  async #lead(term: Term): Promise<void> {
    this.terms.push(term);
    await new Promise((resolve) => term.signal.addEventListener("abort", resolve));
    this.endedMs.push(clock.monotonicMs());
    await this.lingers;
  }

  #client(): KubeClient {
    const through =
      <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        if (this.link === "refused") throw new KubeError("Unavailable", "no route");
        if (this.link === "hangs") {
          await new Promise<void>((resolve) => this.#hanging.push(resolve));
          throw new KubeError("Timeout", "no answer");
        }
        const answer = await call(...args);
        if (this.link === "answersLost") throw new KubeError("Timeout", "the answer was lost");
        return answer;
      };
    return {
      ...kube.client,
      get: through(kube.client.get) as KubeClient["get"],
      patch: through(kube.client.patch) as KubeClient["patch"],
      create: through(kube.client.create) as KubeClient["create"],
    };
  }
}

async function lease(): Promise<NonNullable<Lease["spec"]>> {
  return (await kube.client.get(LEASES, REF))?.spec ?? {};
}

describe("leader election", () => {
  test("makes the lease and leads; the epoch is the lease's transitions", async () => {
    const a = new Candidate("a");
    await settle();
    expect(a.leads).toBe(true);
    expect(a.terms[0]?.epoch).toBe((await lease()).leaseTransitions);
    expect(await lease()).toMatchObject({ holderIdentity: "a", leaseDurationSeconds: 8 });
  });

  test("of two candidates one leads, for as long as it renews", async () => {
    const a = new Candidate("a");
    await settle();
    const b = new Candidate("b");
    await clock.advance(600_000);
    expect([a.leads, b.leads]).toEqual([true, false]);
    expect(a.terms).toHaveLength(1);
  });

  test.each(["refused", "hangs", "answersLost"] as const)(
    "a leader whose link is %s stops before another begins, and the epoch grows",
    async (link) => {
      const a = new Candidate("a");
      await settle();
      const b = new Candidate("b");
      await clock.advance(60_000);
      a.link = link;
      for (let i = 0; i < 400 && !b.leads; i++) {
        await clock.advance(100);
        expect([a.leads, b.leads]).not.toEqual([true, true]);
      }
      expect([a.leads, b.leads]).toEqual([false, true]);
      expect(b.terms[0]?.epoch).toBeGreaterThan(a.terms[0]?.epoch ?? 0);
      a.link = "up";
      await clock.advance(60_000);
      expect([a.leads, b.leads]).toEqual([false, true]);
    },
  );

  test.each([
    ["as it was", 0],
    ["set back by an hour", -3_600_000],
    ["set forward by an hour", 3_600_000],
  ])("a leader that is cut off stops within six seconds of its last renewal, its wall clock %s", async (_, step) => {
    const a = new Candidate("a");
    await clock.advance(60_000);
    const cutMs = clock.monotonicMs();
    a.link = "hangs";
    await clock.advance(1_000);
    clock.stepWall(step);
    await clock.advance(30_000);
    expect(a.endedMs[0]).toBeLessThanOrEqual(cutMs + 6_000);
  });

  test.each([
    ["back", -3_600_000],
    ["forward", 3_600_000],
  ])(
    "a wall clock that is set %s changes nothing for a leader that renews, nor for one that waits",
    async (_, step) => {
      const a = new Candidate("a");
      await settle();
      const b = new Candidate("b");
      await clock.advance(10_000);
      clock.stepWall(step);
      await clock.advance(60_000);
      expect([a.terms.length, b.terms.length]).toEqual([1, 0]);
      a.link = "hangs";
      await clock.advance(10_500);
      expect([a.leads, b.leads]).toEqual([false, true]);
      expect(b.terms[0]?.epoch).toBeGreaterThan(a.terms[0]?.epoch ?? 0);
    },
  );

  test("a term tells how long ago its lease was renewed", async () => {
    const a = new Candidate("a");
    await clock.advance(60_000);
    expect(a.terms[0]?.renewedAgoMs?.()).toBeLessThanOrEqual(1_000);
    a.link = "hangs";
    await clock.advance(4_000);
    clock.stepWall(-60_000);
    expect(a.terms[0]?.renewedAgoMs?.()).toBeGreaterThanOrEqual(4_000);
  });

  test("a short interruption is ridden out", async () => {
    const a = new Candidate("a");
    await clock.advance(60_000);
    for (const link of ["refused", "answersLost"] as const) {
      a.link = link;
      await clock.advance(4_000);
      a.link = "up";
      await clock.advance(20_000);
    }
    expect(a.leads).toBe(true);
    expect(a.terms).toHaveLength(1);
  });

  test("stopping gives the lease back: another leads within seconds, in a new epoch", async () => {
    const a = new Candidate("a");
    await settle();
    const b = new Candidate("b");
    await clock.advance(10_000);
    a.end.abort();
    await settle();
    await a.run;
    expect(a.leads).toBe(false);
    expect((await lease()).holderIdentity).toBeUndefined();
    await clock.advance(2_500);
    expect(b.leads).toBe(true);
    expect(b.terms[0]?.epoch).toBeGreaterThan(a.terms[0]?.epoch ?? 0);
  });

  test("a leader that could not renew leads again as soon as it can, if nobody else does, in a new epoch", async () => {
    const a = new Candidate("a");
    await clock.advance(60_000);
    a.link = "hangs";
    await clock.advance(40_000);
    expect(a.leads).toBe(false);
    a.link = "up";
    a.freeHanging();
    await clock.advance(2_500);
    expect(a.leads).toBe(true);
    expect(a.terms[1]?.epoch).toBeGreaterThan(a.terms[0]?.epoch ?? 0);
  });

  test("the lease of a process that is known to have ended is not waited for", async () => {
    const a = new Candidate("pod-1_a");
    await clock.advance(10_000);
    a.link = "hangs";
    const [other, again] = [
      new Candidate("pod-2_b"),
      new Candidate("pod-1_c", (holder) => holder.startsWith("pod-1_")),
    ];
    await clock.advance(100);
    expect([other.leads, again.leads]).toEqual([false, true]);
    expect(again.terms[0]?.epoch).toBeGreaterThan(a.terms[0]?.epoch ?? 0);
  });

  test("somebody who takes the lease away ends the term at once", async () => {
    const a = new Candidate("a");
    await settle();
    await kube.client.patch(LEASES, REF, { spec: { holderIdentity: "thief", leaseTransitions: 9 } });
    await clock.advance(2_500);
    expect(a.leads).toBe(false);
  });

  test("a next term waits until the former one's work has come to rest", async () => {
    const a = new Candidate("a");
    await settle();
    let rest = () => {};
    a.lingers = new Promise((resolve) => {
      rest = resolve;
    });
    a.link = "refused";
    await clock.advance(20_000);
    a.link = "up";
    await clock.advance(60_000);
    expect(a.terms).toHaveLength(1);
    rest();
    await clock.advance(20_000);
    expect(a.terms).toHaveLength(2);
  });

  test("a lease that was deleted and made anew still continues upwards", async () => {
    const a = new Candidate("a");
    await clock.advance(600_000);
    const first = a.terms[0]?.epoch ?? 0;
    await kube.client.delete(LEASES, REF);
    await clock.advance(10_000);
    expect(a.terms[1]?.epoch).toBeGreaterThan(first);
  });

  test("a lease that was restored from a backup of an hour ago still continues upwards", async () => {
    const a = new Candidate("a");
    await clock.advance(60_000);
    const backup = await lease();
    for (let crash = 0; crash < 30; crash++) {
      a.link = "hangs";
      await clock.advance(10_000);
      a.link = "up";
      a.freeHanging();
      await clock.advance(110_000);
    }
    const highest = a.terms.at(-1)?.epoch ?? 0;
    await kube.client.patch(LEASES, REF, { spec: { ...backup, holderIdentity: "gone" } });
    await clock.advance(20_000);
    expect(a.terms.at(-1)?.epoch).toBeGreaterThan(highest);
  });

  test("a leader that an agent refuses for a higher epoch begins a term above that epoch", async () => {
    const a = new Candidate("a");
    const b = new Candidate("b");
    await clock.advance(10_000);
    const [first] = a.terms;
    const seen = (first?.epoch ?? 0) + 500;
    first?.outrank?.(seen);
    expect(first?.signal.aborted).toBe(true);
    await clock.advance(2_000);
    expect([a.leads, b.leads]).toEqual([true, false]);
    expect(a.terms[1]?.epoch).toBe(seen + 1);
    expect((await lease()).leaseTransitions).toBe(seen + 1);
  });

  test("a leader that was replaced, and is refused for that, does not lead again", async () => {
    const a = new Candidate("a");
    await clock.advance(10_000);
    const [first] = a.terms;
    const epoch = (first?.epoch ?? 0) + 1;
    await kube.client.patch(LEASES, REF, { spec: { holderIdentity: "b", leaseTransitions: epoch } });
    first?.outrank?.(epoch);
    await clock.advance(5_000);
    expect(a.leads).toBe(false);
    expect(a.terms).toHaveLength(1);
    expect(await lease()).toMatchObject({ holderIdentity: "b", leaseTransitions: epoch });
  });

  test("an agent that names ever higher epochs interrupts the leader once a minute, and never wears out the number", async () => {
    const a = new Candidate("a");
    await clock.advance(5_000);
    const startTerms = a.terms.length;
    for (let second = 0; second < 300; second++) {
      const term = a.terms.at(-1);
      term?.outrank?.((term.epoch ?? 0) + 1);
      await clock.advance(1_000);
    }
    expect(a.terms.length - startTerms).toBeLessThanOrEqual(5);
    a.terms.at(-1)?.outrank?.(2 ** 31 - 2);
    await clock.advance(120_000);
    expect(a.leads).toBe(true);
    expect((await lease()).leaseTransitions).toBeLessThan(2 ** 26);
  });

  test("is well while it attempts, also without an answer, and unwell when its attempts have stopped", async () => {
    const a = new Candidate("a");
    await clock.advance(10_000);
    a.link = "refused";
    await clock.advance(600_000);
    expect(a.election.unhealthy).toBeUndefined();
    a.link = "hangs";
    await clock.advance(70_000);
    expect(a.election.unhealthy).toMatch(/election has stopped/);
  });

  test("clocks that disagree by an hour don't matter", async () => {
    const a = new Candidate("a");
    await settle();
    const renewTime = new Date(clock.now() - 3_600_000).toISOString().replace("Z", "000Z");
    await kube.client.patch(LEASES, REF, { spec: { holderIdentity: "far", renewTime } });
    const b = new Candidate("b");
    await clock.advance(7_000);
    expect(b.leads).toBe(false);
    expect(a.leads).toBe(false);
  });
});
