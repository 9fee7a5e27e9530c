/** What every strategy is: a name, a sentence, its options, and a pure function made from them. One file each, one list per kind. */
import type { z } from "zod";

export interface Strategy<Name extends string, Options extends z.ZodObject, Run> {
  /** As written in a policy's `strategy`; its options sit in a member of this name, first letter small. */
  readonly name: Name;
  /** One sentence for `kubectl explain` and docs. */
  readonly summary: string;
  /** The options as written (durations and quantities are strings); no members: the strategy has none. */
  readonly options: Options;
  /** Turns the options into numbers once, and gives the function that decides. */
  configure(options: z.output<Options>): Run;
}

/** Declares a strategy; only there to let the compiler find the types. */
export function strategy<Run>() {
  return <const Name extends string, Options extends z.ZodObject>(
    definition: Strategy<Name, Options, Run>,
  ): Strategy<Name, Options, Run> => definition;
}
