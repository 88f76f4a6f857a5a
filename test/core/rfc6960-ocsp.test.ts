// OCSP messages (RFC 6960 §4, RFC 9654, RFC 5019): round trips, limits, and `openssl ocsp` as judge and as peer.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import fc from 'fast-check'
import { parsePemBlock } from '../../src/core/asn1/pem.ts'
import { readDer } from '../../src/core/asn1/reader.ts'
import { writeDer } from '../../src/core/asn1/writer.ts'
import { fromHex, toHex } from '../../src/core/bytes/hex.ts'
import { encodeAlgorithmIdentifier } from '../../src/core/pki/algorithm-identifier.ts'
import { type Certificate, parseCertificate } from '../../src/core/pki/certificate.ts'
import { CRL_REASONS, type CrlReason } from '../../src/core/pki/crl-reason.ts'
import { extension } from '../../src/core/pki/extensions.ts'
import { encodeName, parseName } from '../../src/core/pki/name.ts'
import {
  type CertStatus,
  encodeCertId,
  encodeOcspError,
  encodeOcspRequest,
  encodeOcspResponse,
  encodeTbsRequest,
  encodeTbsResponseData,
  MAX_OCSP_REQUEST,
  MAX_OCSP_REQUESTS,
  OCSP_ERRORS,
  type OcspError,
  parseCertId,
  parseOcspRequest,
  parseOcspResponse,
} from '../../src/core/pki/ocsp.ts'
import {
  encodeAcceptableResponses,
  encodeArchiveCutoff,
  encodeExtendedRevoke,
  encodeNonce,
  findAcceptableResponses,
  findArchiveCutoff,
  findNonce,
  findPreferredSignatureAlgorithms,
  OCSP_OID,
} from '../../src/core/pki/ocsp-extensions.ts'
import { requireConformance } from '../support/conformance.ts'
import { assertOnlyTypedErrors } from '../support/mutate.ts'
import { requireTool } from '../support/tools.ts'

const SHA1 = '1.3.14.3.2.26'
const SHA256 = '2.16.840.1.101.3.4.2.1'
const NULL = new Uint8Array([5, 0])
const ECDSA_SHA256 = encodeAlgorithmIdentifier('1.2.840.10045.4.3.2')
const NAME = encodeName([[{ type: '2.5.4.3', value: 'Responder' }]])
const CERTIFICATE_LIKE = fromHex('30020500')

const certIdFields = (serialNumber: string) => ({
  hashAlgorithm: SHA256,
  issuerNameHash: new Uint8Array(32).fill(1),
  issuerKeyHash: new Uint8Array(32).fill(2),
  serialNumber,
})
const certId = (serialNumber: string) => encodeCertId(certIdFields(serialNumber))
const nonceExtension = (nonce: Uint8Array) => extension(OCSP_OID.nonce, false, encodeNonce(nonce))

const serial = fc.uint8Array({ minLength: 1, maxLength: 20 }).map(octets => {
  const hex = toHex(octets).replace(/^(00)+(?=..)/, '')
  return hex
})
const second = fc.integer({ min: 0, max: 253_402_300_799 })
const status: fc.Arbitrary<CertStatus> = fc.oneof(
  fc.constant({ kind: 'good' as const }),
  fc.constant({ kind: 'unknown' as const }),
  fc.record({
    kind: fc.constant('revoked' as const),
    revocationTime: second,
    reason: fc.constantFrom(undefined, ...(Object.keys(CRL_REASONS) as CrlReason[]).filter(r => r !== 'unspecified')),
  }),
)

