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
  /** When each term ended, by the clock. */
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
    this.endedMs.push(clock.now());
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
    expect(await lease()).toMatchObject({ holderIdentity: "a", leaseDurationSeconds: 15 });
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
      expect(b.terms[0]?.epoch).toBe((a.terms[0]?.epoch ?? 0) + 1);
      a.link = "up";
      await clock.advance(60_000);
      expect([a.leads, b.leads]).toEqual([false, true]);
    },
  );

  test("a leader that is cut off stops within ten seconds of its last renewal", async () => {
    const a = new Candidate("a");
    await clock.advance(60_000);
    const cutMs = clock.now();
    a.link = "hangs";
    await clock.advance(30_000);
    expect(a.endedMs[0]).toBeLessThanOrEqual(cutMs + 10_000);
  });

  test("a short interruption is ridden out", async () => {
    const a = new Candidate("a");
    await clock.advance(60_000);
    for (const link of ["refused", "answersLost"] as const) {
      a.link = link;
      await clock.advance(6_000);
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
    expect(b.terms[0]?.epoch).toBe((a.terms[0]?.epoch ?? 0) + 1);
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
    expect(a.terms[1]?.epoch).toBe((a.terms[0]?.epoch ?? 0) + 1);
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
    expect(again.terms[0]?.epoch).toBe((a.terms[0]?.epoch ?? 0) + 1);
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

  test("clocks that disagree by an hour don't matter", async () => {
    const a = new Candidate("a");
    await settle();
    const renewTime = new Date(clock.now() - 3_600_000).toISOString().replace("Z", "000Z");
    await kube.client.patch(LEASES, REF, { spec: { holderIdentity: "far", renewTime } });
    const b = new Candidate("b");
    await clock.advance(14_000);
    expect(b.leads).toBe(false);
    expect(a.leads).toBe(false);
  });
});
