/** The cluster's certificate authority and what it signs. ECDSA P-256, PEM. */
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MILLISECONDS = 24 * 60 * 60 * 1000;

export interface Identity {
  certificate: string;
  key: string;
}

export interface Subject {
  commonName: string;
  /** Groups, as the API server reads them. */
  organisations?: readonly string[];
  /** For servers: names and addresses they answer under. */
  names?: readonly string[];
  addresses?: readonly string[];
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  const [format, label] =
    key.type === "private" ? (["pkcs8", "PRIVATE KEY"] as const) : (["spki", "PUBLIC KEY"] as const);
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey(format, key), label);
}

/** A key pair that signs service accounts' tokens. */
export async function newSigningKeys(): Promise<{ privateKey: string; publicKey: string }> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  return { privateKey: await pemOf(keys.privateKey), publicKey: await pemOf(keys.publicKey) };
}

function validity(): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - DAY_MILLISECONDS), notAfter: new Date(now + 30 * DAY_MILLISECONDS) };
}

export class Authority {
  /** PEM. */
  readonly certificate: string;
  readonly #issuer: x509.X509Certificate;
  readonly #key: webcrypto.CryptoKey;

  private constructor(issuer: x509.X509Certificate, key: webcrypto.CryptoKey) {
    this.#issuer = issuer;
    this.#key = key;
    this.certificate = issuer.toString("pem");
  }

  static async create(commonName: string): Promise<Authority> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    const usages = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature;
    const issuer = await x509.X509CertificateGenerator.createSelfSigned({
      name: [{ CN: [commonName] }],
      ...validity(),
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(usages, true),
      ],
    });
    return new Authority(issuer, keys.privateKey);
  }

  async issue(subject: Subject): Promise<Identity> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.create({
      subject: [...(subject.organisations ?? []).map((name) => ({ O: [name] })), { CN: [subject.commonName] }],
      issuer: this.#issuer.subject,
      ...validity(),
      publicKey: keys.publicKey,
      signingKey: this.#key,
      signingAlgorithm: ALGORITHM,
      extensions: extensionsFor(subject),
    });
    return { certificate: certificate.toString("pem"), key: await pemOf(keys.privateKey) };
  }
}

function extensionsFor(subject: Subject): x509.Extension[] {
  const alternatives = [
    ...(subject.names ?? []).map((value) => ({ type: "dns" as const, value })),
    ...(subject.addresses ?? []).map((value) => ({ type: "ip" as const, value })),
  ];
  const usages = [x509.ExtendedKeyUsage.clientAuth, x509.ExtendedKeyUsage.serverAuth];
  return [
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension(alternatives.length > 0 ? usages : usages.slice(0, 1)),
    ...(alternatives.length > 0 ? [new x509.SubjectAlternativeNameExtension(alternatives)] : []),
  ];
}
