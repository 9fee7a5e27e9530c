/** What an agent's moves may stage on its node, as its pod says. Pure. */
import { type Amount, parseAmount } from "../../api/quantity.ts";
import { agentSettings } from "../../config/agent-config.ts";
import type { Pod } from "../../kube/resources.ts";

const { env, fallback } = agentSettings.stagingBudget;

/**
 * The agent reads the same variable, of a name that is there twice the last, and takes the same amount where there is none. A flag
 * among its arguments is not seen here: then preflight, which asks the agent itself, has the last word.
 */
export function stagingBudget(agent: Pod): Amount {
  const variables = agent.spec.containers.flatMap((container) => container.env ?? []);
  return parseAmount(variables.findLast(({ name }) => name === env)?.value ?? "") ?? fallback;
}
