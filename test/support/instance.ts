// A whole instance in a test: a real store, a first hierarchy, registration, a clock that the test moves, and devices with their keys.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createStore, DATABASE_FILE, openStore, type StoreLocation } from '../../src/adapters/store/open-store.ts'
import { EMPTY } from '../../src/core/bytes/bytes.ts'
import { toHex } from '../../src/core/bytes/hex.ts'
import { parseCertificate } from '../../src/core/pki/certificate.ts'
import {
  type CertificationRequest,
  encodeCertificationRequestInfo,
  extensionRequestAttribute,
  parseCertificationRequest,
} from '../../src/core/pki/csr.ts'
import type { Extension } from '../../src/core/pki/extension.ts'
import type { Attribute } from '../../src/core/pki/extensions.ts'
import { encodeName, parseNameText } from '../../src/core/pki/name.ts'
import { encodeSigned } from '../../src/core/pki/signed.ts'
import { type KeyAlgorithmName, keyAlgorithm, signatureAlgorithm } from '../../src/crypto/algorithms.ts'
import { sha256 } from '../../src/crypto/digest.ts'
import { generateKeyPair, type PrivateKey } from '../../src/crypto/keys.ts'
import { systemRandom } from '../../src/crypto/random.ts'
import { signWithKey } from '../../src/crypto/sign-with-key.ts'
import { documentDetail } from '../../src/domain/audit/document-detail.ts'
import type { AuditEntry } from '../../src/domain/audit/entry.ts'
import { parseAuditEntry } from '../../src/domain/audit/entry.ts'
import { AuthorityDirectory } from '../../src/domain/ca/authorities.ts'
import type { CertificateRecord } from '../../src/domain/ca/certificate-record.ts'
import { createInitialHierarchy } from '../../src/domain/ca/hierarchy.ts'
import { CertificateIssuer } from '../../src/domain/ca/issuer.ts'
import type { Device } from '../../src/domain/device/device.ts'
import { newDeviceId } from '../../src/domain/ids.ts'
import type { Store } from '../../src/domain/ports.ts'
import { enrol } from '../../src/domain/ra/enrol.ts'
import { createRegistration, type Registration } from '../../src/domain/ra/registration.ts'
import { type RulesConfig, rulesDocument } from '../../src/domain/ra/rules.ts'
import { parseTrustAnchors, type TrustAnchorsConfig, trustAnchorsDocument } from '../../src/domain/ra/trust-anchors.ts'
import { MemoryKeyStore } from './memory-key-store.ts'
import type { TestPostgres } from './postgres.ts'

export const TEST_START = 1_900_000_000
export const OPERATOR: AuditEntry['actor'] = { kind: 'operator', id: 'tester' }

export interface TestInstance extends Registration {
  readonly clock: { now(): number; advance(seconds: number): void }
  readonly authorities: AuthorityDirectory
  readonly issuer: CertificateIssuer
  readonly keyStore: MemoryKeyStore
  readonly store: Store
}

/** Tests that made an instance: a second one of the same test is a stranger to the first. */
const served = new WeakSet<TestContext>()

/**
 * On SQLite in a folder that goes with the test, where nothing else is named. The first instances of a file's tests, on SQLite and on a
 * PostgreSQL, begin with the same hierarchy, which is made once and copied; later ones of the same test, and those in a place of the test's,
 * have one of their own.
 */
