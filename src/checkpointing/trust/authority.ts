/** The authority that controller and agents are signed by: made and kept by the leading controller. */
import "reflect-metadata";
import { createHmac, hkdfSync, randomBytes, type webcrypto } from "node:crypto";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Pkcs10CertificateRequest,
  type PublicKey,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { ALGORITHM, CLOCK_SKEW_MS, keysOf, newKeys, privateKeyPem } from "../../agent/certificates.ts";
import type { TlsCredentials } from "../../agent/identity.ts";
import { agentName, CONTROLLER_NAME } from "../../agent/protocol.ts";

const DAY_MS = 24 * 3_600_000;
const AUTHORITY_LIFE_MS = 3650 * DAY_MS;
/** Of the controller's and the agents' certificates, which are renewed after two thirds of it. */
export const CERTIFICATE_LIFE_MS = 30 * DAY_MS;

/** PEM. The key never leaves the controller and its Secret. */
export interface Authority {
  certificate: string;
  key: string;
}

export async function newAuthority(nowMs: number): Promise<Authority> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: [{ CN: ["headroom-ca"] }],
    keys,
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(nowMs - CLOCK_SKEW_MS),
    notAfter: new Date(nowMs + AUTHORITY_LIFE_MS),
    extensions: [new BasicConstraintsExtension(true, 0, true)],
  });
  return { certificate: certificate.toString("pem"), key: await privateKeyPem(keys) };
}

/** The controller's own key and certificate, made anew by each process and never written down. */
export async function controllerCredentials(authority: Authority, nowMs: number): Promise<TlsCredentials> {
  const keys = await newKeys();
  const certificate = await sign(authority, nowMs, { commonName: CONTROLLER_NAME, publicKey: keys.publicKey });
  return { key: await privateKeyPem(keys), certificate, authority: authority.certificate };
}

/** An agent's certificate for its request; the name is the node that the controller has verified, not what the request says. */
export async function signAgent(
  authority: Authority,
  csr: string,
  of: { node: string; address: string },
  nowMs: number,
): Promise<string> {
  const request = new Pkcs10CertificateRequest(csr);
  if (!(await request.verify())) throw new Error("the certificate request is not signed by its own key");
  return await sign(authority, nowMs, {
    commonName: agentName(of.node),
    publicKey: request.publicKey,
    address: of.address,
  });
}

async function sign(
  authority: Authority,
  nowMs: number,
  subject: { commonName: string; publicKey: PublicKey | webcrypto.CryptoKey; address?: string },
): Promise<string> {
  const issuer = new X509Certificate(authority.certificate);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: [{ CN: [subject.commonName] }],
    issuer: issuer.subjectName,
    publicKey: subject.publicKey,
    signingKey: (await keysOf(authority.key)).privateKey,
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(nowMs - CLOCK_SKEW_MS),
    notAfter: new Date(nowMs + CERTIFICATE_LIFE_MS),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      ...(subject.address ? [new SubjectAlternativeNameExtension([{ type: "ip", value: subject.address }])] : []),
    ],
  });
  return certificate.toString("pem");
}

/** A positive number of 16 random bytes, in hex. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return bytes.toString("hex");
}

/**
 * The token of a move's files: the same for every controller that holds the authority, so that a successor that repeats
 * a command repeats its token, too. HKDF (RFC 5869) parts its key from the one that signs.
 */
export function moveToken(authority: Authority, moveUID: string): string {
  const key = Buffer.from(hkdfSync("sha256", authority.key, "", "headroom move tokens", 32));
  return createHmac("sha256", key).update(moveUID).digest("hex");
}
