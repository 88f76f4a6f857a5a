// OCSP answers that were signed before: what keeps them true, and what bounds them.
import assert from 'node:assert/strict'
import { before, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { toBase64 } from '../../../src/core/bytes/base64.ts'
import { TouchmarkError } from '../../../src/core/errors.ts'
import type { CertificateRecord } from '../../../src/domain/ca/certificate-record.ts'
import { OCSP_VALIDITY_SECONDS } from '../../../src/domain/revocation/live-ocsp.ts'
import { CONFIRMED_MS } from '../../../src/domain/revocation/presigned-answers.ts'
import { releaseCertificate, revokeCertificate } from '../../../src/domain/revocation/revoke.ts'
import { bornDevice, OPERATOR, type TestInstance, testInstance } from '../../support/instance.ts'
import { ask, basicOf, certId, type TestResponder, testResponder } from '../../support/ocsp.ts'

let instance: TestInstance
before(async context => {
  instance = await testInstance(context as TestContext)
})

interface Asked {
  readonly record: CertificateRecord
  readonly der: Uint8Array
  /** As a GET has it. */
  readonly request: string
}

async function newCertificate(hash: 'sha1' | 'sha256' = 'sha1'): Promise<Asked> {
  const { record } = await bornDevice(instance)
  const der = ask([await certId(instance, record, hash)])
  return { record, der, request: toBase64(der) }
}

/** Follows the log from now on. */
async function following(options: Parameters<typeof testResponder>[1] = {}): Promise<TestResponder> {
  const responder = await testResponder(instance, options)
  await responder.service.follow()
  return responder
}

const stateOf = (der: Uint8Array) => basicOf(der).responses[0]!.status.kind

test('the second of two plain requests gets the first one’s octets, and a GET needs nothing but them', async () => {
  const { service } = await following()
  const { der, request } = await newCertificate()
  assert.equal(service.ready(request), undefined)
  const first = await service.answer(der)
  assert.equal(service.ready(request)?.der, first.der)
  assert.equal((await service.answer(der)).der, first.der)
  assert.equal(service.presigned.size, 1)
})

test('what was signed before the first look into the log is not given: it may have changed before that', async () => {
  const { service } = await testResponder(instance)
  const { record, der, request } = await newCertificate()
  assert.equal(stateOf((await service.answer(der)).der), 'good')
  await revokeCertificate(record, 'superseded', OPERATOR, instance)
  await service.follow()
  assert.equal(service.ready(request), undefined)
  assert.equal(stateOf((await service.answer(der)).der), 'revoked')
})

test('nothing is kept that is not the same for everybody, or may change by itself', async () => {
  const { service } = await following()
  const { record } = await newCertificate()
  const id = await certId(instance, record)
  const never = await certId(instance, { ...record, serialNumber: '7f00000000ff' as CertificateRecord['serialNumber'] })
  for (const request of [ask([id], { nonce: new Uint8Array(32) }), ask([id, id]), ask([never]), new Uint8Array(9)]) {
    await service.answer(request)
    assert.equal(service.ready(toBase64(request)), undefined)
  }
  assert.equal(service.presigned.size, 0)
})

test('a change of status by this process takes the answers away before its maker hears of it', async () => {
  const { service } = await following()
  const { record, der, request } = await newCertificate()
  const sha256 = ask([await certId(instance, record, 'sha256')])
  const told: TestInstance['store'] = {
    ...instance.store,
    read: instance.store.read,
    commit: async change => {
      const committed = await instance.store.commit(change)
      service.committed(change)
      return committed
    },
  }
  for (const each of [der, sha256]) await service.answer(each)
  assert.equal(service.presigned.size, 2)
  await revokeCertificate(record, 'certificateHold', OPERATOR, { ...instance, store: told })
  assert.equal(service.presigned.size, 0)
  assert.equal(stateOf((await service.answer(der)).der), 'revoked')
  assert.equal(service.ready(request) && stateOf(service.ready(request)!.der), 'revoked')
  await releaseCertificate(record, OPERATOR, { ...instance, store: told })
  assert.equal(stateOf((await service.answer(der)).der), 'good')
})

test('a change by another process is found in the log', async () => {
  const { service } = await following()
  const changed = await newCertificate()
  const other = await newCertificate()
  for (const { der } of [changed, other]) await service.answer(der)
  await revokeCertificate(changed.record, 'keyCompromise', OPERATOR, instance)
  await service.follow()
  assert.equal(service.ready(changed.request), undefined)
  assert.ok(service.ready(other.request))
  assert.equal(stateOf((await service.answer(changed.der)).der), 'revoked')
})

test('without a look into the log for two seconds nothing that was signed before is given', async () => {
  let broken = false
  const { service, elapse } = await following({
    read: read => ({
      ...read,
      statusChanges: asked =>
        broken
          ? Promise.reject(new TouchmarkError('store.failed', 'unavailable', 'The store is away.'))
          : read.statusChanges(asked),
    }),
  })
  const { record, der, request } = await newCertificate()
  await service.answer(der)
  elapse(CONFIRMED_MS)
  assert.ok(service.ready(request))
  broken = true
  await assert.rejects(service.follow(), { code: 'store.failed' })
  elapse(1)
  assert.equal(service.ready(request), undefined)
  await revokeCertificate(record, 'keyCompromise', OPERATOR, instance)
  assert.equal(stateOf((await service.answer(der)).der), 'revoked', 'signed from the registry')
  broken = false
  await service.follow()
  assert.equal(service.ready(request), undefined, 'signed before the log was followed')
})

test('an answer that was being signed while the status changed is not kept', async () => {
  const gate = Promise.withResolvers<void>()
  const { service } = await following({
    read: read => ({
      ...read,
      certificateStandings: async (...asked) => {
        const standings = await read.certificateStandings(...asked)
        await gate.promise
        return standings
      },
    }),
  })
  const { record, der, request } = await newCertificate()
  const answering = service.answer(der)
  await new Promise(resolve => setImmediate(() => setImmediate(resolve)))
  await revokeCertificate(record, 'keyCompromise', OPERATOR, instance)
  await service.follow()
  gate.resolve()
  assert.equal(stateOf((await answering).der), 'good', 'it was so when it was asked')
  assert.equal(service.ready(request), undefined)
  assert.equal(stateOf((await service.answer(der)).der), 'revoked')
})

test('what is asked for is signed anew before it ends; what nobody asked for goes', async () => {
  const { service } = await following()
  const asked = await newCertificate()
  const idle = await newCertificate()
  for (const { der } of [asked, idle]) await service.answer(der)
  const first = service.ready(asked.request)!
  instance.clock.advance(OCSP_VALIDITY_SECONDS * 0.75)
  assert.equal(await service.renew(), 1)
  const second = service.ready(asked.request)!
  assert.equal(second.thisUpdate, first.thisUpdate + OCSP_VALIDITY_SECONDS * 0.75)
  assert.equal(await service.renew(), 0, 'once is enough')
  instance.clock.advance(OCSP_VALIDITY_SECONDS * 0.15)
  assert.equal(service.ready(idle.request), undefined, 'too little of its life is left')
  await service.renew()
  assert.equal(service.presigned.size, 1)
})

test('a renewal that fails is tried again', async () => {
  const { service, responders, failures } = await following()
  const { der, request, record } = await newCertificate()
  await service.answer(der)
  assert.ok(service.ready(request))
  instance.clock.advance(OCSP_VALIDITY_SECONDS * 0.75)
  const { signer } = (await responders.current()).find(each => each.authorityId === record.authorityId)!
  const { sign, signMany } = signer
  const refuse = () => Promise.reject(new TouchmarkError('signer.failed', 'unavailable', 'The token is gone.'))
  Object.assign(signer, { sign: refuse, signMany: refuse })
  assert.equal(await service.renew(), 0)
  assert.equal(failures.length, 1)
  Object.assign(signer, { sign, signMany })
  assert.equal(await service.renew(), 1)
})

test('the answers of a signer that was replaced are not given any more', async () => {
  const { service, responders } = await following()
  const { der, request } = await newCertificate()
  await service.answer(der)
  const before = await responders.current()
  instance.clock.advance(8 * 86_400)
  await responders.refresh()
  assert.notEqual(await responders.current(), before)
  await service.renew()
  assert.equal(service.presigned.size, 0)
  await service.answer(der)
  assert.ok(service.ready(request))
})

test('its memory is bounded: the oldest go, those that are asked for stay longer', async () => {
  const { service } = await following({ presignedOctets: 12_000 })
  const wanted = await newCertificate()
  await service.answer(wanted.der)
  for (let i = 0; i < 20; i++) {
    await service.answer((await newCertificate()).der)
    assert.ok(service.ready(wanted.request), `after ${i}`)
    assert.ok(service.presigned.octets <= 12_000)
  }
  assert.ok(service.presigned.size > 3)
})

test('whatever happens in which order, what is given is what the registry says, once the log was followed', async () => {
  const certificates = [await newCertificate(), await newCertificate()]
  const step = fc.record({
    which: fc.nat(1),
    act: fc.constantFrom('ask', 'ask', 'ask', 'change', 'change silently', 'follow', 'renew', 'wait', 'elapse'),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async steps => {
      const { service, elapse } = await following({ presignedOctets: 5000 })
      /** Changes that the service was not told of and has not looked for yet. */
      const unseen = new Set<number>()
      for (const { which, act } of steps) {
        const { record, der, request } = certificates[which]!
        if (act === 'ask') {
          const before = service.ready(request)
          const { status } = (await instance.store.read.certificate(record.authorityId, record.serialNumber))!
          const wanted = status.kind === 'good' ? 'good' : 'revoked'
          if (before && !unseen.has(which)) assert.equal(stateOf(before.der), wanted)
          if (!before) assert.equal(stateOf((await service.answer(der)).der), wanted)
        } else if (act.startsWith('change')) {
          const { status } = (await instance.store.read.certificate(record.authorityId, record.serialNumber))!
          if (status.kind === 'good') await revokeCertificate(record, 'certificateHold', OPERATOR, instance)
          else await releaseCertificate(record, OPERATOR, instance)
          if (act === 'change') await service.follow().then(() => unseen.clear())
          else unseen.add(which)
        } else if (act === 'follow') await service.follow().then(() => unseen.clear())
        else if (act === 'renew') await service.renew()
        else if (act === 'wait') instance.clock.advance(1200)
        else elapse(1500)
      }
    }),
    { numRuns: 25 },
  )
})