export async function testInstance(t: TestContext, place?: StoreLocation | TestPostgres): Promise<TestInstance> {
  const folder = await mkdtemp(join(tmpdir(), 'touchmark-test-'))
  const { store, keyStore } = await initialOf(place ?? folder, served.has(t))
  served.add(t)
  t.after(async () => {
    await store[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })
  let now = TEST_START
  const clock = {
    now: () => now,
    advance: (seconds: number) => {
      now += seconds
    },
  }
  const random = systemRandom
  const authorities = new AuthorityDirectory({ store, keyStore })
  const issuer = new CertificateIssuer({ authorities, random })
  const registration = createRegistration({ store, authorities, issuer, clock, random })
  return { ...registration, clock, authorities, issuer, keyStore, store }
}

interface Initial {
  readonly store: Store
  readonly keyStore: MemoryKeyStore
}

/** A store with a first hierarchy and nothing else, and the keys of its authorities. */
async function newInitial(location: StoreLocation): Promise<Initial> {
  const store = await createStore(location)
  const keyStore = new MemoryKeyStore()
  const ports = { store, keyStore, offlineKeyStore: new MemoryKeyStore(), random: systemRandom, actor: OPERATOR }
  await createInitialHierarchy(
    { organization: 'Example Devices', publicHttpUrl: 'http://pki.example.test' },
    { ...ports, clock: { now: () => TEST_START } },
  )
  return { store, keyStore }
}

async function initialOf(place: string | StoreLocation | TestPostgres, stranger: boolean): Promise<Initial> {
  if (typeof place === 'string') return stranger ? newInitial({ folder: place }) : copyOfInitial(place)
  if ('folder' in place || 'url' in place) return newInitial(place)
  return stranger ? newInitial({ url: await place.createDatabase() }) : copyOfInitialOn(place)
}

let initial: Promise<{ readonly database: Uint8Array; readonly keyStore: MemoryKeyStore }> | undefined

async function copyOfInitial(folder: string): Promise<Initial> {
  initial ??= makeInitial()
  const { database, keyStore } = await initial
  await writeFile(join(folder, DATABASE_FILE), database)
  return { store: await openStore({ folder }), keyStore: keyStore.copy() }
}

const initialOn = new WeakMap<
  TestPostgres,
  { readonly make: (url: string) => Promise<void>; keyStore: MemoryKeyStore }
>()

async function copyOfInitialOn(postgres: TestPostgres): Promise<Initial> {
  const made = initialOn.getOrInsertComputed(postgres, () => {
    const first = { keyStore: new MemoryKeyStore(), make }
    return first
    async function make(url: string) {
      const { store, keyStore } = await newInitial({ url })
      first.keyStore = keyStore
      await store[Symbol.asyncDispose]()
    }
  })
  const url = await postgres.copyDatabase(made.make)
  return { store: await openStore({ url }), keyStore: made.keyStore.copy() }
}

async function makeInitial() {
  const folder = await mkdtemp(join(tmpdir(), 'touchmark-test-'))
  try {
    const { store, keyStore } = await newInitial({ folder })
    // Closed, the database is one file.
    await store[Symbol.asyncDispose]()
    return { database: await readFile(join(folder, DATABASE_FILE)), keyStore }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

let devices = 0

/** Puts a device into the registry. */
export async function registerDevice(instance: TestInstance, fields: Partial<Device> = {}): Promise<Device> {
  const now = instance.clock.now()
  const device: Device = {
    id: newDeviceId(now, instance.random),
    model: 'sensor-9',
    serialNumber: `SN-${++devices}`,
    state: 'manufactured',
    batch: null,
    createdAt: now,
    stateChangedAt: now,
    labels: {},
    ...fields,
  }
  await instance.store.commit({
    writes: [{ kind: 'device.insert', device }],
    audit: [
      { at: now, actor: OPERATOR, action: 'device.registered', outcome: 'done', subject: { deviceId: device.id } },
    ],
  })
  return device
}

export interface TestDevice {
  readonly device: Device
  readonly key: PrivateKey
  readonly record: CertificateRecord
}

/** A registered device with its birth certificate. */
export async function bornDevice(
  instance: TestInstance,
  fields: Partial<Device> = {},
  algorithm: KeyAlgorithmName = 'P-256',
): Promise<TestDevice> {
  const device = await registerDevice(instance, fields)
  const key = await generateKeyPair(algorithm)
  return { device, key, record: await certify(instance, device, key, 'idevid') }
}

/** A certificate by the word of an operator. */
export async function certify(
  instance: TestInstance,
  device: Device,
  key: PrivateKey,
  profile: string,
): Promise<CertificateRecord> {
  const outcome = await enrol(
    {
      protocol: 'test',
      operation: 'enrol',
      profile,
      csr: testCsr(key),
      evidence: [{ kind: 'operator', name: 'tester', device }],
      channelBinding: false,
      address: '127.0.0.1',
    },
    instance,
  )
  if (outcome.kind !== 'issued') throw new Error(`not issued: ${JSON.stringify(outcome)}`)
  return outcome.record
}

export interface TestCsrOptions {
  /** RFC 4514 text. */
  readonly subject?: string
  /** A Name as DER, in place of the text. */
  readonly subjectDer?: Uint8Array
  readonly extensions?: readonly Extension[]
  readonly attributes?: readonly Attribute[]
  /** Signs in place of the key itself. */
  readonly signedBy?: PrivateKey
}

/** A PKCS#10 request as octets. */
export function testCsrDer(key: PrivateKey, options: TestCsrOptions = {}): Uint8Array {
  const { extensions = [], attributes = [], signedBy = key } = options
  const info = encodeCertificationRequestInfo({
    subject: options.subjectDer ?? encodeName(parseNameText(options.subject ?? '')),
    subjectPublicKeyInfo: key.publicKey,
    attributes: [...attributes, ...(extensions.length > 0 ? [extensionRequestAttribute(extensions)] : [])],
  })
  const algorithm = signatureAlgorithm(keyAlgorithm(signedBy.algorithm).signatureAlgorithms[0])
  return encodeSigned(info, algorithm.algorithmIdentifier, signWithKey(signedBy.keyObject, algorithm, info))
}

export function testCsr(key: PrivateKey, options: TestCsrOptions = {}): CertificationRequest {
  return parseCertificationRequest(testCsrDer(key, options))
}

/** The request that renews a certificate: its subject, and its names where asked. */
export function renewalCsrDer(key: PrivateKey, certificate: Uint8Array, options: TestCsrOptions = {}): Uint8Array {
  return testCsrDer(key, { subjectDer: parseCertificate(certificate).subject.raw, ...options })
}

/** Puts other rules into force. */
export async function useRules(instance: TestInstance, rules: RulesConfig['rules']): Promise<void> {
  const at = instance.clock.now()
  const version = ((await instance.store.read.document('rules', 'default'))?.version ?? 0) + 1
  const document = rulesDocument({ schema: 1, rules }, version, at)
  await instance.store.commit({
    writes: [{ kind: 'document.insert', document }],
    audit: [
      {
        at,
        actor: OPERATOR,
        action: 'rule.changed',
        outcome: 'done',
        subject: { name: 'default' },
        detail: documentDetail(document),
      },
    ],
  })
}

/** Trusts a manufacturer. */
export async function trustManufacturer(instance: TestInstance, config: TrustAnchorsConfig): Promise<void> {
  const at = instance.clock.now()
  const document = trustAnchorsDocument(config, 1, at)
  const [first] = parseTrustAnchors(config).certificates
  const subject = { name: config.name, certificateSha256: toHex(sha256(first!.raw)) }
  const detail = documentDetail(document)
  await instance.store.commit({
    writes: [{ kind: 'document.insert', document }],
    audit: [{ at, actor: OPERATOR, action: 'trust.anchor_added', outcome: 'done', subject, detail }],
  })
}

/** Every entry of the log, oldest first. */
export async function auditLog(instance: TestInstance): Promise<AuditEntry<string>[]> {
  const entries: AuditEntry<string>[] = []
  for await (const { bytes } of instance.store.read.auditEntries(0)) entries.push(parseAuditEntry(bytes))
  return entries
}

/** What must not change when something is refused. */
export async function countEverything(instance: TestInstance, device?: Device): Promise<Record<string, unknown>> {
  const { read } = instance.store
  const { devices, certificates } = await read.counts()
  const states = ['pending', 'approved', 'rejected', 'issued'] as const
  const enrolments = await Promise.all(
    states.map(async kind => (await read.enrolments(kind, { limit: 1000 })).items.length),
  )
  if (device === undefined) return { devices, certificates, enrolments }
  return {
    devices,
    certificates,
    enrolments,
    device: await read.device(device.id),
    keys: await read.keysOfDevice(device.id),
    ofDevice: (await read.certificatesOfDevice(device.id)).length,
  }
}

export const NOBODY = { certificates: [], tlsUnique: null, tlsExporter: null, address: '192.0.2.1' } as const
export const NO_BODY = EMPTY
