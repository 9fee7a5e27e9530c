/** Keeps every node's agent in possession of a certificate, and with that the driver able to speak to it. */
import { AgentDriver } from "../../checkpointing/agent-driver.ts";
import { agentSites, isAgentPod } from "../../checkpointing/trust/agent-sites.ts";
import { AgentTrust } from "../../checkpointing/trust/agent-trust.ts";
import { BY_NODE, type Controller, type ControllerContext, type Term, watchRule } from "../../kube/controller.ts";
import { PODS, type Pod } from "../../kube/resources.ts";

/** All agents are looked at together. */
const ALL = { name: "all-agents" };
/** For renewals, and for agents that could not be reached the last time. */
const LOOK_EVERY_MS = 30_000;

export interface AgentConnections {
  driver: AgentDriver;
  /** Sees to the agents' certificates. */
  enrolment: Controller;
  /** The same controller, whose reconciles begin when the driver can speak in this term. */
  whenOpen(controller: Controller): Controller;
}

export function agentConnections(context: ControllerContext): AgentConnections {
  const { namespace, stores } = context;
  const trust = new TermTrust(context);
  const isAgent = (pod: Pod) => pod.metadata.namespace === namespace && isAgentPod(pod);
  const driver = new AgentDriver({
    locate: (node) => agentSites(stores.pods.byIndex(BY_NODE, node).filter(isAgent))[0],
    credentials: () => trust.opened().credentials(),
    tokenOf: (moveUID) => trust.opened().tokenOf(moveUID),
    onStaleEpoch: (seen) => trust.term?.outrank?.(seen),
  });
  const enrolment: Controller = {
    name: "agent-enrolment",
    watches: [watchRule({ kind: PODS, keys: (pod) => (isAgent(pod) ? [ALL] : []) })],
    initialKeys: [ALL],
    concurrency: 1,
    async reconcile(_key, term) {
      await (await trust.kept(term)).enrolAll(stores.pods.list(namespace).filter(isAgent));
      return { requeueAfterMs: LOOK_EVERY_MS };
    },
  };
  return { driver, enrolment, whenOpen: (controller) => afterOpening(controller, trust) };
}

function afterOpening(controller: Controller, trust: TermTrust): Controller {
  return {
    ...controller,
    async reconcile(key, term) {
      await trust.of(term);
      return controller.reconcile(key, term);
    },
  };
}

/** Opened anew in each term: another leader may have renewed the authority meanwhile. */
class TermTrust {
  readonly #context: ControllerContext;
  #opening: { epoch: number; trust: Promise<AgentTrust> } | undefined;
  #opened: AgentTrust | undefined;
  /** The last term in which something was reconciled. */
  term: Term | undefined;

  constructor(context: ControllerContext) {
    this.#context = context;
  }

  /** Throws before the first term. */
  opened(): AgentTrust {
    if (!this.#opened) throw new Error("this controller has not loaded its certificate authority yet");
    return this.#opened;
  }

  of(term: Term): Promise<AgentTrust> {
    const { epoch } = term;
    this.term = term;
    if (this.#opening?.epoch !== epoch) this.#opening = { epoch, trust: this.#open() };
    return this.#opening.trust;
  }

  /** With what was deleted of it put back; another one when it was replaced. */
  async kept(term: Term): Promise<AgentTrust> {
    const own = await this.of(term);
    if (await own.keep()) return own;
    this.#opening = undefined;
    return this.of(term);
  }

  async #open(): Promise<AgentTrust> {
    const { client, clock, logger, namespace } = this.#context;
    try {
      this.#opened = await AgentTrust.open({ client, namespace, now: () => clock.now(), log: logger });
      return this.#opened;
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }
}
