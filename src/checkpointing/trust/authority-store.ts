/**
 * Where the authority is kept: key and certificate in Secret `headroom-ca`, which the controller alone may read, and the
 * certificate in ConfigMap `headroom-ca`, which the agents mount.
 */
import { certificatesIn, isDueForRenewal } from "../../agent/certificates.ts";
import { type KubeClient, KubeError } from "../../kube/client.ts";
import { CONFIG_MAPS, type ConfigMap, SECRETS, type Secret } from "../../kube/resources.ts";
import { type Authority, newAuthority } from "./authority.ts";

export const AUTHORITY_NAME = "headroom-ca";

/** The cluster's authority; made when there is none, or when it is near its end. Published in any case. */
export async function loadAuthority(client: KubeClient, namespace: string, nowMs: number): Promise<Authority> {
  const authority = (await read(client, namespace, nowMs)) ?? (await make(client, namespace, nowMs));
  await publish(client, namespace, authority);
  return authority;
}

/**
 * Sees to it that the authority is still kept and published: what was deleted is put back, or agents that start could not be
 * enrolled. A Secret that holds another authority is left alone. To revoke an authority, see docs/security.md.
 */
export async function keepAuthority(
  client: KubeClient,
  namespace: string,
  authority: Authority,
): Promise<"kept" | "restored" | "replaced"> {
  const secret = await client.get(SECRETS, { namespace, name: AUTHORITY_NAME });
  const key = decode(secret?.data?.["ca.key"]);
  if (key && key !== authority.key) return "replaced";
  if (!key) await write(client, namespace, authority);
  const published = await publish(client, namespace, authority);
  return key && !published ? "kept" : "restored";
}

async function read(client: KubeClient, namespace: string, nowMs: number): Promise<Authority | undefined> {
  const secret = await client.get(SECRETS, { namespace, name: AUTHORITY_NAME });
  const certificate = decode(secret?.data?.["ca.crt"]);
  const key = decode(secret?.data?.["ca.key"]);
  if (!certificate || !key) return undefined;
  const [shown] = certificatesIn(certificate);
  if (!shown) return undefined;
  const validity = { validFromMs: shown.validFromDate.getTime(), validToMs: shown.validToDate.getTime() };
  return isDueForRenewal(validity, nowMs) ? undefined : { certificate, key };
}

async function make(client: KubeClient, namespace: string, nowMs: number): Promise<Authority> {
  const authority = await newAuthority(nowMs);
  await write(client, namespace, authority);
  return authority;
}

async function write(client: KubeClient, namespace: string, authority: Authority): Promise<void> {
  const data = { "ca.crt": encode(authority.certificate), "ca.key": encode(authority.key) };
  const metadata = { name: AUTHORITY_NAME, namespace };
  const secret: Secret = { apiVersion: "v1", kind: "Secret", metadata, type: "Opaque", data };
  try {
    await client.create(SECRETS, secret);
  } catch (error) {
    if (!isReason(error, "AlreadyExists")) throw error;
    await client.patch(SECRETS, metadata, { data });
  }
}

/** True when it was not published as it is. */
async function publish(client: KubeClient, namespace: string, authority: Authority): Promise<boolean> {
  const data = { "ca.crt": authority.certificate };
  const metadata = { name: AUTHORITY_NAME, namespace };
  const published = await client.get(CONFIG_MAPS, metadata);
  if (published?.data?.["ca.crt"] === authority.certificate) return false;
  const object: ConfigMap = { apiVersion: "v1", kind: "ConfigMap", metadata, data };
  if (published) await client.patch(CONFIG_MAPS, metadata, { data });
  else await client.create(CONFIG_MAPS, object);
  return true;
}

function isReason(error: unknown, reason: KubeError["reason"]): boolean {
  return error instanceof KubeError && error.reason === reason;
}

function encode(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}

function decode(base64: string | undefined): string | undefined {
  return base64 === undefined ? undefined : Buffer.from(base64, "base64").toString("utf8");
}
