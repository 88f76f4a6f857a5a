// Attack: a revoked certificate tries its luck where nothing is issued. Every refusal is evidence, whichever door it was at.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY } from '../../src/core/bytes/bytes.ts'
import { revokeCertificate } from '../../src/domain/revocation/revoke.ts'
import { createWhoamiRoute } from '../../src/server/whoami.ts'
import { auditLog, bornDevice, NOBODY, OPERATOR, testInstance } from '../support/instance.ts'

test('a revoked certificate at /whoami is refused and written down, once a minute, without an address', async t => {
  const instance = await testInstance(t)
  const { record } = await bornDevice(instance)
  const route = createWhoamiRoute(instance)
  const knock = () =>
    route.handle({
      method: 'GET',
      path: '/whoami',
      query: new URLSearchParams(),
      headers: {},
      body: EMPTY,
      peer: { ...NOBODY, certificates: [new Uint8Array(record.der)] },
      params: {},
      signal: new AbortController().signal,
      id: 'test',
    })
  assert.equal((await knock()).status, 200)
  await revokeCertificate(record, 'keyCompromise', OPERATOR, instance)
  for (let i = 0; i < 3; i++) await assert.rejects(knock(), { code: 'evidence.certificate_revoked', kind: 'forbidden' })
  const refusals = (await auditLog(instance)).filter(entry => entry.action === 'access.refused')
  assert.deepEqual(
    refusals.map(({ code, detail }) => [code, detail?.['operation'], detail?.['serialNumber']]),
    [['evidence.certificate_revoked', 'whoami', record.serialNumber]],
  )
  assert.ok(!JSON.stringify(refusals).includes(NOBODY.address))
})
