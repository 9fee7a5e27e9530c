/**
 * The controller's half of an agent's enrolment: looks at the certificate that an agent shows, and signs a new one when that is
 * not the authority's or is near its end. Who the agent is, is told by the API server (TokenReview), not by the agent.
 */
import { connect } from "node:tls";
import { z } from "zod";
import { AgentClient } from "../../agent/agent-client.ts";
import { isDueForRenewal } from "../../agent/certificates.ts";
import type { TlsCredentials } from "../../agent/identity.ts";
import { agentName } from "../../agent/protocol.ts";
import type { KubeClient } from "../../kube/client.ts";
import { PODS, TOKEN_REVIEWS, type TokenReview } from "../../kube/resources.ts";
import { type AgentSite, isOfDaemonSet } from "./agent-sites.ts";
import { type Authority, signAgent } from "./authority.ts";

export const TOKEN_AUDIENCE = "headroom";
const AGENT_ACCOUNT = "headroom-agent";
const TIMEOUT_MS = 5_000;
const POD_NAME = "authentication.kubernetes.io/pod-name";
const POD_UID = "authentication.kubernetes.io/pod-uid";

const enrolmentSchema = z.object({ csr: z.string(), token: z.string() });

export interface EnrolmentParts {
  client: KubeClient;
  namespace: string;
  authority: Authority;
  credentials: TlsCredentials;
  now: () => number;
}

/** True when a new certificate was issued; rejects when the agent can't be reached or isn't who it says. */
export async function ensureEnrolled(parts: EnrolmentParts, site: AgentSite): Promise<boolean> {
  if (!(await needsCertificate(parts, site))) return false;
  const stranger = new AgentClient(site, parts.credentials, { verify: false, connections: 1 });
  try {
    const answer = await stranger.call({ method: "GET", path: "/v1/enrolment", timeoutMs: TIMEOUT_MS });
    const { csr, token } = enrolmentSchema.parse(answer);
    await vouchFor(parts, site, token);
    const certificate = await signAgent(parts.authority, csr, site, parts.now());
    await stranger.call({ method: "POST", path: "/v1/certificate", body: { certificate }, timeoutMs: TIMEOUT_MS });
    return true;
  } finally {
    await stranger.close();
  }
}

/** Rejects unless the token is that of this very agent pod, on this node. */
async function vouchFor({ client, namespace }: EnrolmentParts, site: AgentSite, token: string): Promise<void> {
  const question: TokenReview = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenReview",
    metadata: { name: "" },
    spec: { token, audiences: [TOKEN_AUDIENCE] },
  };
  const { status } = await client.create(TOKEN_REVIEWS, question);
  const refuse = (why: string): never => {
    throw new Error(`the agent of ${site.node} is not given a certificate: ${why}`);
  };
  if (!status?.authenticated || !status.audiences?.includes(TOKEN_AUDIENCE)) refuse("its token is not valid");
  const account = `system:serviceaccount:${namespace}:${AGENT_ACCOUNT}`;
  if (status?.user?.username !== account) refuse(`its token is that of ${status?.user?.username}, not ${account}`);
  const name = status?.user?.extra?.[POD_NAME]?.[0];
  const uid = status?.user?.extra?.[POD_UID]?.[0];
  if (name !== site.podName || uid !== site.podUID) refuse(`its token is that of pod ${name}, not ${site.podName}`);
  const pod = await client.get(PODS, { namespace, name: site.podName });
  if (pod?.metadata.uid !== uid || pod?.spec.nodeName !== site.node) refuse("its pod is on another node");
  if (pod && !isOfDaemonSet(pod)) refuse("its pod is not one of the agents' DaemonSet");
}

async function needsCertificate({ authority, credentials, now }: EnrolmentParts, site: AgentSite): Promise<boolean> {
  const shown = await certificateOf(site, authority, credentials);
  return !shown.trusted || shown.name !== agentName(site.node) || isDueForRenewal(shown, now());
}

interface Shown {
  trusted: boolean;
  name: string;
  validFromMs: number;
  validToMs: number;
}

/** The certificate that the agent shows in a handshake. */
async function certificateOf(site: AgentSite, authority: Authority, credentials: TlsCredentials): Promise<Shown> {
  const { key, certificate: cert } = credentials;
  return await new Promise<Shown>((resolve, reject) => {
    const socket = connect({
      host: site.address,
      port: site.port,
      key,
      cert,
      ca: authority.certificate,
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      timeout: TIMEOUT_MS,
    });
    socket.once("secureConnect", () => {
      const { subject, valid_from, valid_to } = socket.getPeerCertificate();
      const name = typeof subject?.CN === "string" ? subject.CN : "";
      resolve({
        trusted: socket.authorized,
        name,
        validFromMs: Date.parse(valid_from),
        validToMs: Date.parse(valid_to),
      });
      socket.destroy();
    });
    socket.once("timeout", () => socket.destroy(new Error(`the agent of ${site.node} does not answer`)));
    socket.once("error", reject);
  });
}
