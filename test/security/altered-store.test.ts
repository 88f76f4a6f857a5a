// Attack: write access to the database, past the program. Each row that decides about something is altered once, and verification has to
// name it. What it cannot name stands in docs/operate/log-does-not-verify.md.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, type TestContext, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { openStore } from '../../src/adapters/store/open-store.ts'
import { sha256 } from '../../src/crypto/digest.ts'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { systemRandom } from '../../src/crypto/random.ts'
import { softwareSigner } from '../../src/crypto/signer.ts'
import { verifyStore } from '../../src/domain/audit/verify-store.ts'
import { approveEnrolment } from '../../src/domain/ra/approve.ts'
import { cancelToken } from '../../src/domain/ra/cancel-token.ts'
import { createToken } from '../../src/domain/ra/create-token.ts'
import { enrol } from '../../src/domain/ra/enrol.ts'
import type { Evidence } from '../../src/domain/ra/evidence.ts'
import { DEFAULT_CRL_SCHEDULE } from '../../src/domain/revocation/crl-schedule.ts'
import { publishRequestedCrls } from '../../src/domain/revocation/crl-work.ts'
import { revokeCertificate } from '../../src/domain/revocation/revoke.ts'
import { logSigner, logVerifierKey, logVerifiers, signDueCheckpoint } from '../../src/server/log-key.ts'
import {
  bornDevice,
  certify,
  OPERATOR,
  registerDevice,
  type TestInstance,
  testCsr,
  testInstance,
  useRules,
} from '../support/instance.ts'
import { memoryLastSigned } from '../support/last-signed.ts'

const ORIGIN = 'example.test/log'

let folder: string
let verifiers: ReturnType<typeof logVerifiers>

before(async context => {
  folder = await mkdtemp(join(tmpdir(), 'touchmark-altered-'))
  const instance = await testInstance(context as TestContext, { folder })
  await live(instance)
  const signer = softwareSigner(await generateKeyPair('Ed25519'), 'test:log')
  verifiers = logVerifiers([logVerifierKey(ORIGIN, signer.publicKey)])
  const { store, clock } = instance
  const signing = { store, clock, origin: ORIGIN, signer: logSigner(ORIGIN, signer), verifiers }
  await signDueCheckpoint({ ...signing, lastSigned: memoryLastSigned(), first: true })
})
after(() => rm(folder, { recursive: true, force: true }))

/** A little of everything: what is altered has to be there. */
async function live(instance: TestInstance): Promise<void> {
  const { store, clock, authorities } = instance
  const born = await bornDevice(instance, { serialNumber: 'A-1' })
  const lost = await bornDevice(instance, { serialNumber: 'A-2' })
  const key = await generateKeyPair('P-256')
  const record = await certify(instance, born.device, key, 'ldevid')
  const shown = async (der: Uint8Array): Promise<Evidence[]> => {
    const finding = await instance.evidence.fromCertificates([der], clock.now())
    return finding.kind === 'evidence' ? [finding.evidence] : []
  }
  const ask = async (operation: 'enrol' | 'renew', evidence: Evidence[]) =>
    enrol(
      {
        protocol: 'test',
        operation,
        profile: 'ldevid',
        csr: testCsr(await generateKeyPair('P-256')),
        evidence,
        channelBinding: false,
        address: '192.0.2.1',
      },
      instance,
    )
  assert.equal((await ask('renew', await shown(record.der))).kind, 'issued')
  await revokeCertificate(lost.record, 'keyCompromise', OPERATOR, { store, clock })
  const issuer = await authorities.signing(lost.record.authorityId)
  const crlWork = {
    store,
    clock,
    issuerOf: async () => issuer,
    shardUrl: () => 'http://pki.example.test/0.crl',
    schedule: DEFAULT_CRL_SCHEDULE,
  }
  await publishRequestedCrls(crlWork)

  const { device } = await bornDevice(instance, { serialNumber: 'A-3' })
  const suspended = {
    kind: 'device.state',
    id: device.id,
    from: device.state,
    to: 'suspended',
    at: clock.now(),
  } as const
  const { from, to } = suspended
  await store.commit({
    writes: [suspended],
    audit: [
      {
        at: clock.now(),
        actor: OPERATOR,
        action: 'device.state_changed',
        outcome: 'done',
        subject: { deviceId: device.id },
        detail: { from, to },
      },
    ],
  })
  const token = { model: 'sensor-9', profile: 'ldevid', actor: OPERATOR } as const
  const { secret } = await createToken({ ...token, serialNumber: 'T-1' }, instance)
  const found = await instance.evidence.fromToken('T-1', secret)
  assert.equal((await ask('enrol', found.kind === 'evidence' ? [found.evidence] : [])).kind, 'issued')
  await createToken({ ...token, serialNumber: 'T-2' }, instance)
  const withdrawn = await createToken({ ...token, serialNumber: 'T-3' }, instance)
  await cancelToken(withdrawn.token.id, OPERATOR, { store, clock })

  await useRules(instance, [{ name: 'ask', outcome: 'pending' }])
  for (const approve of [true, false]) {
    const outcome = await ask('enrol', await shown(born.record.der))
    assert.ok(outcome.kind === 'pending')
    if (approve) await approveEnrolment(outcome.digest, 'ann', { store, clock })
  }
  await registerDevice(instance, { serialNumber: 'A-4' })
}

