// The server's own TLS certificate: an identity of the platform like others, under the profile `server-tls`, for the names by which
// clients reach this server. The one place where a private key of the key store is handed to something else than a signer.
import { isIP } from 'node:net'
import { toPem } from '../core/asn1/pem.ts'
import { toHex } from '../core/bytes/hex.ts'
import type { Certificate } from '../core/pki/certificate.ts'
import { findExtension } from '../core/pki/extension.ts'
import { parseSubjectAltName } from '../core/pki/extensions.ts'
import { parseIpAddress } from '../core/pki/ip-address.ts'
import { OID } from '../core/pki/oids.ts'
import type { PrivateKey } from '../crypto/keys.ts'
import {
  destroyOldKeys,
  ensureIdentity,
  type IdentityPlan,
  type IdentityPorts,
  type PlatformIdentity,
} from '../domain/ca/platform-identity.ts'

/** What a TLS listener needs. */
export interface TlsMaterial {
  /** PEM: the form that Node's TLS takes. It stays in this process. */
  readonly key: string
  /** PEM: the certificate and what stands between it and the root. */
  readonly cert: string
  readonly identity: PlatformIdentity
}

export interface ServerCertificatePorts extends IdentityPorts {
  /** A store that can hand out a key: TLS in this process needs it whole. */
  readonly keyStore: IdentityPorts['keyStore'] & { privateKey(keyUri: string): Promise<PrivateKey> }
}

/** The key in use, and the one before it: another process on this folder may still be starting with it. */
const KEPT_KEYS = 2

/**
 * The certificate in use for these DNS names and addresses, or a new one: where there is none, or when a third of its life is left,
 * which is time to find out why none comes.
 */
export async function serverCertificate(
  hostNames: readonly string[],
  ports: ServerCertificatePorts,
): Promise<TlsMaterial> {
  const plan = serverPlan(hostNames)
  const identity = await ensureIdentity(plan, ports)
  await destroyOldKeys(plan, ports, KEPT_KEYS)
  const privateKey = await ports.keyStore.privateKey(identity.keyUri)
  // The root is not sent: who verifies has it, or does not trust it (RFC 8446 §4.4.2).
  const above = (await ports.authorities.chain(identity.record.authorityId)).slice(0, -1)
  const cert = [identity.record.der, ...above].map(der => toPem('CERTIFICATE', der)).join('')
  return { key: toPem('PRIVATE KEY', privateKey.toPkcs8()), cert, identity }
}

function serverPlan(hostNames: readonly string[]): IdentityPlan {
  const addresses = hostNames.filter(name => isIP(name) !== 0)
  const names = hostNames.filter(name => isIP(name) === 0)
  return {
    profile: 'server-tls',
    keyLabel: 'tls-server-',
    keyAlgorithm: 'P-256',
    subjectFields: {
      commonName: (names[0] ?? addresses[0] ?? 'touchmark').slice(0, 64),
      ...(names.length > 0 ? { dnsNames: names.join(' ') } : {}),
      ...(addresses.length > 0 ? { ipAddresses: addresses.join(' ') } : {}),
    },
    renewAtRemaining: 1 / 3,
    actor: 'server',
    accepts: certificate => hasNames(certificate, hostNames),
  }
}

function hasNames(certificate: Certificate, hostNames: readonly string[]): boolean {
  const extension = findExtension(certificate.extensions, OID.subjectAltName)
  const held = (extension ? parseSubjectAltName(extension.value) : []).map(name =>
    name.kind === 'dNSName' ? name.value : name.kind === 'iPAddress' ? toHex(name.bytes) : '',
  )
  const wanted = hostNames.map(name => {
    const address = parseIpAddress(name)
    return address ? toHex(address) : name
  })
  return held.length === wanted.length && wanted.every(name => held.includes(name))
}
