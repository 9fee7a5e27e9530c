/** What the node's self-test says, from the agent's start on. */
import { release } from "node:os";
import type { Logger } from "../../logging/logger.ts";
import type { HandlerStatus } from "../containerd/handler.ts";
import { type Host, runOnHost, runtimeOf } from "../host/host.ts";
import type { Verdict } from "../protocol.ts";
import { knownVerdicts, proveNode } from "./self-test.ts";

export class NodeProof {
  readonly #host: Host;
  readonly #bin: string | undefined;
  readonly #logger: Logger;
  /** Until the self-test has ended, what it said the last time. */
  verdicts: Verdict[];
  /** It was never tried here. */
  readonly isNew: boolean;

  /**
   * @param host with the `criu` that is to prove itself in its PATH.
   * @param bin folder (host path) of the agent's own CRIU, beside which is the program to be dumped; undefined: nothing is tried.
   */
  constructor(host: Host, bin: string | undefined, logger: Logger) {
    this.#host = host;
    this.#bin = bin;
    this.#logger = logger;
    const known = knownVerdicts(host);
    this.verdicts = known ?? [];
    this.isNew = known === undefined;
  }

  /** Never rejects: a node that could not be tried is taken as it is. */
  async prove(handler: () => Promise<HandlerStatus>): Promise<void> {
    if (this.#bin === undefined) return;
    try {
      const [{ daemon }, runc, criu] = await Promise.all([
        handler(),
        runOnHost(this.#host, [runtimeOf(this.#host).runc, "--version"]),
        runOnHost(this.#host, ["criu", "--version"]),
      ]);
      const fingerprint = [release(), this.#bin, criu.stdout, runc.stdout, daemon?.version, daemon?.lsm].join("\n");
      this.verdicts = await proveNode(this.#host, { bin: this.#bin, lsm: daemon?.lsm, fingerprint });
      for (const verdict of this.verdicts) this.#tell(verdict);
    } catch (error) {
      this.#logger.error("the node could not be tried", {
        why: error instanceof Error ? error.message : String(error),
      });
    }
  }

  #tell({ kind, ok, ms, message }: Verdict): void {
    if (ok) this.#logger.info("self-test passed", { kind, ms });
    else this.#logger.error("self-test failed", { kind, ms, why: message });
  }
}
