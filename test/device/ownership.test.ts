// A device changes hands: proposed, signed by both owners with a tool that is not ours, effective at its date; who may act, at any moment.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { sha256 } from '../../src/crypto/digest.ts'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { verifyStore } from '../../src/domain/audit/verify-store.ts'
import { changeProperties } from '../../src/domain/device/change-properties.ts'
import { completeDueTransfers } from '../../src/domain/device/complete-transfers.ts'
import { type OwnerConfig, ownerDocument } from '../../src/domain/device/owner.ts'
import { ownershipStatement } from '../../src/domain/device/ownership-statement.ts'
import {
  acceptTransfer,
  cancelTransfer,
  ownerOf,
  proposeTransfer,
  type TransferProposal,
} from '../../src/domain/device/propose-transfer.ts'
import { retireDevice } from '../../src/domain/device/retire-device.ts'
import { bornDevice, certify, OPERATOR, registerDevice, type TestInstance, testInstance } from '../support/instance.ts'
import { type TestCertificate, testCertificate } from '../support/test-pki.ts'
import { requireTool } from '../support/tools.ts'

/** The clock of the tests stands in 2030. */
const LATE = new Date('2040-01-01')

async function addOwner(instance: TestInstance, name: string, certificates: readonly string[]): Promise<void> {
  const now = instance.clock.now()
  const config: OwnerConfig = { schema: 1, name, certificates: [...certificates] }
  const before = (await instance.store.read.document('owner', name))?.version ?? 0
  const document = ownerDocument(config, before + 1, now)
  const entry = { at: now, actor: OPERATOR, action: 'owner.changed', outcome: 'done' } as const
  const detail = { version: before + 1, bodySha256: Buffer.from(sha256(Buffer.from(document.body))).toString('hex') }
  await instance.store.commit({
    writes: [{ kind: 'document.insert', document }],
    audit: [{ ...entry, subject: { name }, detail }],
  })
}

/** Signs as an owner does at home: `openssl cms -sign`, detached. */
function opensslSign(
  t: TestContext,
  signer: TestCertificate,
  content: Uint8Array,
  form: 'DER' | 'PEM' = 'DER',
): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'touchmark-owner-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const file = (name: string) => join(folder, name)
  writeFileSync(file('cert.pem'), signer.cert)
  writeFileSync(file('key.pem'), signer.key)
  writeFileSync(file('statement.json'), content)
  const { status, stderr } = spawnSync(
    'openssl',
    // biome-ignore format: as one types it
    ['cms', '-sign', '-binary', '-in', file('statement.json'), '-signer', file('cert.pem'), '-inkey', file('key.pem'), '-outform', form, '-out', file('out')],
    { encoding: 'utf8' },
  )
  assert.equal(status, 0, stderr)
  return new Uint8Array(readFileSync(file('out')))
}

async function scene(t: TestContext) {
  const instance = await testInstance(t)
  const [acme, beta, mallory] = await Promise.all(
    ['acme', 'beta', 'mallory'].map(name => testCertificate({ name, notAfter: LATE })),
  )
  await addOwner(instance, 'acme', [acme!.cert])
  await addOwner(instance, 'beta', [beta!.cert])
  const { device } = await bornDevice(instance)
  await changeProperties(device.id, [{ name: 'owner', value: 'acme', personal: false }], OPERATOR, instance)
  const propose = (fields: Partial<TransferProposal> = {}, ownershipTransfers: 'both' | 'rule' = 'both') =>
    proposeTransfer(
      {
        deviceId: device.id,
        to: 'beta',
        effectiveAt: instance.clock.now() + 100,
        newKey: false,
        byRule: false,
        ...fields,
      },
      OPERATOR,
      { ...instance, settings: { ownershipTransfers } },
    )
  return { instance, device, propose, acme: acme!, beta: beta!, mallory: mallory! }
}

async function findings({ store }: TestInstance): Promise<string[]> {
  const report = await verifyStore(store.read, { hash: sha256, origin: 'test', logKeys: [], kept: [] })
  return report.findings.map(({ code }) => code).filter(code => code !== 'audit.checkpoint_missing')
}

