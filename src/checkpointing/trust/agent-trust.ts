/**
 * What the leading controller holds to speak with the agents: the authority, its own certificate, and the agents' enrolment.
 *
 *   const trust = await AgentTrust.open({ client, namespace, now, log });
 *   await trust.enrolAll(pods);          // every half minute, and when an agent appears
 */
import type { TlsCredentials } from "../../agent/identity.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { Pod } from "../../kube/resources.ts";
import { agentSites } from "./agent-sites.ts";
import { type Authority, CERTIFICATE_LIFE_MS, controllerCredentials, moveToken } from "./authority.ts";
import { AUTHORITY_NAME, keepAuthority, loadAuthority } from "./authority-store.ts";
import { ensureEnrolled } from "./enrolment.ts";

export interface TrustOptions {
  client: KubeClient;
  namespace: string;
  now: () => number;
  log: {
    info(message: string, fields?: Record<string, unknown>): void;
    warn(message: string, fields?: Record<string, unknown>): void;
  };
}

export class AgentTrust {
  readonly #options: TrustOptions;
  readonly #authority: Authority;
  #credentials: TlsCredentials;
  #issuedAtMs: number;

  private constructor(options: TrustOptions, authority: Authority, credentials: TlsCredentials) {
    this.#options = options;
    this.#authority = authority;
    this.#credentials = credentials;
    this.#issuedAtMs = options.now();
  }

  /** Loads the authority, or makes and publishes it. For the leader only. */
  static async open(options: TrustOptions): Promise<AgentTrust> {
    const authority = await loadAuthority(options.client, options.namespace, options.now());
    return new AgentTrust(options, authority, await controllerCredentials(authority, options.now()));
  }

  /** Puts back what was deleted of the authority. False when the Secret holds another authority now: open that one. */
  async keep(): Promise<boolean> {
    const { client, namespace, log } = this.#options;
    const found = await keepAuthority(client, namespace, this.#authority);
    const object = `${namespace}/${AUTHORITY_NAME}`;
    if (found === "restored") log.warn("certificate authority restored: its Secret or ConfigMap was gone", { object });
    if (found === "replaced") log.warn("certificate authority replaced: the Secret holds another one", { object });
    return found !== "replaced";
  }

  /** The controller's own; another object after a renewal. */
  credentials(): TlsCredentials {
    return this.#credentials;
  }

  /** The token of a move's files, the same after a change of leader. */
  tokenOf(moveUID: string): string {
    return moveToken(this.#authority, moveUID);
  }

  /**
   * Sees to it that each of these agents has a good certificate. Never rejects: an agent that can't be enrolled is logged and tried
   * again the next time. Returns the nodes that were given one.
   */
  async enrolAll(pods: readonly Pod[]): Promise<string[]> {
    await this.#renewOwn();
    const { client, namespace, now, log } = this.#options;
    const parts = { client, namespace, now, authority: this.#authority, credentials: this.#credentials };
    const outcomes = agentSites(pods).map(async (site) => {
      try {
        const issued = await ensureEnrolled(parts, site);
        if (issued) log.info("certificate issued", { node: site.node, pod: site.podName });
        return issued ? [site.node] : [];
      } catch (error) {
        log.warn("agent not enrolled", {
          node: site.node,
          error: error instanceof Error ? error.message : String(error),
        });
        return [];
      }
    });
    return (await Promise.all(outcomes)).flat();
  }

  async #renewOwn(): Promise<void> {
    const { now } = this.#options;
    if (now() < this.#issuedAtMs + (CERTIFICATE_LIFE_MS * 2) / 3) return;
    this.#credentials = await controllerCredentials(this.#authority, now());
    this.#issuedAtMs = now();
  }
}