describe('OCSP requests (RFC 6960 4.1)', () => {
  it('read back as written', () => {
    fc.assert(
      fc.property(
        fc.array(serial, { minLength: 1, maxLength: MAX_OCSP_REQUESTS }),
        fc.option(fc.uint8Array({ minLength: 1, maxLength: 128 }), { nil: undefined }),
        fc.boolean(),
        (serials, nonce, isSigned) => {
          const tbs = encodeTbsRequest({
            requestorName: isSigned ? { kind: 'dNSName', value: 'device.example' } : undefined,
            requests: serials.map(value => ({ certId: certId(value) })),
            extensions: nonce ? [nonceExtension(nonce)] : [],
          })
          const signature = {
            signatureAlgorithm: ECDSA_SHA256,
            signature: new Uint8Array(70),
            certificates: [CERTIFICATE_LIKE],
          }
          const der = encodeOcspRequest(tbs, isSigned ? signature : undefined)
          const request = parseOcspRequest(der)
          assert.deepEqual(request.raw, der)
          assert.deepEqual(request.tbs, tbs)
          assert.deepEqual(request.nonce, nonce)
          assert.deepEqual(
            request.requests.map(single => single.certId.serialNumber),
            serials,
          )
          assert.deepEqual(
            request.requests.map(single => single.certId.raw),
            serials.map(certId),
          )
          assert.equal(request.signature !== undefined, isSigned)
          assert.deepEqual(request.signature?.certificates ?? [], isSigned ? [CERTIFICATE_LIKE] : [])
          assert.equal(request.requestorName?.kind, isSigned ? 'dNSName' : undefined)
        },
      ),
      { numRuns: 200 },
    )
  })

  it('keep the extensions of a single request (4.1.1)', () => {
    const extensions = [extension(OCSP_OID.serviceLocator, false, NULL)]
    const request = parseOcspRequest(
      encodeOcspRequest(encodeTbsRequest({ requests: [{ certId: certId('01'), extensions }] })),
    )
    assert.deepEqual(request.requests[0]!.extensions, extensions)
  })

  it('ask about 1 to 64 certificates', () => {
    const ask = (count: number) =>
      encodeOcspRequest(encodeTbsRequest({ requests: Array.from({ length: count }, () => ({ certId: certId('01') })) }))
    assert.equal(parseOcspRequest(ask(64)).requests.length, 64)
    assert.throws(() => parseOcspRequest(ask(65)), { code: 'der.too_large' })
    assert.throws(() => parseOcspRequest(ask(0)), { code: 'der.value_invalid' })
  })

  it('have at most 64 KiB', () => {
    const large = extension('1.2.3', false, new Uint8Array(MAX_OCSP_REQUEST))
    const der = encodeOcspRequest(encodeTbsRequest({ requests: [{ certId: certId('01') }], extensions: [large] }))
    assert.throws(() => parseOcspRequest(der), { code: 'der.too_large' })
  })

  it('are refused with an explicit version, which DER leaves out', () => {
    const tbs = writeDer(w =>
      w.sequence(() => {
        w.constructed(0xa0, () => w.integer(0))
        w.sequence(() => w.sequence(() => w.raw(certId('01'))))
      }),
    )
    assert.throws(() => parseOcspRequest(encodeOcspRequest(tbs)), { code: 'der.value_invalid' })
  })
})

describe('CertID (RFC 6960 4.1.1)', () => {
  it('is kept octet for octet, whatever parameters its hash has', () => {
    for (const hashAlgorithmParameters of [undefined, NULL]) {
      const der = encodeCertId({ ...certIdFields('00ff'), hashAlgorithmParameters })
      const parsed = readDer(der, parseCertId)
      assert.deepEqual(parsed.raw, der)
      assert.equal(parsed.hashAlgorithm.oid, SHA256)
      assert.equal(parsed.serialNumber, 'ff')
      assert.deepEqual(parsed.hashAlgorithm.parameters, hashAlgorithmParameters)
    }
  })
})

