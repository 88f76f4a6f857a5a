// A store as simple as the contract allows: maps in memory, copied before each change set and put back where it fails. Random change
// sets, grouped at random and sent through several stores on one database, must come out the same.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { TouchmarkError } from '../../../src/core/errors.ts'
import type { Device, DeviceState } from '../../../src/domain/device/device.ts'
import type { DeviceKey, KeyState } from '../../../src/domain/device/device-key.ts'
import type { ChangeSet, Store, Write } from '../../../src/domain/ports.ts'
import type { Token } from '../../../src/domain/ra/token.ts'
import { aDevice, aKey, anEntry, aToken, NOW } from '../../support/store-fixtures.ts'

/** So few of each that change sets meet. */
const DEVICES = Array.from({ length: 4 }, (_, i) => aDevice({ model: 'meets', serialNumber: `S${i}` }))
const KEYS = DEVICES.map(device => aKey(device))
const TOKENS = DEVICES.map(device => aToken(device))
const DEVICE_STATES: readonly DeviceState[] = ['manufactured', 'shipped', 'active']
const KEY_STATES: readonly KeyState[] = ['established', 'in_use', 'suspended']

class Model {
  devices = new Map<string, Device>()
  keys = new Map<string, DeviceKey>()
  tokens = new Map<string, Token>()
  quotas = new Map<string, number>()
  entries = 0

  /** The code of the first conflict, or where the first entry stands. */
  apply(change: ChangeSet): string | number {
    const before = { ...this, devices: new Map(this.devices), keys: new Map(this.keys), tokens: new Map(this.tokens) }
    const quotas = new Map(this.quotas)
    for (const write of change.writes) {
      const conflict = this.#write(write)
      if (conflict === undefined) continue
      Object.assign(this, before, { quotas })
      return conflict
    }
    const first = this.entries
    this.entries += change.audit.length
    return first
  }

  #write(write: Write): string | undefined {
    switch (write.kind) {
      case 'device.insert': {
        if (this.devices.has(write.device.id)) return 'device.exists'
        this.devices.set(write.device.id, write.device)
        return
      }
      case 'device.state': {
        const device = this.devices.get(write.id)
        if (device?.state !== write.from) return 'device.state_changed'
        this.devices.set(write.id, { ...device, state: write.to, stateChangedAt: write.at })
        return
      }
      case 'key.insert': {
        if (this.keys.has(write.key.id)) return 'key.already_known'
        this.keys.set(write.key.id, write.key)
        return
      }
      case 'key.state': {
        const key = this.keys.get(write.id)
        if (key?.state !== write.from) return 'key.state_changed'
        this.keys.set(write.id, { ...key, state: write.to, stateChangedAt: write.at })
        return
      }
      case 'token.insert': {
        if (this.tokens.has(write.token.id)) return 'token.exists'
        this.tokens.set(write.token.id, write.token)
        return
      }
      case 'token.use': {
        const token = this.tokens.get(write.id)
        if (token === undefined || token.usedAt !== null) return 'token.used'
        this.tokens.set(write.id, { ...token, usedAt: write.at })
        return
      }
      case 'quota.take': {
        const taken = (this.quotas.get(write.counter) ?? 0) + write.amount
        if (taken > write.limit) return 'quota.exceeded'
        this.quotas.set(write.counter, taken)
        return
      }
      default:
        throw new Error(`The model knows no ${write.kind}`)
    }
  }
}

const at = fc.integer({ min: NOW, max: NOW + 9 })
const anyWrite: fc.Arbitrary<Write> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...DEVICES).map(device => ({ kind: 'device.insert' as const, device })) },
  { weight: 3, arbitrary: fc.constantFrom(...KEYS).map(key => ({ kind: 'key.insert' as const, key })) },
  { weight: 2, arbitrary: fc.constantFrom(...TOKENS).map(token => ({ kind: 'token.insert' as const, token })) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('device.state' as const),
      id: fc.constantFrom(...DEVICES.map(({ id }) => id)),
      from: fc.constantFrom(...DEVICE_STATES),
      to: fc.constantFrom(...DEVICE_STATES),
      at,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('key.state' as const),
      id: fc.constantFrom(...KEYS.map(({ id }) => id)),
      from: fc.constantFrom(...KEY_STATES),
      to: fc.constantFrom(...KEY_STATES),
      at,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('token.use' as const),
      id: fc.constantFrom(...TOKENS.map(({ id }) => id)),
      at,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('quota.take' as const),
      counter: fc.constantFrom('a', 'b'),
      amount: fc.integer({ min: 1, max: 3 }),
      limit: fc.integer({ min: 0, max: 9 }),
    }),
  },
)
const anyChange: fc.Arbitrary<ChangeSet> = fc
  .record({ writes: fc.array(anyWrite, { maxLength: 4 }), entries: fc.integer({ min: 0, max: 3 }) })
  .map(({ writes, entries }) => ({ writes, audit: Array.from({ length: entries }, () => anEntry()) }))

/** Groups of change sets, each with the store that it is sent through. */
const anyHistory = fc.array(
  fc.record({ store: fc.nat({ max: 1 }), changes: fc.array(anyChange, { minLength: 1, maxLength: 12 }) }),
  { minLength: 1, maxLength: 8 },
)

/** `newStores` gives two stores on one new database; `check` looks at them when a history is over. */
export async function behavesLikeTheModel(
  newStores: () => Promise<readonly Store[]>,
  check: (store: Store) => Promise<void>,
  numRuns: number,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(anyHistory, async history => {
      const stores = await newStores()
      const model = new Model()
      for (const { store, changes } of history) {
        const outcomes = await stores[store]!.commitEach(changes)
        const found = outcomes.map(outcome => {
          if (outcome instanceof TouchmarkError) return outcome.code
          return outcome instanceof Error ? String(outcome) : outcome.firstAuditIndex
        })
        assert.deepEqual(
          found,
          changes.map(change => model.apply(change)),
        )
      }
      const [{ read }] = stores as [Store]
      for (const { id } of DEVICES) assert.deepEqual(await read.device(id), model.devices.get(id))
      for (const { id } of KEYS) assert.deepEqual(await read.key(id), model.keys.get(id))
      for (const { id, secretHash } of TOKENS)
        assert.deepEqual(await read.tokenByHash(secretHash), model.tokens.get(id))
      for (const counter of ['a', 'b']) assert.equal(await read.quotaTaken(counter), model.quotas.get(counter) ?? 0)
      assert.equal((await read.auditHead()).size, model.entries)
      await check(stores[0]!)
      for (const store of stores) await store[Symbol.asyncDispose]()
    }),
    { numRuns },
  )
}
