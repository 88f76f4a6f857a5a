// Evidence of status that somebody brings: the OCSP responses and status artefacts of this platform, judged by somebody who has only its roots.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { copyBytes } from '../../../src/core/bytes/bytes.ts'
import { type Certificate, parseCertificate } from '../../../src/core/pki/certificate.ts'
import { parseOcspResponse } from '../../../src/core/pki/ocsp.ts'
import type { CertificateRecord } from '../../../src/domain/ca/certificate-record.ts'
import { authorityId } from '../../../src/domain/ids.ts'
import { revokeCertificate } from '../../../src/domain/revocation/revoke.ts'
import {
  DEFAULT_STATUS_SCHEDULE,
  rebuildStatus,
  statusPublicationName,
} from '../../../src/domain/revocation/status-artefact.ts'
import { statusIssuer } from '../../../src/domain/revocation/status-signers.ts'
import { artefactStatus } from '../../../src/domain/verdict/status-evidence.ts'
import { reachVerdict, type VerdictQuestion } from '../../../src/domain/verdict/verdict.ts'
import { statusBuilder } from '../../../src/server/status-builder.ts'
import { bornDevice, OPERATOR, type TestInstance, testInstance } from '../../support/instance.ts'
import { ask, certId, testResponder } from '../../support/ocsp.ts'

const IDEVID = authorityId('idevid-1')

const parsed = (der: Uint8Array): Certificate => parseCertificate(copyBytes(der))

/** Somebody with our roots and no registry. */
async function outsider(instance: TestInstance) {
  const anchors = (await instance.authorities.trustBundle()).map(parsed)
  const intermediates = (await instance.authorities.chain(IDEVID)).map(parsed)
  return async (record: CertificateRecord, evidence: Partial<VerdictQuestion>) => {
    const at = instance.clock.now()
    const { code } = await reachVerdict({
      leaf: parsed(record.der),
      intermediates,
      trust: { anchors },
      at,
      ...evidence,
    })
    return code
  }
}

test('OCSP responses and status artefacts', async (t: TestContext) => {
  const instance = await testInstance(t)
  const judge = await outsider(instance)
  const { record: good } = await bornDevice(instance)
  const { record: revoked } = await bornDevice(instance)
  await revokeCertificate(revoked, 'keyCompromise', OPERATOR, instance)

  await t.test('OCSP: good and revoked, for whom it is about, and for as long as it says', async () => {
    const { service } = await testResponder(instance)
    const respond = async (record: CertificateRecord) => {
      const { basic } = parseOcspResponse((await service.answer(ask([await certId(instance, record, 'sha256')]))).der)
      return [basic!]
    }
    const ocsp = await respond(good)
    assert.equal(await judge(good, { ocsp }), 'good')
    assert.equal(await judge(revoked, { ocsp: await respond(revoked) }), 'path.revoked')
    assert.equal(await judge(revoked, { ocsp }), 'path.revocation_unknown', 'about another certificate')
    assert.equal(await judge(good, { ocsp, at: instance.clock.now() + 86_400 }), 'path.revocation_unknown')
    const forged = [{ ...ocsp[0]!, signature: new Uint8Array(ocsp[0]!.signature).reverse() }]
    assert.equal(await judge(good, { ocsp: forged }), 'path.revocation_unknown')
  })

  await t.test('artefact: good and revoked, and neither once it is old or the certificate is newer', async () => {
    instance.clock.advance(120)
    const ports = { store: instance.store, clock: instance.clock, schedule: DEFAULT_STATUS_SCHEDULE }
    await rebuildStatus((await statusIssuer(IDEVID, instance))!, statusBuilder, ports)
    const bytes = copyBytes((await instance.store.read.publication(statusPublicationName(IDEVID)))!.bytes)
    const evidence = { sources: [artefactStatus(bytes)] }
    assert.equal(await judge(good, evidence), 'good')
    assert.equal(await judge(revoked, evidence), 'path.revoked')
    instance.clock.advance(60)
    const { record: newer } = await bornDevice(instance)
    assert.equal(await judge(newer, evidence), 'path.revocation_unknown')
    const later = instance.clock.now() + 3 * 365 * 86_400
    assert.equal(await judge(revoked, { ...evidence, at: later }), 'path.revoked', 'revoked is for good')
    assert.equal(await judge(good, { ...evidence, at: later }), 'path.revocation_unknown')
    const broken = bytes.slice()
    broken[broken.length - 1]! ^= 1
    assert.equal(await judge(good, { sources: [artefactStatus(broken)] }), 'path.revocation_unknown')
    assert.equal(await judge(good, { sources: [artefactStatus(bytes.slice(0, 40))] }), 'path.revocation_unknown')
  })
})
