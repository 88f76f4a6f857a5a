// The server's own TLS certificate: issued by this instance under the profile `server-tls`, kept in its registry, its key in the key
// store, and renewed by itself when two thirds of its life are over.
import type { KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import { toPem } from '../core/asn1/pem.ts'
import { toHex } from '../core/bytes/hex.ts'
import { parseCertificate } from '../core/pki/certificate.ts'
import { findExtension } from '../core/pki/extension.ts'
import { parseSubjectAltName } from '../core/pki/extensions.ts'
import { parseIpAddress } from '../core/pki/ip-address.ts'
import { OID } from '../core/pki/oids.ts'
import { sha256 } from '../crypto/digest.ts'
import type { KeyInfo, KeyStore } from '../crypto/key-store.ts'
import type { AuthorityDirectory } from '../domain/ca/authorities.ts'
import type { CertificateRecord } from '../domain/ca/certificate-record.ts'
import { type CertificateIssuer, certificateWrites } from '../domain/ca/issuer.ts'
import type { Clock, Store } from '../domain/ports.ts'

/** What a listener needs. */
export interface TlsMaterial {
  readonly key: KeyObject
  /** PEM: the certificate and what stands between it and the root. */
  readonly cert: string
  readonly record: CertificateRecord
}

export interface ServerCertificatePorts {
  readonly store: Store
  readonly authorities: AuthorityDirectory
  readonly issuer: CertificateIssuer
  readonly keyStore: Pick<KeyStore, 'generate' | 'list' | 'destroy'> & {
    /** The open key of a label that begins with `tls-`, for the TLS stack of this process. */
    tlsPrivateKey(keyUri: string): Promise<KeyObject>
  }
  readonly clock: Clock
  /** DNS names and IP addresses that clients use for this server; the first one becomes its commonName. */
  readonly hostNames: readonly string[]
}

const PROFILE = 'server-tls'
const KEY_ALGORITHM = 'P-256'
const LABEL_PREFIX = 'tls-server-'

/** The certificate in use, or a new one where there is none for these names or its end is near. */
export async function serverCertificate(ports: ServerCertificatePorts): Promise<TlsMaterial> {
  const current = await usable(ports)
  return current ?? (await issue(ports))
}

/** Two thirds of its life are over: then a new one is due, and one third is left to find out why none comes. */
export function isRenewalDue(record: Pick<CertificateRecord, 'notBefore' | 'notAfter'>, now: number): boolean {
  return now >= record.notBefore + ((record.notAfter - record.notBefore) * 2) / 3
}

async function usable(ports: ServerCertificatePorts): Promise<TlsMaterial | undefined> {
  const { store, authorities, keyStore, clock, hostNames } = ports
  const { record: authority } = await authorities.issuing(await authorities.profile(PROFILE))
  const records = await store.read.platformCertificates(authority.id, PROFILE)
  const keys = new Map((await keyStore.list()).filter(isOurKey).map(key => [toHex(sha256(key.publicKey)), key]))
  const now = clock.now()
  for (const record of records) {
    const key = keys.get(record.keyId)
    if (!key || record.status.kind !== 'good' || isRenewalDue(record, now)) continue
    if (!sameNames(record.der, hostNames)) continue
    return material(record, await keyStore.tlsPrivateKey(key.keyUri), authorities)
  }
  return undefined
}

async function issue(ports: ServerCertificatePorts): Promise<TlsMaterial> {
  const { store, authorities, issuer, keyStore, clock, hostNames } = ports
  const now = clock.now()
  const profile = await authorities.profile(PROFILE)
  const { keyUri, publicKey } = await keyStore.generate(KEY_ALGORITHM, await freeLabel(keyStore, now))
  const addresses = hostNames.filter(name => isIP(name) !== 0)
  const names = hostNames.filter(name => isIP(name) === 0)
  const prepared = await issuer.prepare({
    profile,
    device: null,
    subjectFields: {
      commonName: (names[0] ?? addresses[0] ?? 'touchmark').slice(0, 64),
      ...(names.length > 0 ? { dnsNames: names.join(' ') } : {}),
      ...(addresses.length > 0 ? { ipAddresses: addresses.join(' ') } : {}),
    },
    spki: publicKey,
    replaces: null,
    now,
  })
  const signed = await issuer.sign(prepared)
  const { write, audit } = certificateWrites(signed, 0)
  const { firstAuditIndex } = await store.commit({ writes: [write], audit: [audit] })
  return material(
    { ...write.certificate, auditIndex: firstAuditIndex },
    await keyStore.tlsPrivateKey(keyUri),
    authorities,
  )
}

/** Destroys the keys of certificates that were replaced: nobody needs them, and a key that is gone cannot be stolen. */
export async function destroyReplacedKeys(
  ports: Pick<ServerCertificatePorts, 'keyStore'>,
  inUse: TlsMaterial,
): Promise<void> {
  for (const key of (await ports.keyStore.list()).filter(isOurKey)) {
    if (toHex(sha256(key.publicKey)) === inUse.record.keyId) continue
    await ports.keyStore.destroy(key.keyUri, { who: 'server', why: 'its certificate was replaced' })
  }
}

function isOurKey(key: KeyInfo): boolean {
  return key.label.startsWith(LABEL_PREFIX) && (key.state === 'generated' || key.state === 'in-use')
}

async function freeLabel(keyStore: Pick<KeyStore, 'list'>, now: number): Promise<string> {
  const taken = new Set((await keyStore.list()).map(key => key.label))
  for (let serial = 0; ; serial++) {
    const label = `${LABEL_PREFIX}${now}${serial === 0 ? '' : `-${serial}`}`
    if (!taken.has(label)) return label
  }
}

async function material(
  record: CertificateRecord,
  key: KeyObject,
  authorities: AuthorityDirectory,
): Promise<TlsMaterial> {
  // The root is not sent: who verifies has it, or does not trust it (RFC 8446 §4.4.2).
  const above = (await authorities.chain(record.authorityId)).slice(0, -1)
  const cert = [record.der, ...above].map(der => toPem('CERTIFICATE', der)).join('')
  return { key, cert, record }
}

function sameNames(der: Uint8Array, hostNames: readonly string[]): boolean {
  const extension = findExtension(parseCertificate(der).extensions, OID.subjectAltName)
  const held = (extension ? parseSubjectAltName(extension.value) : []).map(name =>
    name.kind === 'dNSName' ? name.value : name.kind === 'iPAddress' ? toHex(name.bytes) : '',
  )
  const wanted = hostNames.map(name => {
    const address = parseIpAddress(name)
    return address ? toHex(address) : name
  })
  return held.length === wanted.length && wanted.every(name => held.includes(name))
}
