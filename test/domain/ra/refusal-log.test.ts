// Refusals are evidence, and a flood of them is one line a minute.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuditEntry } from '../../../src/domain/audit/entry.ts'
import { encodeAuditEntry } from '../../../src/domain/audit/entry.ts'
import { deviceId } from '../../../src/domain/ids.ts'
import type { ChangeSet, Store } from '../../../src/domain/ports.ts'
import { RefusalLog, type RefusalRecord } from '../../../src/domain/ra/refusal-log.ts'

function setUp() {
  const entries: AuditEntry[] = []
  let now = 1_900_000_000 - (1_900_000_000 % 60)
  const store = {
    async commit(change: ChangeSet) {
      assert.equal(change.writes.length, 0)
      assert.ok(change.audit.length > 0)
      for (const entry of change.audit) encodeAuditEntry(entry)
      entries.push(...change.audit)
      return { firstAuditIndex: 0 }
    },
  } as unknown as Store
  const log = new RefusalLog({ store, clock: { now: () => now } })
  return { log, entries, advance: (seconds: number) => (now += seconds) }
}

const refused = (fields: Partial<RefusalRecord> = {}): RefusalRecord => ({
  code: 'token.invalid',
  protocol: 'est',
  operation: 'enrol',
  deviceId: null,
  address: '192.0.2.1',
  detail: { because: 'a reason' },
  ...fields,
})

test('the first refusal is in the log at once, without the address', async () => {
  const { log, entries } = setUp()
  await log.record(refused())
  assert.equal(entries.length, 1)
  const [entry] = entries
  assert.deepEqual([entry!.action, entry!.outcome, entry!.code], ['enrolment.refused', 'refused', 'token.invalid'])
  assert.deepEqual(entry!.actor, { kind: 'stranger', id: 'unknown' })
  assert.equal(JSON.stringify(entry).includes('192.0.2.1'), false)
})

test('the rest of the minute is one count', async () => {
  const { log, entries, advance } = setUp()
  for (let i = 0; i < 1000; i++) await log.record(refused())
  assert.equal(entries.length, 1)
  advance(60)
  await log.flush()
  assert.equal(entries.length, 2)
  assert.equal(entries[1]!.detail?.['repeated'], 999)
  await log.flush()
  assert.equal(entries.length, 2, 'nothing is told twice')
})

test('another code, another address and another device are told apart; an IPv6 network is one', async () => {
  const { log, entries } = setUp()
  await log.record(refused())
  await log.record(refused({ code: 'evidence.missing' }))
  await log.record(refused({ address: '192.0.2.2' }))
  await log.record(refused({ deviceId: deviceId('d1') }))
  await log.record(refused({ deviceId: deviceId('d2') }))
  await log.record(refused({ address: '2001:db8:0:1::1' }))
  assert.equal(entries.length, 6)
  await log.record(refused({ address: '2001:db8:0:1:ffff::2' }))
  await log.record(refused({ deviceId: deviceId('d2'), address: '198.51.100.1' }))
  assert.equal(entries.length, 6)
  assert.deepEqual(entries[3]!.actor, { kind: 'device', id: 'd1' })
})

test('a botnet fills no disk: beyond a thousand pairs a minute, codes are counted alone', async () => {
  const { log, entries, advance } = setUp()
  for (let i = 0; i < 5000; i++) await log.record(refused({ address: `10.${i >> 8}.${i & 255}.1` }))
  assert.equal(entries.length, 1000)
  advance(61)
  await log.flush()
  assert.equal(entries.length, 1001)
  assert.deepEqual([entries[1000]!.detail?.['repeated'], entries[1000]!.detail?.['fromMany']], [4000, true])
})

test('what a stranger sends cannot keep its refusal out of the log', async () => {
  const { log, entries } = setUp()
  await log.record(refused({ detail: { because: `\u0000\ud800${'x'.repeat(5000)}` } }))
  assert.equal(entries.length, 1)
})

test('stopping tells the counts that are left', async () => {
  const { log, entries } = setUp()
  await log.record(refused())
  await log.record(refused())
  await log[Symbol.asyncDispose]()
  assert.equal(entries.length, 2)
  assert.equal(entries[1]!.detail?.['repeated'], 1)
})
