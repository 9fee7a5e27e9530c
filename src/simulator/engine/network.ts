/**
 * The network that moves share: each node has one link, and the transfers on it get equal parts. A transfer goes as fast as the busier of
 * its two links lets it; what that leaves unused on the other is not given to others.
 */
import type { EventQueue } from "./event-queue.ts";

export interface Transfer {
  from: string;
  to: string;
  done(at: number): void;
}

interface Progress {
  /** Seconds that it still takes with both links to itself, when it was last looked at. */
  leftSeconds: number;
  lookedAt: number;
  /** Part of a link that it gets. */
  share: number;
  /** Changes with the share: an end foreseen before no longer holds. */
  version: number;
}

export class Network {
  readonly #queue: EventQueue;
  readonly #transfers = new Map<Transfer, Progress>();
  readonly #onLink = new Map<string, number>();

  constructor(queue: EventQueue) {
    this.#queue = queue;
  }

  /** `seconds`: what it takes with both links to itself. */
  begin(transfer: Transfer, seconds: number, at: number): void {
    this.#transfers.set(transfer, { leftSeconds: seconds, lookedAt: at, share: 0, version: 0 });
    this.#load(transfer, 1);
    this.#shareAnew(at);
  }

  end(transfer: Transfer, at: number): void {
    if (!this.#transfers.delete(transfer)) return;
    this.#load(transfer, -1);
    this.#shareAnew(at);
  }

  #load({ from, to }: Transfer, sign: 1 | -1): void {
    for (const node of [from, to]) this.#onLink.set(node, (this.#onLink.get(node) ?? 0) + sign);
  }

  #shareAnew(at: number): void {
    for (const [transfer, progress] of this.#transfers) {
      const share = 1 / Math.max(this.#onLink.get(transfer.from) ?? 1, this.#onLink.get(transfer.to) ?? 1);
      if (share === progress.share) continue;
      progress.leftSeconds = Math.max(0, progress.leftSeconds - progress.share * (at - progress.lookedAt));
      progress.lookedAt = at;
      progress.share = share;
      const version = ++progress.version;
      this.#queue.put(at + progress.leftSeconds / share, "Move", (then) => {
        if (this.#transfers.get(transfer) === progress && progress.version === version) transfer.done(then);
      });
    }
  }
}
