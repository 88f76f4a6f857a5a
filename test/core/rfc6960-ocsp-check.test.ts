// RFC 6960 §3.2 and §4.2.2.2: which OCSP responses may be believed. The judge is OpenSSL's collection of good and broken ones.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parsePemBlock } from '../../src/core/asn1/pem.ts'
import { parseCertificate } from '../../src/core/pki/certificate.ts'
import { parseOcspResponse } from '../../src/core/pki/ocsp.ts'
import { checkOcspResponse, type OcspCheck } from '../../src/core/pki/ocsp-check.ts'
import { verifyLegacySignature } from '../../src/crypto/verify-legacy.ts'
import { requireConformance } from '../support/conformance.ts'

const HASHES: Readonly<Record<string, string>> = { '1.3.14.3.2.26': 'sha1', '2.16.840.1.101.3.4.2.1': 'sha256' }

function checkOf(folder: string, response: string, issuer: string, change: Partial<OcspCheck> = {}): OcspCheck {
  const { basic } = parseOcspResponse(
    new Uint8Array(Buffer.from(readFileSync(join(folder, response), 'latin1'), 'base64')),
  )
  assert.ok(basic)
  return {
    response: basic,
    serialNumber: basic.responses[0]!.certId.serialNumber,
    issuer: parseCertificate(parsePemBlock(readFileSync(join(folder, issuer), 'utf8'), 'CERTIFICATE')),
    at: basic.producedAt + 60,
    verify: verifyLegacySignature,
    hash: (oid, octets) => {
      const name = HASHES[oid]
      return name === undefined ? undefined : new Uint8Array(createHash(name).update(octets).digest())
    },
    ...change,
  }
}

/** What each kind of file breaks, and how we say so. */
const BROKEN: Readonly<Record<string, readonly string[]>> = {
  ISOP: ['ocsp.signature_invalid'],
  WRID: ['ocsp.responder_unknown'],
  WINH: ['ocsp.other_certificate'],
  WIKH: ['ocsp.other_certificate'],
  WKDOSC: ['ocsp.responder_unknown', 'ocsp.responder_unauthorized'],
  ISDOSC: ['ocsp.responder_unauthorized'],
}

test('every response of OpenSSL’s collection is believed or refused as OpenSSL does', t => {
  const folder = requireConformance(t, 'openssl-tests/ocsp-tests')
  if (folder === undefined) return
  let asked = 0
  const answer = (response: string, issuer: string) => {
    asked++
    const verdict = checkOcspResponse(checkOf(folder, response, issuer))
    return verdict.ok ? 'believed' : verdict.code
  }
  const issuers = (name: string) =>
    readdirSync(folder).find(file => new RegExp(`^${name}_Issuer_(ICA|Root)\\.pem$`).test(file))!
  for (const file of readdirSync(folder).filter(name => name.endsWith('.ors'))) {
    const [, broken, which] = /^(?:([A-Z]+)_)?(N?D[1-3])\.ors$/.exec(file)!
    const outcome = answer(file, issuers(which!))
    if (broken === undefined) assert.equal(outcome, 'believed', file)
    else assert.ok(BROKEN[broken]!.includes(outcome), `${file}: ${outcome}`)
    if (broken !== undefined) continue
    // The same answer against an issuer with another key or another name, and one whose own signature is broken, which is not ours to ask.
    assert.equal(answer(file, issuers(`WKIC_${which}`)), 'ocsp.other_certificate', `WKIC_${which}`)
    assert.equal(answer(file, issuers(`WSNIC_${which}`)), 'ocsp.other_certificate', `WSNIC_${which}`)
    assert.equal(answer(file, issuers(`ISIC_${which}`)), 'believed', `ISIC_${which}`)
  }
  assert.equal(asked, 36 + 18)
  const certificates = readdirSync(folder).filter(file => /_Cert_/.test(file))
  for (const file of certificates) {
    const [which] = file.split('_')
    const { serialNumber } = parseCertificate(parsePemBlock(readFileSync(join(folder, file), 'utf8'), 'CERTIFICATE'))
    const verdict = checkOcspResponse(checkOf(folder, `${which}.ors`, issuers(which!), { serialNumber }))
    assert.ok(verdict.ok, `${file}: the response is about the certificate beside it`)
    assert.equal(verdict.delegated, which!.startsWith('D'))
  }
  assert.equal(certificates.length, 6)
  // Cross-certified: the same name and key under another certificate answer alike.
  assert.equal(answer('ND1.ors', 'ND1_Issuer_ICA-Cross.pem'), 'believed')
  assert.ok(existsSync(join(folder, 'ND1_Cross_Root.pem')))
})

test('times, nonce and serial number decide', t => {
  const folder = requireConformance(t, 'openssl-tests/ocsp-tests')
  if (folder === undefined) return
  const code = (change: Partial<OcspCheck>) => {
    const verdict = checkOcspResponse(checkOf(folder, 'D1.ors', 'D1_Issuer_ICA.pem', change))
    return verdict.ok ? 'believed' : verdict.code
  }
  assert.equal(code({}), 'believed')
  assert.equal(code({ at: 1_700_000_000 }), 'ocsp.stale')
  assert.equal(code({ at: 1_000_000_000 }), 'ocsp.not_yet_valid')
  assert.equal(code({ serialNumber: '01' }), 'ocsp.other_certificate')
  assert.equal(code({ nonce: new Uint8Array(32) }), 'ocsp.nonce_differs')
  assert.equal(code({ verify: () => false }), 'ocsp.responder_unauthorized')
  assert.equal(code({ hash: () => undefined }), 'ocsp.other_certificate')
})
