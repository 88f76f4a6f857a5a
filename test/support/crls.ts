// CRLs for tests, signed with the keys of `certificates.ts`: any scope, any extension, and entries of others in indirect ones.
import { contextConstructed } from '../../src/core/asn1/tag.ts'
import { DerWriter, writeDer } from '../../src/core/asn1/writer.ts'
import { fromHex } from '../../src/core/bytes/hex.ts'
import type { Certificate } from '../../src/core/pki/certificate.ts'
import {
  type CertificateList,
  encodeCrlEntry,
  encodeTbsCertList,
  parseCertificateList,
} from '../../src/core/pki/crl.ts'
import {
  encodeCrlNumber,
  encodeDeltaCrlIndicator,
  encodeIssuingDistributionPoint,
  type IssuingDistributionPoint,
} from '../../src/core/pki/crl-extensions.ts'
import type { CrlReason } from '../../src/core/pki/crl-reason.ts'
import { type Extension, writeExtensions } from '../../src/core/pki/extension.ts'
import { encodeAuthorityKeyIdentifier, extension } from '../../src/core/pki/extensions.ts'
import { writeGeneralNames } from '../../src/core/pki/general-name.ts'
import { OID } from '../../src/core/pki/oids.ts'
import { ECDSA_SHA256, type Key, type Made, signTbs, TEST_NOW } from './certificates.ts'

export interface CrlOptions {
  readonly issuer: Made
  /** Absent: the issuer's. */
  readonly key?: Key
  readonly revoked?: readonly (readonly [certificate: Certificate, reason?: CrlReason])[]
  /** Absent: 1; `undefined` said aloud: none. */
  readonly number?: number | undefined
  /** Of the base: makes it a delta. */
  readonly base?: number
  readonly scope?: IssuingDistributionPoint
  readonly thisUpdate?: number
  readonly nextUpdate?: number
  readonly extensions?: readonly Extension[]
}

/** A CRL in force for a day before and a day after TEST_NOW, with key identifier and number, changed as the options say. */
export function makeCrl(options: CrlOptions): CertificateList {
  const key = options.key ?? options.issuer.key
  const number = 'number' in options ? options.number : 1
  const issuer = options.issuer.certificate.subject.raw
  const tbs = encodeTbsCertList(
    {
      issuer,
      signatureAlgorithm: ECDSA_SHA256,
      thisUpdate: options.thisUpdate ?? TEST_NOW - 86400,
      nextUpdate: options.nextUpdate ?? TEST_NOW + 86400,
      extensions: [
        extension(OID.authorityKeyIdentifier, false, encodeAuthorityKeyIdentifier({ keyIdentifier: key.identifier })),
        ...(number === undefined ? [] : [extension(OID.cRLNumber, false, encodeCrlNumber(number))]),
        ...(options.base === undefined
          ? []
          : [extension(OID.deltaCRLIndicator, true, encodeDeltaCrlIndicator(options.base))]),
        ...(options.scope
          ? [extension(OID.issuingDistributionPoint, true, encodeIssuingDistributionPoint(options.scope))]
          : []),
        ...(options.extensions ?? []),
      ],
    },
    (options.revoked ?? []).map(([certificate, reason]) => ({
      serialNumber: fromHex(certificate.serialNumber),
      revocationDate: TEST_NOW - 3600,
      reason,
    })),
  )
  return parseCertificateList(signTbs(tbs, key))
}

/** An indirect CRL: each entry with its certificateIssuer. */
export function makeIndirectCrl(issuer: Made, revoked: readonly Certificate[]): CertificateList {
  const entries = revoked.map(certificate => {
    const plain = encodeCrlEntry({ serialNumber: fromHex(certificate.serialNumber), revocationDate: TEST_NOW - 3600 })
    const named = writeDer(w => writeGeneralNames(w, [{ kind: 'directoryName', name: certificate.issuer }]))
    return writeDer(w =>
      w.sequence(() => {
        // The content of the entry without extensions, which is short, and then its extension.
        w.raw(plain.subarray(2))
        writeExtensions(w, [extension(OID.certificateIssuer, true, named)])
      }),
    )
  })
  const w = new DerWriter(512)
  w.sequence(() => {
    w.integer(1).raw(ECDSA_SHA256).raw(issuer.certificate.subject.raw)
    w.time(TEST_NOW - 86400).time(TEST_NOW + 86400)
    if (entries.length > 0) {
      w.sequence(() => {
        for (const entry of entries) w.raw(entry)
      })
    }
    w.constructed(contextConstructed(0), () =>
      writeExtensions(w, [
        extension(OID.cRLNumber, false, encodeCrlNumber(1)),
        extension(OID.issuingDistributionPoint, true, encodeIssuingDistributionPoint({ indirectCRL: true })),
      ]),
    )
  })
  return parseCertificateList(signTbs(w.finish(), issuer.key))
}