/** What verification says of a copy of the store that was altered. */
async function findings(alter?: (database: DatabaseSync) => void): Promise<string[]> {
  const copy = await mkdtemp(join(tmpdir(), 'touchmark-altered-'))
  try {
    const path = join(copy, 'touchmark.db')
    const original = new DatabaseSync(join(folder, 'touchmark.db'))
    original.exec(`VACUUM INTO '${path}'`)
    original.close()
    const database = new DatabaseSync(path)
    alter?.(database)
    database.close()
    await using store = await openStore({ folder: copy })
    const report = await verifyStore(store.read, { hash: sha256, origin: ORIGIN, logKeys: verifiers })
    assert.equal(report.ok, report.findings.length === 0)
    return [...new Set(report.findings.map(({ code }) => code))]
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}

const octets = (count: number) => Buffer.from(systemRandom.bytes(count)).toString('hex')

/** What somebody would gain by it, the statement, and the finding. */
const ALTERATIONS: readonly (readonly [string, string, string])[] = [
  [
    'a revoked certificate that is made good',
    "UPDATE certificate SET status = 'good' WHERE status = 'revoked'",
    'audit.status_altered',
  ],
  [
    'a certificate that lives longer',
    "UPDATE certificate SET not_after = not_after + 1 WHERE profile = 'ldevid'",
    'audit.certificate_altered',
  ],
  [
    'a revoked certificate that leaves its CRL by its end',
    "UPDATE certificate SET not_after = 1 WHERE status = 'revoked'",
    'audit.certificate_altered',
  ],
  [
    'a revoked certificate that leaves its CRL by its shard',
    "UPDATE certificate SET crl_shard = 1 WHERE status = 'revoked'",
    'audit.certificate_altered',
  ],
  [
    'an operational certificate that becomes a birth certificate',
    "UPDATE certificate SET profile = 'idevid' WHERE profile = 'ldevid'",
    'audit.certificate_altered',
  ],
  [
    'a certificate of the platform that speaks for a device',
    'UPDATE certificate SET device_id = (SELECT id FROM device LIMIT 1) WHERE device_id IS NULL',
    'audit.certificate_altered',
  ],
  [
    'a certificate that replaced nothing',
    'UPDATE certificate SET replaces_authority_id = NULL, replaces_serial_number = NULL',
    'audit.certificate_altered',
  ],
  [
    'a device that takes the serial number of another',
    "UPDATE device SET serial_number = 'A-9' WHERE serial_number = 'A-1'",
    'audit.device_altered',
  ],
  [
    'a suspended device that is let back in',
    "UPDATE device SET state = 'active' WHERE state = 'suspended'",
    'audit.device_altered',
  ],
  [
    'a device in a state that there is not',
    "UPDATE device SET state = 'any' WHERE serial_number = 'A-4'",
    'audit.device_altered',
  ],
  ['a device that vanishes', "DELETE FROM device WHERE serial_number = 'A-4'", 'audit.device_missing'],
  [
    'a device that nobody registered',
    `INSERT INTO device SELECT X'${octets(16)}', model, 'X-1', 'active', NULL, created_at, 1, '{}' FROM device LIMIT 1`,
    'audit.device_unlogged',
  ],
  [
    'a key that moves to another device',
    "UPDATE device_key SET device_id = (SELECT id FROM device WHERE serial_number = 'A-4') WHERE id = (SELECT id FROM device_key LIMIT 1)",
    'audit.key_altered',
  ],
  [
    'a compromised key that is made good',
    "UPDATE device_key SET state = 'in_use' WHERE state = 'compromised'",
    'audit.key_altered',
  ],
  ['a key that is forgotten', "DELETE FROM device_key WHERE state = 'compromised'", 'audit.key_missing'],
  ['a token that is used again', 'UPDATE token SET used_at = NULL', 'audit.token_altered'],
  ['a token that is not withdrawn any more', 'UPDATE token SET cancelled_at = NULL', 'audit.token_altered'],
  [
    'a token with a secret of one’s own',
    `UPDATE token SET secret_hash = X'${octets(32)}' WHERE used_at IS NULL AND cancelled_at IS NULL`,
    'audit.token_altered',
  ],
  [
    'a token for another device',
    "UPDATE token SET device_id = (SELECT id FROM device WHERE serial_number = 'A-1')",
    'audit.token_altered',
  ],
  ['a token that never ends', 'UPDATE token SET expires_at = expires_at + 1', 'audit.token_altered'],
  [
    'a token that nobody made',
    `INSERT INTO token SELECT X'${octets(16)}', X'${octets(32)}', device_id, profile, created_at, expires_at, NULL, NULL FROM token LIMIT 1`,
    'audit.token_unlogged',
  ],
  [
    'a request that nobody approved',
    "UPDATE enrolment SET state = 'approved', state_by = 'ann', state_at = 1 WHERE state = 'pending'",
    'audit.enrolment_altered',
  ],
  [
    'a request that is issued again',
    "UPDATE enrolment SET state = 'approved', state_by = 'ann', state_at = 1 WHERE state = 'issued'",
    'audit.enrolment_altered',
  ],
  [
    'an authority whose certificate is another',
    "UPDATE authority SET certificate = (SELECT certificate FROM authority WHERE id = 'idevid-1') WHERE id = 'ldevid-1'",
    'audit.authority_altered',
  ],
  [
    'an authority with another key',
    "UPDATE authority SET key_uri = 'software:mine' WHERE id = 'ldevid-1'",
    'audit.authority_altered',
  ],
  [
    'an authority under another',
    "UPDATE authority SET issuer = 'idevid-1' WHERE id = 'ldevid-1'",
    'audit.authority_altered',
  ],
  [
    'an authority that nobody made',
    "INSERT INTO authority SELECT 'mine-1', kind, state, certificate, issuer, chain_above, key_uri, generation, crl_shards, created_at FROM authority WHERE id = 'ldevid-1'",
    'audit.authority_unlogged',
  ],
  [
    'rules that grant more',
    "UPDATE document SET body = replace(body, 'pending', 'grant') WHERE kind = 'rules'",
    'audit.document_altered',
  ],
  [
    'rules that go back a version',
    "DELETE FROM document WHERE kind = 'rules' AND version = 2",
    'audit.document_altered',
  ],
  [
    'a profile that allows more',
    "UPDATE document SET body = replace(body, '90', '99') WHERE kind = 'profile' AND name = 'ldevid'",
    'audit.document_altered',
  ],
  [
    'trust in another maker',
    "INSERT INTO document SELECT 'trust-anchors', 'mine', 1, '{}', created_at FROM document LIMIT 1",
    'audit.document_unlogged',
  ],
  [
    'a CRL that says less',
    "UPDATE publication SET bytes = (SELECT bytes FROM publication WHERE name LIKE 'crl/root%') WHERE name LIKE 'crl/idevid%'",
    'audit.publication_altered',
  ],
  ['a CRL of yesterday', 'UPDATE publication SET number = number - 1', 'audit.publication_altered'],
  ['a log without its signature', 'DELETE FROM log_checkpoint', 'audit.checkpoint_missing'],
]

describe('a store that was altered past the program', () => {
  test('verifies as long as nobody touches it', async () => assert.deepEqual(await findings(), []))

  for (const [what, statement, code] of ALTERATIONS) {
    test(`${what}: ${code}`, async () => {
      assert.deepEqual(
        await findings(database => {
          assert.ok(Number(database.prepare(statement).run().changes) > 0, 'there is something to alter')
        }),
        [code],
      )
    })
  }

  test('accuses no row where it is the log that was altered', async () => {
    const codes = await findings(database => {
      const spent = Buffer.from('"action":"token.used"')
      const row = database.prepare('SELECT * FROM log_entry WHERE instr(bytes, ?) > 0').get(spent)
      const altered = Buffer.concat([row!['bytes'] as Uint8Array, Buffer.from(' ')])
      database.prepare('UPDATE log_entry SET bytes = ? WHERE entry_index = ?').run(altered, row!['entry_index']!)
    })
    assert.deepEqual(codes, ['audit.entry_altered'])
  })
})

test('accuses nobody of what changes while it reads', async t => {
  const instance = await testInstance(t)
  const signer = softwareSigner(await generateKeyPair('Ed25519'), 'test:log')
  const keys = logVerifiers([logVerifierKey(ORIGIN, signer.publicKey)])
  const { store, clock } = instance
  const lastSigned = memoryLastSigned()
  const ports = {
    store,
    clock,
    origin: ORIGIN,
    signer: logSigner(ORIGIN, signer),
    verifiers: keys,
    lastSigned,
    first: true,
  }
  const known = await Promise.all(Array.from({ length: 10 }, () => bornDevice(instance)))
  await signDueCheckpoint(ports)
  // Reads of SQLite are synchronous at heart: what others do in this process comes in between only where it is let.
  const read = new Proxy(store.read, {
    get(target, name) {
      const method = Reflect.get(target, name)
      if (name !== 'device' && name !== 'key' && name !== 'documents' && name !== 'publication') return method
      return async (...parameters: never[]) => {
        await setImmediate()
        return Reflect.apply(method, target, parameters)
      }
    },
  })
  let ended = false
  const verifying = async () => {
    let rounds = 0
    for (; !ended; rounds++) {
      const { findings } = await verifyStore(read, { hash: sha256, origin: ORIGIN, logKeys: keys })
      assert.deepEqual(findings, [])
    }
    return rounds
  }
  const living = async () => {
    for (const [i, unit] of known.entries()) {
      await bornDevice(instance)
      await certify(instance, unit.device, await generateKeyPair('P-256'), 'ldevid')
      await revokeCertificate(unit.record, i % 2 ? 'keyCompromise' : 'certificateHold', OPERATOR, { store, clock })
      await createToken({ model: 'm', serialNumber: `C-${i}`, profile: 'ldevid', actor: OPERATOR }, instance)
      await useRules(instance, [{ name: `rule-${i}`, outcome: 'grant' }])
      const issuer = await instance.authorities.signing(unit.record.authorityId)
      await publishRequestedCrls({
        ...ports,
        issuerOf: async () => issuer,
        shardUrl: () => 'http://pki.example.test/0.crl',
        schedule: DEFAULT_CRL_SCHEDULE,
      })
      await signDueCheckpoint(ports)
      clock.advance(60)
    }
    ended = true
  }
  const [rounds] = await Promise.all([verifying(), living().finally(() => (ended = true))])
  assert.ok(rounds > 2)
})
