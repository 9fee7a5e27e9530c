/** Who an agent is and who may ask it for what. See docs/adr/0002-agent-trust.md. */
import type { PeerCertificate } from "node:tls";
import { agentName, CONTROLLER_NAME } from "./protocol.ts";

/** What the agent shows and trusts on its HTTPS port, PEM. */
export interface TlsCredentials {
  key: string;
  certificate: string;
  /** Certificates of the authority that controller and agents are signed by. */
  authority: string;
}

export interface AgentIdentity {
  credentials(): TlsCredentials;
  /** False until the controller has signed this agent's certificate: only enrolment is served until then. */
  enrolled(): boolean;
  /** A certificate request for this agent's key, and the pod's service-account token that vouches for it. */
  enrolment(): Promise<{ csr: string; token: string }>;
  /** Takes the signed certificate; rejects one that isn't for this agent's key and name. */
  accept(certificate: string): Promise<void>;
  /** Calls back whenever credentials() changes. */
  onChange(listener: () => void): void;
}

/** An identity that was given from outside and never changes: tests, the sandbox, a node without Kubernetes. */
export class FixedIdentity implements AgentIdentity {
  readonly #credentials: TlsCredentials;

  constructor(credentials: TlsCredentials) {
    this.#credentials = credentials;
  }
  credentials(): TlsCredentials {
    return this.#credentials;
  }
  enrolled(): boolean {
    return true;
  }
  enrolment(): Promise<{ csr: string; token: string }> {
    return Promise.reject(new Error("this agent's certificate was given to it and cannot be renewed"));
  }
  accept(): Promise<void> {
    return Promise.reject(new Error("this agent's certificate was given to it and cannot be renewed"));
  }
  onChange(): void {}
}

export type Client = { kind: "controller" } | { kind: "agent"; node: string } | { kind: "stranger"; name: string };

/** The client's identity by the common name of its certificate, which TLS has verified against the authority. */
export function clientOf(certificate: Pick<PeerCertificate, "subject"> | undefined): Client {
  const names = certificate?.subject?.CN;
  const name = typeof names === "string" ? names : "";
  if (name === CONTROLLER_NAME) return { kind: "controller" };
  const prefix = agentName("");
  if (name.startsWith(prefix) && name.length > prefix.length) return { kind: "agent", node: name.slice(prefix.length) };
  return { kind: "stranger", name };
}
