/** A policy's choice of a strategy: a Kubernetes union whose discriminator is `strategy` and whose members are the options. */
import { z } from "zod";
import { type Rule, withRules } from "./rules.ts";

interface Described {
  readonly name: string;
  readonly summary: string;
  readonly options: z.ZodObject;
}

type Names<S extends readonly Described[]> = S[number]["name"];
/** As written: `{strategy: "Blocking", blocking?: {...}}`. Members of strategies without options are never there. */
export type StrategyChoice<S extends readonly Described[]> = { strategy: Names<S> } & {
  [D in S[number] as keyof z.output<D["options"]> extends never ? never : Uncapitalize<D["name"]>]?: z.output<
    D["options"]
  >;
};

/** The member that holds a strategy's options. */
export function optionsMember(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}

const hasOptions = (strategy: Described) => Object.keys(strategy.options.shape).length > 0;

function onlyWhenChosen(name: string): Rule<Record<string, unknown>> {
  const member = optionsMember(name);
  return {
    rule: `!has(self.${member}) || self.strategy == '${name}'`,
    message: `${member} may only be set when strategy is ${name}`,
    fieldPath: `.${member}`,
    check: (value) => value[member] === undefined || value.strategy === name,
  };
}

/**
 * The schema of a strategy's choice: `fields` are what all strategies of this kind share. The first strategy is the
 * default unless `defaultName` is given.
 */
export function strategyField<const S extends readonly Described[], F extends z.ZodRawShape>(
  strategies: S,
  fields: F,
  defaultName: Names<S>,
): z.ZodType<StrategyChoice<S> & z.output<z.ZodObject<F>>, unknown> {
  const withOptions = strategies.filter(hasOptions);
  const members = Object.fromEntries(
    withOptions.map((s) => [optionsMember(s.name), s.options.optional().describe(`Options of ${s.name}.`)]),
  );
  const strategy = z
    .enum(strategies.map((s) => s.name))
    .default(defaultName)
    .describe(strategies.map((s) => `${s.name}: ${s.summary}`).join(" "));
  const union = withRules(
    z.object({ strategy, ...fields, ...members }),
    withOptions.map((s) => onlyWhenChosen(s.name)),
  );
  // The shape is put together at run time from the list; StrategyChoice states the same for the compiler.
  return union as unknown as z.ZodType<StrategyChoice<S> & z.output<z.ZodObject<F>>, unknown>;
}