test('a transfer that both owners signed takes effect at its date, and only then', async t => {
  if (!requireTool(t, 'openssl')) return
  const { instance, device, propose, acme, beta } = await scene(t)
  const { store, clock } = instance
  const transfer = await propose()
  const statement = ownershipStatement(transfer, device)
  const first = await acceptTransfer(transfer.id, opensslSign(t, acme, statement), OPERATOR, instance)
  assert.equal(first.state, 'proposed')
  const second = await acceptTransfer(transfer.id, opensslSign(t, beta, statement, 'PEM'), OPERATOR, instance)
  assert.equal(second.state, 'accepted')
  assert.deepEqual(
    second.agreements.map(({ party, by }) => `${party} ${by}`),
    ['from signature', 'to signature'],
  )

  assert.equal(await completeDueTransfers(instance), 0)
  assert.equal(await ownerOf(device.id, store.read), 'acme')
  clock.advance(100)
  assert.equal(await completeDueTransfers(instance), 1)
  assert.equal(await completeDueTransfers(instance), 0)
  assert.equal(await ownerOf(device.id, store.read), 'beta')
  const [history] = await store.read.transfersOfDevice(device.id)
  assert.deepEqual([history!.state, history!.from, history!.to], ['effective', 'acme', 'beta'])
  assert.deepEqual(await findings(instance), [])
})

test('no other signature counts', async t => {
  if (!requireTool(t, 'openssl')) return
  const { instance, device, propose, acme, beta, mallory } = await scene(t)
  const transfer = await propose()
  const statement = ownershipStatement(transfer, device)
  const other = ownershipStatement({ ...transfer, to: 'mallory' }, device)
  const accept = (signature: Uint8Array) => acceptTransfer(transfer.id, signature, OPERATOR, instance)
  await assert.rejects(accept(opensslSign(t, mallory, statement)), { code: 'ownership.signer_unknown' })
  await assert.rejects(accept(opensslSign(t, acme, other)), { code: 'ownership.signature_invalid' })
  await assert.rejects(accept(new TextEncoder().encode('no signature')), { code: 'ownership.signature_malformed' })
  await assert.rejects(accept(new Uint8Array(70_000)), { code: 'ownership.signature_malformed' })
  // A certificate with the issuer and serial number of an owner's, over another key.
  const twin = await testCertificate({ name: 'acme', notAfter: LATE })
  await assert.rejects(accept(opensslSign(t, twin, statement)), {
    code: /^ownership\.(signer_unknown|signature_invalid)$/,
  })
  await accept(opensslSign(t, acme, statement))
  await assert.rejects(accept(opensslSign(t, acme, statement)), { code: 'ownership.signed_before' })
  // A certificate that its owner no longer has.
  await addOwner(instance, 'beta', [])
  await assert.rejects(accept(opensslSign(t, beta, statement)), { code: 'ownership.signer_unknown' })
  assert.equal((await instance.store.read.transfer(transfer.id))?.state, 'proposed')
})

test('a rule replaces signatures where the settings say so, and nowhere else', async t => {
  const { instance, device, propose } = await scene(t)
  await assert.rejects(propose({ byRule: true }), { code: 'ownership.rule_not_allowed' })
  const transfer = await propose({ byRule: true, effectiveAt: instance.clock.now() }, 'rule')
  assert.equal(transfer.state, 'accepted')
  assert.equal(await completeDueTransfers(instance), 1)
  assert.equal(await ownerOf(device.id, instance.store.read), 'beta')
  assert.deepEqual(await findings(instance), [])
})

test('a new owner may want a key that the old one never saw', async t => {
  const { instance, device, propose } = await scene(t)
  await certify(instance, device, await generateKeyPair('P-256'), 'ldevid')
  await propose({ byRule: true, newKey: true, effectiveAt: instance.clock.now() }, 'rule')
  await completeDueTransfers(instance)
  const [credential] = await instance.store.read.credentialsOfDevice(device.id)
  assert.deepEqual([credential?.order?.reason, credential?.order?.newKey], ['ownership_transferred', true])
})