describe('nonces (RFC 9654 2.1)', () => {
  it('have 1 to 128 octets, in what we write and in what we read', () => {
    for (const length of [1, 16, 32, 128]) {
      const nonce = new Uint8Array(length).fill(7)
      assert.deepEqual(findNonce([nonceExtension(nonce)]), nonce)
    }
    for (const length of [0, 129]) {
      const nonce = new Uint8Array(length)
      assert.throws(() => encodeNonce(nonce), { code: 'der.value_invalid' })
      const value = writeDer(w => w.octetString(nonce))
      const tbs = encodeTbsRequest({
        requests: [{ certId: certId('01') }],
        extensions: [extension(OCSP_OID.nonce, false, value)],
      })
      assert.throws(() => parseOcspRequest(encodeOcspRequest(tbs)), { code: 'der.value_invalid', kind: 'malformed' })
    }
  })

  it('are refused where they are no OCTET STRING', () => {
    assert.throws(() => findNonce([extension(OCSP_OID.nonce, false, fromHex('020105'))]), {
      code: 'der.tag_unexpected',
    })
  })
})

describe('other extensions (RFC 6960 4.4)', () => {
  it('says the archive cutoff (4.4.4)', () => {
    const cutoff = extension(OCSP_OID.archiveCutoff, false, encodeArchiveCutoff(1_600_000_000))
    assert.equal(findArchiveCutoff([cutoff]), 1_600_000_000)
    assert.equal(findArchiveCutoff([]), undefined)
  })

  it('says extended revoke as NULL (4.4.8)', () => {
    assert.equal(toHex(encodeExtendedRevoke()), '0500')
  })

  it('reads the response types that a client takes (4.4.3)', () => {
    const basic = extension(OCSP_OID.response, false, encodeAcceptableResponses())
    assert.deepEqual(findAcceptableResponses([basic]), [OCSP_OID.basic])
    assert.equal(findAcceptableResponses([]), undefined)
    assert.throws(() => findAcceptableResponses([extension(OCSP_OID.response, false, fromHex('0500'))]), {
      code: 'der.tag_unexpected',
    })
  })

  it('reads the preferred signature algorithms in order (4.4.7.1)', () => {
    const value = writeDer(w =>
      w.sequence(() => {
        w.sequence(() => w.raw(ECDSA_SHA256))
        w.sequence(() => w.raw(encodeAlgorithmIdentifier('1.3.101.112')).sequence(() => w.oid('1.3.101.112')))
      }),
    )
    const list = findPreferredSignatureAlgorithms([extension(OCSP_OID.preferredSignatureAlgorithms, false, value)])
    assert.deepEqual(
      list.map(({ signature, publicKey }) => [signature.oid, publicKey?.oid]),
      [
        ['1.2.840.10045.4.3.2', undefined],
        ['1.3.101.112', '1.3.101.112'],
      ],
    )
    assert.deepEqual(findPreferredSignatureAlgorithms([]), [])
  })
})

