// Certificate policy extensions: policies with their qualifiers, mappings, constraints, inhibitAnyPolicy
// (RFC 5280 §4.2.1.4, §4.2.1.5, §4.2.1.11, §4.2.1.14). From and to the DER inside extnValue.

import { DerError } from '../asn1/der-error.ts'
import { type DerReader, readDer } from '../asn1/reader.ts'
import { contextPrimitive, TAG } from '../asn1/tag.ts'
import { type DerWriter, writeDer } from '../asn1/writer.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { decodeString, encodeString } from './directory-string.ts'
import { atLeastOne, nonNegative } from './extensions.ts'
import { OID } from './oids.ts'

export interface NoticeReference {
  readonly organization: string
  readonly noticeNumbers: readonly number[]
}

export type PolicyQualifier =
  | { readonly kind: 'cps'; readonly uri: string }
  | {
      readonly kind: 'userNotice'
      readonly noticeRef?: NoticeReference | undefined
      readonly explicitText?: string | undefined
    }
  /** `value` is the whole qualifier element, where there is one. */
  | { readonly kind: 'other'; readonly oid: string; readonly value: Uint8Array | undefined }

export interface PolicyInformation {
  readonly policyIdentifier: string
  readonly policyQualifiers: readonly PolicyQualifier[]
}

const MAX_POLICIES = 256
const MAX_QUALIFIERS = 32

/** RFC 5280 §4.2.1.4. A policy that stands twice is left to lint and to path validation. */
export function parseCertificatePolicies(value: Uint8Array): PolicyInformation[] {
  return readDer(value, reader =>
    atLeastOne(reader, self => self.listOf(member => member.sequence(parsePolicyInformation), { limit: MAX_POLICIES })),
  )
}

function parsePolicyInformation(fields: DerReader): PolicyInformation {
  const policyIdentifier = fields.oid()
  if (fields.empty) return { policyIdentifier, policyQualifiers: [] }
  const policyQualifiers = atLeastOne(fields, self =>
    self.listOf(member => member.sequence(parseQualifier), { limit: MAX_QUALIFIERS }),
  )
  return { policyIdentifier, policyQualifiers }
}

function parseQualifier(fields: DerReader): PolicyQualifier {
  const oid = fields.oid()
  if (oid === OID.cps) {
    const at = fields.offset
    return { kind: 'cps', uri: decodeString(TAG.IA5_STRING, fields.content(TAG.IA5_STRING), at) }
  }
  if (oid === OID.userNotice) {
    return fields.sequence(notice => {
      const noticeRef = notice.optional(TAG.SEQUENCE, parseNoticeReference)
      const explicitText = notice.empty ? undefined : parseDisplayText(notice)
      return { kind: 'userNotice', noticeRef, explicitText }
    })
  }
  return { kind: 'other', oid, value: fields.empty ? undefined : fields.any().raw }
}

function parseNoticeReference(reader: DerReader): NoticeReference {
  return reader.sequence(fields => ({
    organization: parseDisplayText(fields),
    noticeNumbers: fields.listOf(member => member.smallInteger(), { limit: MAX_QUALIFIERS }),
  }))
}

/** `DisplayText ::= CHOICE { ia5String, visibleString, bmpString, utf8String }`. */
function parseDisplayText(reader: DerReader): string {
  const at = reader.offset
  const { tag, content } = reader.any()
  if (tag !== TAG.IA5_STRING && tag !== TAG.VISIBLE_STRING && tag !== TAG.BMP_STRING && tag !== TAG.UTF8_STRING) {
    throw new DerError('der.tag_unexpected', at, 'The text of a notice has another string type')
  }
  return decodeString(tag, content, at)
}

/** Texts of notices are written as UTF8String, as RFC 5280 §4.2.1.4 asks of conforming CAs. */
export function encodeCertificatePolicies(policies: readonly PolicyInformation[]): Bytes {
  return writeDer(w =>
    w.sequence(() => {
      for (const { policyIdentifier, policyQualifiers } of policies) {
        w.sequence(() => {
          w.oid(policyIdentifier)
          if (policyQualifiers.length === 0) return
          w.sequence(() => {
            for (const qualifier of policyQualifiers) w.sequence(() => writeQualifier(w, qualifier))
          })
        })
      }
    }),
  )
}

function writeQualifier(w: DerWriter, qualifier: PolicyQualifier): void {
  switch (qualifier.kind) {
    case 'cps':
      w.oid(OID.cps).primitive(TAG.IA5_STRING, encodeString(TAG.IA5_STRING, qualifier.uri))
      return
    case 'userNotice': {
      const { noticeRef, explicitText } = qualifier
      w.oid(OID.userNotice).sequence(() => {
        if (noticeRef) {
          w.sequence(() => {
            w.text(noticeRef.organization)
            w.sequence(() => {
              for (const number of noticeRef.noticeNumbers) w.integer(number)
            })
          })
        }
        if (explicitText !== undefined) w.text(explicitText)
      })
      return
    }
    case 'other':
      w.oid(qualifier.oid)
      if (qualifier.value) w.raw(qualifier.value)
      return
    default:
      qualifier satisfies never
  }
}

export interface PolicyMapping {
  readonly issuerDomainPolicy: string
  readonly subjectDomainPolicy: string
}

/** RFC 5280 §4.2.1.5. */
export function parsePolicyMappings(value: Uint8Array): PolicyMapping[] {
  return readDer(value, reader =>
    atLeastOne(reader, self =>
      self.listOf(
        member => member.sequence(fields => ({ issuerDomainPolicy: fields.oid(), subjectDomainPolicy: fields.oid() })),
        { limit: MAX_POLICIES },
      ),
    ),
  )
}

export function encodePolicyMappings(mappings: readonly PolicyMapping[]): Bytes {
  return writeDer(w =>
    w.sequence(() => {
      for (const { issuerDomainPolicy, subjectDomainPolicy } of mappings) {
        w.sequence(() => w.oid(issuerDomainPolicy).oid(subjectDomainPolicy))
      }
    }),
  )
}

export interface PolicyConstraints {
  readonly requireExplicitPolicy?: number | undefined
  readonly inhibitPolicyMapping?: number | undefined
}

/** RFC 5280 §4.2.1.11: `SEQUENCE { requireExplicitPolicy [0] SkipCerts OPTIONAL, inhibitPolicyMapping [1] SkipCerts OPTIONAL }`. */
export function parsePolicyConstraints(value: Uint8Array): PolicyConstraints {
  return readDer(value, reader =>
    reader.sequence(fields => ({
      requireExplicitPolicy: fields.optional(contextPrimitive(0), self => nonNegative(self, contextPrimitive(0))),
      inhibitPolicyMapping: fields.optional(contextPrimitive(1), self => nonNegative(self, contextPrimitive(1))),
    })),
  )
}

export function encodePolicyConstraints(constraints: PolicyConstraints): Bytes {
  const { requireExplicitPolicy, inhibitPolicyMapping } = constraints
  return writeDer(w =>
    w.sequence(() => {
      if (requireExplicitPolicy !== undefined) w.integer(requireExplicitPolicy, contextPrimitive(0))
      if (inhibitPolicyMapping !== undefined) w.integer(inhibitPolicyMapping, contextPrimitive(1))
    }),
  )
}

/** RFC 5280 §4.2.1.14: the number of certificates after which anyPolicy no longer counts. */
export function parseInhibitAnyPolicy(value: Uint8Array): number {
  return readDer(value, reader => nonNegative(reader))
}

export function encodeInhibitAnyPolicy(skipCerts: number): Bytes {
  return writeDer(w => w.integer(skipCerts), 8)
}
