/** A link over which a dump takes time: what it carries may change while it is used, and may not be what was measured. */
import { isWorthMeasuring, linkRefusal } from "../../../src/agent/link.ts";
import type { FreezeLimits, MoveRecord } from "../../../src/agent/protocol.ts";
import { type Clock, sleep } from "../../../src/kube/clock.ts";

const STEP_MS = 100;

export class SimulatedLink {
  readonly #clock: Clock;
  readonly #bytesPerSecond: (sendingForMs: number) => number;
  /** What a measurement before the freeze says. */
  measuredBytesPerSecond: number;
  /** The target's agent tells how far a dump is. */
  tells = true;
  progress: MoveRecord["progress"];
  measured = 0;

  constructor(clock: Clock, bytesPerSecond: number | ((sendingForMs: number) => number)) {
    this.#clock = clock;
    this.#bytesPerSecond = typeof bytesPerSecond === "number" ? () => bytesPerSecond : bytesPerSecond;
    this.measuredBytesPerSecond = this.#bytesPerSecond(0);
  }

  admit(limits: FreezeLimits, bytes: number): void {
    if (!isWorthMeasuring(limits, bytes)) return;
    this.measured++;
    const refusal = linkRefusal(limits, bytes, { bytesPerSecond: this.measuredBytesPerSecond, atLeast: false });
    if (refusal) throw refusal;
  }

  async send(totalBytes: number, givenUp: AbortSignal): Promise<void> {
    const startedMs = this.#clock.now();
    let atMs = startedMs;
    for (let sentBytes = 0; sentBytes < totalBytes; ) {
      await sleep(this.#clock, STEP_MS, givenUp);
      givenUp.throwIfAborted();
      const bytesPerSecond = this.#bytesPerSecond(this.#clock.now() - startedMs);
      sentBytes = Math.min(totalBytes, sentBytes + (bytesPerSecond * (this.#clock.now() - atMs)) / 1000);
      atMs = this.#clock.now();
      if (this.tells) this.progress = { sentBytes, totalBytes, bytesPerSecond };
    }
    this.progress = undefined;
  }
}