describe('OCSP responses (RFC 6960 4.2)', () => {
  it('read back as written', () => {
    const single = fc.record({
      serialNumber: serial,
      status,
      thisUpdate: second,
      nextUpdate: fc.option(second, { nil: undefined }),
    })
    fc.assert(
      fc.property(
        fc.array(single, { minLength: 1, maxLength: 10 }),
        fc.boolean(),
        second,
        fc.option(fc.uint8Array({ minLength: 1, maxLength: 32 }), { nil: undefined }),
        (singles, isByName, producedAt, nonce) => {
          const tbs = encodeTbsResponseData({
            responderId: isByName ? { kind: 'byName', name: NAME } : { kind: 'byKey', keyHash: new Uint8Array(20) },
            producedAt,
            responses: singles.map(({ serialNumber, ...rest }) => ({ certId: certId(serialNumber), ...rest })),
            extensions: nonce ? [nonceExtension(nonce)] : [],
          })
          const signature = new Uint8Array(70).fill(9)
          const certificates = isByName ? [CERTIFICATE_LIKE] : []
          const der = encodeOcspResponse({ tbs, signatureAlgorithm: ECDSA_SHA256, signature, certificates })
          const { responseStatus, basic } = parseOcspResponse(der)
          assert.equal(responseStatus, 'successful')
          assert.ok(basic)
          assert.deepEqual(basic.tbs, tbs)
          assert.deepEqual(basic.signature, signature)
          assert.deepEqual(basic.certificates, certificates)
          assert.equal(basic.producedAt, producedAt)
          assert.deepEqual(basic.nonce, nonce)
          assert.equal(basic.responderId.kind, isByName ? 'byName' : 'byKey')
          assert.deepEqual(
            basic.responses.map(response => ({
              serialNumber: response.certId.serialNumber,
              status: response.status,
              thisUpdate: response.thisUpdate,
              nextUpdate: response.nextUpdate,
            })),
            singles.map(value => ({ ...value, status: { ...value.status } })),
          )
        },
      ),
      { numRuns: 200 },
    )
  })

  it('leaves a reason of unspecified out', () => {
    const encode = (reason: CrlReason | undefined) =>
      encodeTbsResponseData({
        responderId: { kind: 'byName', name: NAME },
        producedAt: 0,
        responses: [{ certId: certId('01'), status: { kind: 'revoked', revocationTime: 0, reason }, thisUpdate: 0 }],
      })
    assert.deepEqual(encode('unspecified'), encode(undefined))
  })

  it('names every error with its number, and has no content with it (4.2.1)', () => {
    const numbers = { malformedRequest: 1, internalError: 2, tryLater: 3, sigRequired: 5, unauthorized: 6 }
    assert.deepEqual(OCSP_ERRORS, numbers)
    for (const name of Object.keys(OCSP_ERRORS) as OcspError[]) {
      const der = encodeOcspError(name)
      assert.equal(toHex(der), `30030a010${OCSP_ERRORS[name]}`)
      const response = parseOcspResponse(der)
      assert.equal(response.responseStatus, name)
      assert.equal(response.basic, undefined)
    }
    for (const bad of ['30030a0104', '30030a0107', '30030a0100']) {
      assert.throws(() => parseOcspResponse(fromHex(bad)), { code: 'der.value_invalid' }, bad)
    }
  })

  it('refuses a response that is not a basic one (4.2.1)', () => {
    const der = writeDer(w =>
      w.sequence(() => {
        w.integer(0, 0x0a)
        w.constructed(0xa0, () => w.sequence(() => w.oid('1.2.3').octetString(NULL)))
      }),
    )
    assert.throws(() => parseOcspResponse(der), { code: 'der.value_invalid' })
  })
})

