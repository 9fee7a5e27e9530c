/** Keys and certificates in PEM: ECDSA on P-256. Pure but for randomness; times are given. */
import "reflect-metadata";
import { createPrivateKey, X509Certificate as NodeCertificate, type webcrypto } from "node:crypto";
import {
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Pkcs10CertificateRequestGenerator,
  X509CertificateGenerator,
} from "@peculiar/x509";

export const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
/** A certificate is valid a little before it was made: clocks differ. */
export const CLOCK_SKEW_MS = 5 * 60_000;

export async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

export async function privateKeyPem(keys: webcrypto.CryptoKeyPair): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  return pem("PRIVATE KEY", der);
}

/** Both keys out of a private key in PEM (PKCS #8). */
export async function keysOf(privatePem: string): Promise<webcrypto.CryptoKeyPair> {
  const der = Buffer.from(privatePem.replace(/-----[^-]+-----|\s/g, ""), "base64");
  const privateKey = await crypto.subtle.importKey("pkcs8", der, ALGORITHM, true, ["sign"]);
  const { d: _private, key_ops: _operations, ...open } = await crypto.subtle.exportKey("jwk", privateKey);
  const publicKey = await crypto.subtle.importKey("jwk", open, ALGORITHM, true, ["verify"]);
  return { privateKey, publicKey };
}

export async function certificateRequest(keys: webcrypto.CryptoKeyPair, commonName: string): Promise<string> {
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [commonName] }],
    keys,
    signingAlgorithm: ALGORITHM,
  });
  return request.toString("pem");
}

/** A certificate that nobody vouches for, to serve HTTPS with until one is signed. */
export async function selfSigned(
  keys: webcrypto.CryptoKeyPair,
  commonName: string,
  nowMs: number,
  lifeMs: number,
): Promise<string> {
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [commonName] }],
    keys,
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(nowMs - CLOCK_SKEW_MS),
    notAfter: new Date(nowMs + lifeMs),
    extensions: [new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth])],
  });
  return certificate.toString("pem");
}

/** Is the certificate for this key, this name, signed by one of the authority's certificates, and valid now? */
export function isFor(
  certificate: string,
  expected: { key: string; commonName: string; authority: string; nowMs: number },
): boolean {
  try {
    const shown = new NodeCertificate(certificate);
    const signers = certificatesIn(expected.authority);
    const named = shown.subject.split("\n").includes(`CN=${expected.commonName}`);
    const valid = shown.validFromDate.getTime() <= expected.nowMs && expected.nowMs < shown.validToDate.getTime();
    return (
      named &&
      valid &&
      shown.checkPrivateKey(createPrivateKey(expected.key)) &&
      signers.some((signer) => shown.verify(signer.publicKey))
    );
  } catch {
    return false; // not a certificate at all
  }
}

/** When a certificate's validity ends, RFC 3339. */
export const endOf = (certificate: string): string => new NodeCertificate(certificate).validToDate.toISOString();

export function certificatesIn(text: string): NodeCertificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new NodeCertificate(block));
}

/** True once two thirds of the certificate's life are over. */
export function isDueForRenewal(validity: { validFromMs: number; validToMs: number }, nowMs: number): boolean {
  return nowMs >= validity.validFromMs + ((validity.validToMs - validity.validFromMs) * 2) / 3;
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}
