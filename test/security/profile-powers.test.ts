// Attack by mistake: a profile for devices that gives powers over the authority that issues it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalogueProfile } from '../../src/domain/ca/catalogue.ts'
import { parseProfile } from '../../src/domain/ca/profile.ts'
import type { ProfileConfig } from '../../src/domain/ca/profile-config.ts'

const ldevid = catalogueProfile('ldevid')!
const powers: Readonly<Record<string, Partial<ProfileConfig>>> = {
  'a CA': { basicConstraints: { cA: true }, keyUsage: ['keyCertSign'] },
  'a CA by a private extension': { privateExtensions: [{ oid: '2.5.29.19', critical: true, der: '30030101ff' }] },
  'an OCSP responder': { extendedKeyUsage: { purposes: ['OCSPSigning'] } },
  'an OCSP responder, by OID': { extendedKeyUsage: { purposes: ['1.3.6.1.5.5.7.3.9'] } },
}

for (const [what, change] of Object.entries(powers)) {
  test(`no device profile makes ${what} (RFC 5280 4.2.1.9, RFC 6960 4.2.2.2)`, () => {
    assert.throws(() => parseProfile({ ...ldevid, ...change }), { code: 'profile.invalid' })
  })
}
