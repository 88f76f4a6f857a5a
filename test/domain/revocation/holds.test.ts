// Holds, releases, times to undo, suspensions and the passing of time, in any order, against a model of a few lines: what a certificate is, since
// when, and what it becomes (RFC 5280 §5.3.1). The log tells the same story, whatever the order.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TouchmarkError } from '../../../src/core/errors.ts'
import { sha256 } from '../../../src/crypto/digest.ts'
import { verifyStore } from '../../../src/domain/audit/verify-store.ts'
import type { CertificateStatus } from '../../../src/domain/ca/certificate-record.ts'
import { resumeDevice, suspendDevice } from '../../../src/domain/device/suspend-device.ts'
import { endDueHolds } from '../../../src/domain/revocation/end-holds.ts'
import { releaseCertificate, revokeCertificate } from '../../../src/domain/revocation/revoke.ts'
import type { RevocationTerms } from '../../../src/domain/revocation/terms.ts'
import { bornDevice, OPERATOR, type TestDevice, type TestInstance, testInstance } from '../../support/instance.ts'
import { assertInvariants } from '../../support/invariants.ts'

type Act =
  | { readonly kind: 'hold' }
  | { readonly kind: 'revoke'; readonly reason: 'superseded' | 'privilegeWithdrawn'; readonly suspect: boolean }
  | { readonly kind: 'revoke_undoable'; readonly within: number; readonly suspect: boolean }
  | { readonly kind: 'release' | 'suspend' | 'resume' }
  | { readonly kind: 'wait'; readonly seconds: number }

const act: fc.Arbitrary<Act> = fc.oneof(
  fc.constant<Act>({ kind: 'hold' }),
  fc.record({
    kind: fc.constant('revoke' as const),
    reason: fc.constantFrom('superseded' as const, 'privilegeWithdrawn' as const),
    suspect: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('revoke_undoable' as const),
    within: fc.integer({ min: 1, max: 100 }),
    suspect: fc.boolean(),
  }),
  fc.record({ kind: fc.constantFrom('release' as const, 'suspend' as const, 'resume' as const) }),
  fc.record({ kind: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 60 }) }),
)

/** What we believe of the one certificate of a device. */
interface Model {
  status: CertificateStatus
  suspended: boolean
  /** When the suspension took the certificate, where it did. */
  takenAt: number | null
}

const SUSPECT_FOR = 1_000

test('whatever is done in whatever order, the certificate is what the model says, and the log verifies', async t => {
  const instance = await testInstance(t)
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 1, maxLength: 10 }), async acts => {
      const device = await bornDevice(instance)
      const model: Model = { status: { kind: 'good' }, suspended: false, takenAt: null }
      for (const each of acts) {
        const expected = next(model, each, instance.clock.now())
        const refused = await perform(each, device, instance)
        assert.equal(refused, expected, JSON.stringify({ each, model }))
        const { authorityId, serialNumber } = device.record
        const record = await instance.store.read.certificate(authorityId, serialNumber)
        assert.deepEqual(record?.status, model.status, JSON.stringify(each))
        // The clock of the log moves on, so that no two acts share a second.
        instance.clock.advance(1)
        await endDueHolds(instance, new AbortController().signal)
        ends(model, instance.clock.now())
      }
    }),
    { numRuns: 40 },
  )
  await assertInvariants(instance.store)
  const { findings } = await verifyStore(instance.store.read, { hash: sha256, origin: 'test', logKeys: [] })
  assert.deepEqual(
    findings.filter(({ code }) => code !== 'audit.checkpoint_missing'),
    [],
  )
})

/** Moves the model, and answers the code of the refusal where it is one. */
function next(model: Model, act: Act, now: number): string | undefined {
  const { status } = model
  switch (act.kind) {
    case 'hold':
      if (status.kind === 'revoked') return 'certificate.already_revoked'
      if (status.kind === 'good') model.status = { kind: 'held', at: now, invalidityDate: null, ends: null }
      return undefined
    case 'revoke': {
      if (status.kind === 'revoked') return status.reason === act.reason ? undefined : 'certificate.already_revoked'
      const said = act.suspect ? now - SUSPECT_FOR : null
      const before = status.kind === 'held' ? status : { at: now, invalidityDate: null }
      model.status = {
        kind: 'revoked',
        at: before.at,
        reason: act.reason,
        invalidityDate: said ?? before.invalidityDate,
      }
      return undefined
    }
    case 'revoke_undoable': {
      if (status.kind === 'revoked') return status.reason === 'superseded' ? undefined : 'certificate.already_revoked'
      if (status.kind === 'held' && status.ends?.at === now + act.within) return undefined
      const said = act.suspect ? now - SUSPECT_FOR : null
      const before = status.kind === 'held' ? status : { at: now, invalidityDate: null }
      model.status = {
        kind: 'held',
        at: before.at,
        invalidityDate: said ?? before.invalidityDate,
        ends: { at: now + act.within, reason: 'superseded' },
      }
      return undefined
    }
    case 'release':
      if (status.kind !== 'held') return 'certificate.not_held'
      if (!model.suspended) model.status = { kind: 'good' }
      else if (status.ends === null) return 'certificate.device_suspended'
      else model.status = { ...status, ends: null }
      return undefined
    case 'suspend':
      if (status.kind === 'good') {
        model.status = { kind: 'held', at: now, invalidityDate: null, ends: null }
        model.takenAt = now
      }
      model.suspended = true
      return undefined
    case 'resume':
      // It gives back what it took, where nobody decided otherwise meanwhile.
      if (model.suspended && status.kind === 'held' && status.ends === null && status.at === model.takenAt) {
        model.status = { kind: 'good' }
      }
      if (model.suspended) model.takenAt = null
      model.suspended = false
      return undefined
    case 'wait':
      ends(model, now + act.seconds)
      return undefined
    default:
      return act satisfies never
  }
}

function ends(model: Model, now: number): void {
  const { status } = model
  if (status.kind !== 'held' || status.ends === null || status.ends.at > now) return
  const { at, invalidityDate } = status
  model.status = { kind: 'revoked', at, reason: status.ends.reason, invalidityDate }
}

async function perform(act: Act, { device, record }: TestDevice, instance: TestInstance): Promise<string | undefined> {
  const now = instance.clock.now()
  const revoke = (terms: RevocationTerms) => revokeCertificate(record, terms, OPERATOR, instance)
  const since = (suspect: boolean) => (suspect ? { suspectSince: now - SUSPECT_FOR } : {})
  try {
    switch (act.kind) {
      case 'hold':
        await revoke({ reason: 'certificateHold' })
        return undefined
      case 'revoke':
        await revoke({ reason: act.reason, ...since(act.suspect) })
        return undefined
      case 'revoke_undoable':
        await revoke({ reason: 'superseded', undoUntil: now + act.within, ...since(act.suspect) })
        return undefined
      case 'release':
        await releaseCertificate(record, OPERATOR, instance)
        return undefined
      case 'suspend':
        await suspendDevice(device.id, { actor: OPERATOR }, instance)
        return undefined
      case 'resume':
        await resumeDevice(device.id, { actor: OPERATOR }, instance)
        return undefined
      case 'wait':
        instance.clock.advance(act.seconds)
        await endDueHolds(instance, new AbortController().signal)
        return undefined
      default:
        return act satisfies never
    }
  } catch (thrown) {
    if (thrown instanceof TouchmarkError) return thrown.code
    throw thrown
  }
}