test('one transfer at a time, to somebody else, to somebody who is known', async t => {
  const { instance, device, propose } = await scene(t)
  await assert.rejects(propose({ to: 'nobody-knows' }), { code: 'owner.not_found' })
  await assert.rejects(propose({ to: 'acme' }), { code: 'ownership.same_owner' })
  const transfer = await propose()
  await assert.rejects(propose(), { code: 'transfer.exists' })
  const owner = { name: 'owner', value: 'gamma', personal: false } as const
  await assert.rejects(changeProperties(device.id, [owner], OPERATOR, instance), { code: 'property.owner_in_transfer' })
  await cancelTransfer(transfer.id, OPERATOR, instance)
  await assert.rejects(cancelTransfer(transfer.id, OPERATOR, instance), { code: 'ownership.not_open' })
  assert.equal((await propose()).state, 'proposed')
})

test('two owners who sign at the same moment: both signatures count', async t => {
  if (!requireTool(t, 'openssl')) return
  const { instance, device, propose, acme, beta } = await scene(t)
  const transfer = await propose()
  const statement = ownershipStatement(transfer, device)
  const signatures = [opensslSign(t, acme, statement), opensslSign(t, beta, statement)]
  await Promise.all(signatures.map(signature => acceptTransfer(transfer.id, signature, OPERATOR, instance)))
  const { state, agreements } = (await instance.store.read.transfer(transfer.id))!
  assert.deepEqual([state, agreements.map(({ party }) => party).sort()], ['accepted', ['from', 'to']])
  assert.deepEqual(await findings(instance), [])
})

test('a device that nobody owned needs the new owner only', async t => {
  if (!requireTool(t, 'openssl')) return
  const { instance, beta } = await scene(t)
  const device = await registerDevice(instance)
  const fields = { deviceId: device.id, to: 'beta', effectiveAt: 0, newKey: false, byRule: false }
  const ports = { ...instance, settings: { ownershipTransfers: 'both' } } as const
  const transfer = await proposeTransfer(fields, OPERATOR, ports)
  const signature = opensslSign(t, beta, ownershipStatement(transfer, device))
  assert.equal((await acceptTransfer(transfer.id, signature, OPERATOR, instance)).state, 'accepted')
})

test('a retirement calls a transfer off, and what is retired changes hands no more', async t => {
  const { instance, device, propose } = await scene(t)
  const transfer = await propose({ byRule: true }, 'rule')
  const outcome = await retireDevice(device.id, { actor: OPERATOR }, instance)
  assert.equal(outcome.transfers, 1)
  assert.equal((await instance.store.read.transfer(transfer.id))?.state, 'cancelled')
  instance.clock.advance(1000)
  assert.equal(await completeDueTransfers(instance), 0)
  await assert.rejects(propose(), { code: 'ownership.device_ended' })
  assert.deepEqual(await findings(instance), [])
})

test('a transfer that was agreed to past the log is found, also once the platform has carried it out', async t => {
  const { instance, device, propose } = await scene(t)
  const transfer = await propose()
  const move = {
    kind: 'transfer.state',
    id: transfer.id,
    from: 'proposed',
    to: 'accepted',
    at: 1,
    agreements: [],
  } as const
  await instance.store.commit({ writes: [move], audit: [] })
  instance.clock.advance(1000)
  assert.equal(await completeDueTransfers(instance), 1)
  assert.deepEqual(await findings(instance), ['audit.transfer_altered'])
  assert.ok(device)
})

test('a signature that was planted beside a real one is found', async t => {
  if (!requireTool(t, 'openssl')) return
  const { instance, device, propose, beta } = await scene(t)
  const transfer = await propose()
  const agreements = [{ party: 'from', by: 'signature', signature: 'AAAA', at: 1 }] as const
  const move = { kind: 'transfer.state', id: transfer.id, from: 'proposed', to: 'proposed', at: 1, agreements } as const
  await instance.store.commit({ writes: [move], audit: [] })
  const signature = opensslSign(t, beta, ownershipStatement(transfer, device))
  assert.equal((await acceptTransfer(transfer.id, signature, OPERATOR, instance)).state, 'accepted')
  assert.deepEqual(await findings(instance), ['audit.transfer_altered'])
})

test('a transfer that was written past the log is found', async t => {
  const { instance, device, propose } = await scene(t)
  const transfer = await propose()
  const move = {
    kind: 'transfer.state',
    id: transfer.id,
    from: 'proposed',
    to: 'accepted',
    at: 1,
    agreements: [],
  } as const
  await instance.store.commit({ writes: [move], audit: [] })
  assert.deepEqual(await findings(instance), ['audit.transfer_altered'])
  assert.ok(device)
})