describe('judges from outside', () => {
  const folder = mkdtempSync(join(tmpdir(), 'touchmark-ocsp-'))
  after(() => rmSync(folder, { recursive: true }))
  const at = (name: string) => join(folder, name)
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  const readCertificate = (name: string) =>
    parseCertificate(parsePemBlock(readFileSync(at(name), 'utf8'), 'CERTIFICATE'))

  function makeAuthority(): { ca: Certificate; device: Certificate; idOf: (hash: 'sha1' | 'sha256') => Uint8Array } {
    const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    openssl('req', '-x509', ...ec, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=Judge CA')
    openssl('req', '-new', ...ec.slice(0, 5), '-keyout', 'dev.key', '-out', 'dev.csr', '-subj', '/CN=unit 7')
    openssl(
      'x509',
      '-req',
      '-in',
      'dev.csr',
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-out',
      'dev.pem',
      '-days',
      '1',
      '-set_serial',
      '0xa1b2c3',
    )
    const ca = readCertificate('ca.pem')
    const device = readCertificate('dev.pem')
    const hash = (name: string, octets: Uint8Array) => new Uint8Array(createHash(name).update(octets).digest())
    const idOf = (name: 'sha1' | 'sha256') =>
      encodeCertId({
        hashAlgorithm: name === 'sha1' ? SHA1 : SHA256,
        hashAlgorithmParameters: NULL,
        issuerNameHash: hash(name, ca.subject.raw),
        issuerKeyHash: hash(name, ca.subjectPublicKeyInfo.publicKey),
        serialNumber: device.serialNumber,
      })
    return { ca, device, idOf }
  }

  it('openssl ocsp reads our requests, and we its requests', t => {
    if (!requireTool(t, 'openssl')) return
    const { idOf, device } = makeAuthority()
    const tbs = encodeTbsRequest({
      requests: [{ certId: idOf('sha1') }, { certId: idOf('sha256') }],
      extensions: [nonceExtension(new Uint8Array(32).fill(0xab))],
    })
    writeFileSync(at('ours.der'), encodeOcspRequest(tbs))
    const text = openssl('ocsp', '-reqin', 'ours.der', '-req_text')
    assert.match(text, /Hash Algorithm: sha1[\s\S]*Serial Number: A1B2C3[\s\S]*Hash Algorithm: sha256/)
    assert.match(text, /OCSP Nonce:\s+0420ABAB/)

    openssl(
      'ocsp',
      '-issuer',
      'ca.pem',
      '-sha256',
      '-cert',
      'dev.pem',
      '-sha1',
      '-cert',
      'dev.pem',
      '-reqout',
      'theirs.der',
    )
    const theirs = parseOcspRequest(new Uint8Array(readFileSync(at('theirs.der'))))
    assert.equal(theirs.requests.length, 2)
    for (const { certId: id } of theirs.requests) assert.equal(id.serialNumber, device.serialNumber)
    const ours = [idOf('sha256'), idOf('sha1')]
    assert.deepEqual(
      theirs.requests.map(single => single.certId.raw),
      ours,
    )
    assert.equal(theirs.nonce?.length, 16)

    openssl(
      'ocsp',
      '-issuer',
      'ca.pem',
      '-cert',
      'dev.pem',
      '-signer',
      'dev.pem',
      '-signkey',
      'dev.key',
      '-reqout',
      'signed.der',
    )
    const signedRequest = parseOcspRequest(new Uint8Array(readFileSync(at('signed.der'))))
    assert.ok(signedRequest.signature)
    const key = createPublicKey(createPrivateKey(readFileSync(at('dev.key'))))
    assert.ok(verify('sha256', signedRequest.tbs, key, signedRequest.signature.signature))
    assert.equal(signedRequest.requestorName?.kind, 'directoryName')
    assert.deepEqual(signedRequest.signature.certificates[0], device.raw)
  })

  it('openssl ocsp verifies our responses', t => {
    if (!requireTool(t, 'openssl')) return
    const { ca, idOf } = makeAuthority()
    const key = createPrivateKey(readFileSync(at('ca.key')))
    const now = Math.floor(Date.now() / 1000)
    const statuses: [CertStatus, RegExp][] = [
      [{ kind: 'good' }, /dev\.pem: good/],
      [{ kind: 'unknown' }, /dev\.pem: unknown/],
      [{ kind: 'revoked', revocationTime: now - 60, reason: 'keyCompromise' }, /dev\.pem: revoked[\s\S]*keyCompromise/],
      [{ kind: 'revoked', revocationTime: now - 60 }, /dev\.pem: revoked/],
    ]
    const responderIds = [
      { kind: 'byName' as const, name: ca.subject.raw },
      {
        kind: 'byKey' as const,
        keyHash: new Uint8Array(createHash('sha1').update(ca.subjectPublicKeyInfo.publicKey).digest()),
      },
    ]
    for (const responderId of responderIds) {
      for (const [certStatus, wanted] of statuses) {
        const tbs = encodeTbsResponseData({
          responderId,
          producedAt: now,
          responses: [
            {
              certId: idOf('sha1'),
              status: certStatus,
              thisUpdate: now - 5,
              nextUpdate: now + 600,
              extensions: [extension(OCSP_OID.archiveCutoff, false, encodeArchiveCutoff(now - 1000))],
            },
          ],
          extensions: [extension(OCSP_OID.extendedRevoke, false, encodeExtendedRevoke())],
        })
        const signature = sign('sha256', tbs, key)
        const der = encodeOcspResponse({ tbs, signatureAlgorithm: ECDSA_SHA256, signature, certificates: [ca.raw] })
        writeFileSync(at('response.der'), der)
        const args = [
          'ocsp',
          '-respin',
          'response.der',
          '-issuer',
          'ca.pem',
          '-cert',
          'dev.pem',
          '-CAfile',
          'ca.pem',
          '-no_nonce',
        ]
        const run = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' })
        assert.match(run.stderr, /Response verify OK/)
        assert.match(run.stdout, wanted)
      }
    }
  })

  it('ocsptool reads our requests and verifies our responses', t => {
    if (!requireTool(t, 'openssl') || !requireTool(t, 'ocsptool')) return
    const { ca, idOf } = makeAuthority()
    const ocsptool = (...args: string[]) => {
      const run = spawnSync('ocsptool', args, { cwd: folder, encoding: 'utf8' })
      return `${run.stdout}${run.stderr}`
    }
    const tbs = encodeTbsRequest({
      requests: [{ certId: idOf('sha256') }],
      extensions: [nonceExtension(new Uint8Array(23).fill(0xab))],
    })
    writeFileSync(at('ours.der'), encodeOcspRequest(tbs))
    const request = ocsptool('--request-info', '--infile', 'ours.der')
    assert.match(request, /Hash Algorithm: SHA256[\s\S]*Serial Number: (00)?a1b2c3[\s\S]*Nonce: (ab){23}/)
    const now = Math.floor(Date.now() / 1000)
    const data = encodeTbsResponseData({
      responderId: { kind: 'byName', name: ca.subject.raw },
      producedAt: now,
      responses: [{ certId: idOf('sha1'), status: { kind: 'good' }, thisUpdate: now - 5, nextUpdate: now + 600 }],
    })
    const signature = sign('sha256', data, createPrivateKey(readFileSync(at('ca.key'))))
    writeFileSync(at('r.der'), encodeOcspResponse({ tbs: data, signatureAlgorithm: ECDSA_SHA256, signature }))
    assert.match(ocsptool('--response-info', '--infile', 'r.der'), /Certificate Status: good/)
    const verdict = ocsptool('--verify-response', '--infile', 'r.der', '--load-trust', 'ca.pem')
    assert.match(verdict, /Verifying OCSP Response: Success/)
  })

  it('we read and verify what openssl answers', t => {
    if (!requireTool(t, 'openssl')) return
    const { ca, device } = makeAuthority()
    writeFileSync(at('index.txt'), `R\t491231235959Z\t240101000000Z,superseded\tA1B2C3\tunknown\t/CN=unit 7\n`)
    openssl('ocsp', '-issuer', 'ca.pem', '-cert', 'dev.pem', '-serial', '0x99', '-reqout', 'req.der')
    openssl(
      'ocsp',
      '-index',
      'index.txt',
      '-CA',
      'ca.pem',
      '-rsigner',
      'ca.pem',
      '-rkey',
      'ca.key',
      '-reqin',
      'req.der',
      '-respout',
      'resp.der',
      '-nmin',
      '5',
    )
    const request = parseOcspRequest(new Uint8Array(readFileSync(at('req.der'))))
    const { basic } = parseOcspResponse(new Uint8Array(readFileSync(at('resp.der'))))
    assert.ok(basic)
    assert.deepEqual(basic.nonce, request.nonce)
    assert.deepEqual(
      basic.responses.map(response => [response.certId.serialNumber, response.status]),
      [
        [device.serialNumber, { kind: 'revoked', revocationTime: 1_704_067_200, reason: 'superseded' }],
        ['99', { kind: 'unknown' }],
      ],
    )
    const key = createPublicKey(createPrivateKey(readFileSync(at('ca.key'))))
    assert.ok(verify('sha256', basic.tbs, key, basic.signature))
    assert.deepEqual(basic.certificates[0], ca.raw)
    assert.equal(basic.responderId.kind, 'byName')
    assert.deepEqual(
      readDer(ca.subject.raw, parseName).rdns,
      basic.responderId.kind === 'byName' && basic.responderId.name.rdns,
    )
  })

  it('reads the responses of the OpenSSL test suite, and tells good signatures from spoiled ones', t => {
    const suite = requireConformance(t, 'openssl-tests/ocsp-tests')
    if (!suite) return
    const read = (name: string) => Uint8Array.from(Buffer.from(readFileSync(join(suite, name), 'latin1'), 'base64'))
    const responses = readdirSync(suite).filter(name => name.endsWith('.ors'))
    assert.equal(responses.length, 36)
    const isGenuine = (name: string): boolean => {
      const { basic } = parseOcspResponse(read(name))
      assert.ok(basic, name)
      const [, base] = /(N?D[123])\.ors$/.exec(name)!
      const issuerFile = readdirSync(suite).find(file => file.startsWith(`${base}_Issuer`))!
      const issuer = parsePemBlock(readFileSync(join(suite, issuerFile), 'latin1'), 'CERTIFICATE')
      const signer = parseCertificate(basic.certificates[0] ?? issuer)
      const key = createPublicKey({ key: Buffer.from(signer.subjectPublicKeyInfo.raw), format: 'der', type: 'spki' })
      // The suite is from 2012: all of it is signed with sha1WithRSAEncryption.
      assert.equal(basic.signatureAlgorithm.oid, '1.2.840.113549.1.1.5')
      return verify('sha1', basic.tbs, key, basic.signature)
    }
    for (const name of responses) {
      // IS…: invalid signature, of the response (OP) or of the delegated signer's certificate (DOSC), which is not judged here;
      // WK…: wrong key of the delegated signer; WI…, WR…: another issuer or responder is named than the one that signed.
      const isSpoiled = name.startsWith('ISOP') || name.startsWith('WKDOSC')
      if (/^N?D[123]\.ors$/.test(name)) assert.ok(isGenuine(name), name)
      if (isSpoiled) assert.ok(!isGenuine(name), name)
      const { basic } = parseOcspResponse(read(name))
      assert.equal(basic?.responses[0]?.status.kind, 'good')
    }
  })

  it('mutated messages give typed errors only', () => {
    const request = encodeOcspRequest(
      encodeTbsRequest({
        requestorName: { kind: 'dNSName', value: 'a.example' },
        requests: [{ certId: certId('01') }, { certId: certId('7fffff') }],
        extensions: [nonceExtension(new Uint8Array(16))],
      }),
      { signatureAlgorithm: ECDSA_SHA256, signature: new Uint8Array(8), certificates: [CERTIFICATE_LIKE] },
    )
    assertOnlyTypedErrors([request], parseOcspRequest, 4000)
    const tbs = encodeTbsResponseData({
      responderId: { kind: 'byName', name: NAME },
      producedAt: 1,
      responses: [
        { certId: certId('01'), status: { kind: 'good' }, thisUpdate: 1, nextUpdate: 2 },
        { certId: certId('02'), status: { kind: 'revoked', revocationTime: 3, reason: 'superseded' }, thisUpdate: 1 },
      ],
      extensions: [nonceExtension(new Uint8Array(16))],
    })
    const response = encodeOcspResponse({ tbs, signatureAlgorithm: ECDSA_SHA256, signature: new Uint8Array(8) })
    assertOnlyTypedErrors([response, encodeOcspError('tryLater')], parseOcspResponse, 4000)
  })
})
