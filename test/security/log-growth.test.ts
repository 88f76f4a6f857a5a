// Attack, or the calendar: what grows the log by itself. An entry that is written every minute for ever is a disk that fills.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authorityId } from '../../src/domain/ids.ts'
import { DEFAULT_CRL_SCHEDULE } from '../../src/domain/revocation/crl-schedule.ts'
import { crlPublicationName } from '../../src/domain/revocation/crl-series.ts'
import { publishDueCrls } from '../../src/domain/revocation/crl-work.ts'
import { testInstance } from '../support/instance.ts'

const LDEVID = authorityId('ldevid-1')
const DAY = 86_400

test('an authority in its last days and after them publishes a CRL to its end, once, and not one a minute', async t => {
  const instance = await testInstance(t)
  const { store, clock } = instance
  const issuer = await instance.authorities.signing(LDEVID)
  const end = issuer.certificate.notAfter
  const look = () => publishDueCrls(issuer, () => 'http://pki.example.test', DEFAULT_CRL_SCHEDULE, { store, clock })
  clock.advance(end - 3 * DAY - clock.now())
  const published: number[] = []
  for (const days of [0, 0, 1, 1, 0.5, 3, 30]) {
    clock.advance(days * DAY + 60)
    published.push(await look())
  }
  assert.deepEqual(published, [1, 0, 0, 0, 0, 0, 0])
  assert.equal((await store.read.publication(crlPublicationName(LDEVID, 0)))?.nextUpdate, end)
})
