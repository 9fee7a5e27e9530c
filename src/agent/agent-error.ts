/** Why an agent refuses or fails a command, in the protocol's own words. */
import { type AgentErrorBody, agentErrorSchema } from "./protocol.ts";

export class AgentError extends Error {
  override readonly name = "AgentError";
  readonly reason: AgentErrorBody["reason"];
  /** The same command may succeed later; the move is where it was. */
  readonly retryable: boolean;
  /** StaleEpoch: the highest epoch that the agent has seen. */
  readonly epoch: number | undefined;

  constructor(
    reason: AgentErrorBody["reason"],
    message: string,
    options: { retryable?: boolean; cause?: unknown; epoch?: number | undefined } = {},
  ) {
    super(message, { cause: options.cause });
    this.reason = reason;
    this.retryable = options.retryable ?? false;
    this.epoch = options.epoch;
  }

  toBody(): AgentErrorBody {
    const { reason, message, retryable, epoch } = this;
    return agentErrorSchema.parse({ reason, message, retryable, epoch });
  }
}

/** Anything thrown, as an AgentError: what is not one already is `Internal`. */
export function asAgentError(error: unknown): AgentError {
  if (error instanceof AgentError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new AgentError("Internal", message, { cause: error });
}
