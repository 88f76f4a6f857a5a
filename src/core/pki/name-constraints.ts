// Name constraints (RFC 5280 §4.2.1.10): the extension, and the question whether a name lies in a subtree.

import type { DerReader } from '../asn1/reader.ts'
import { readDer } from '../asn1/reader.ts'
import { contextConstructed, contextPrimitive } from '../asn1/tag.ts'
import { type DerWriter, writeDer } from '../asn1/writer.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { atLeastOne, nonNegative } from './extensions.ts'
import { type GeneralName, parseGeneralName, writeGeneralName } from './general-name.ts'
import { nameIsWithin } from './name.ts'

export interface GeneralSubtree {
  readonly base: GeneralName
  /** RFC 5280 wants 0 (and leaves it out, being the default). */
  readonly minimum?: number | undefined
  /** RFC 5280 wants it absent. */
  readonly maximum?: number | undefined
}

export interface NameConstraints {
  readonly permittedSubtrees?: readonly GeneralSubtree[] | undefined
  readonly excludedSubtrees?: readonly GeneralSubtree[] | undefined
}

const MAX_SUBTREES = 1024

/** `SEQUENCE { permittedSubtrees [0] GeneralSubtrees OPTIONAL, excludedSubtrees [1] GeneralSubtrees OPTIONAL }`. */
export function parseNameConstraints(value: Uint8Array): NameConstraints {
  return readDer(value, reader =>
    reader.sequence(fields => ({
      permittedSubtrees: fields.optional(contextConstructed(0), self => parseSubtrees(self, contextConstructed(0))),
      excludedSubtrees: fields.optional(contextConstructed(1), self => parseSubtrees(self, contextConstructed(1))),
    })),
  )
}

function parseSubtrees(reader: DerReader, tag: number): GeneralSubtree[] {
  return atLeastOne(reader, self =>
    self.listOf(
      member =>
        member.sequence(fields => ({
          base: parseGeneralName(fields),
          minimum: fields.optional(contextPrimitive(0), inner => nonNegative(inner, contextPrimitive(0))),
          maximum: fields.optional(contextPrimitive(1), inner => nonNegative(inner, contextPrimitive(1))),
        })),
      { tag, limit: MAX_SUBTREES },
    ),
  )
}

/** A minimum of 0 is the DEFAULT and stays out. */
export function encodeNameConstraints(constraints: NameConstraints): Bytes {
  return writeDer(w =>
    w.sequence(() => {
      if (constraints.permittedSubtrees) writeSubtrees(w, constraints.permittedSubtrees, contextConstructed(0))
      if (constraints.excludedSubtrees) writeSubtrees(w, constraints.excludedSubtrees, contextConstructed(1))
    }),
  )
}

function writeSubtrees(w: DerWriter, subtrees: readonly GeneralSubtree[], tag: number): void {
  w.constructed(tag, () => {
    for (const { base, minimum, maximum } of subtrees) {
      w.sequence(() => {
        writeGeneralName(w, base)
        if (minimum) w.integer(minimum, contextPrimitive(0))
        if (maximum !== undefined) w.integer(maximum, contextPrimitive(1))
      })
    }
  })
}

/**
 * Whether a name lies in a subtree. `unsupported`: the form, or this base, is one that we cannot compare, so whoever asks
 * must refuse (RFC 5280 §4.2.1.10: "either process the constraint or reject the certificate").
 */
export type SubtreeMatch = 'inside' | 'outside' | 'unsupported'

/** `side` matters for wildcard DNS names: they are excluded already where one of their hosts would be. */
export function matchSubtree(name: GeneralName, base: GeneralName, side: 'permitted' | 'excluded'): SubtreeMatch {
  switch (name.kind) {
    case 'dNSName':
      return base.kind === 'dNSName' ? dnsWithin(name.value, base.value, side) : 'outside'
    case 'rfc822Name':
      return base.kind === 'rfc822Name' ? mailboxWithin(name.value, base.value) : 'outside'
    case 'directoryName':
      return base.kind === 'directoryName' ? verdict(nameIsWithin(name.name, base.name)) : 'outside'
    case 'uniformResourceIdentifier':
      return base.kind === 'uniformResourceIdentifier' ? uriWithin(name.value, base.value) : 'outside'
    case 'iPAddress':
      return base.kind === 'iPAddress' ? addressWithin(name.bytes, base.bytes) : 'outside'
    case 'registeredID':
    case 'otherName':
    case 'other':
      return 'unsupported'
    default:
      return name satisfies never
  }
}

/** Which form of name this is: a subtree permits or excludes names of its own form only. */
export function formOf(name: GeneralName): string {
  return name.kind === 'other' ? `other ${name.tag}` : name.kind
}

function verdict(inside: boolean): SubtreeMatch {
  return inside ? 'inside' : 'outside'
}

/** "Any DNS name that can be constructed by simply adding zero or more labels to the left-hand side". */
function dnsWithin(name: string, base: string, side: 'permitted' | 'excluded'): SubtreeMatch {
  const host = hostText(name)
  // What is no name cannot be said to lie anywhere: `.example.com` for one.
  if (!hasLabels(host)) return 'unsupported'
  return verdict(hostWithin(host, hostText(base), side))
}

function hostWithin(host: string, suffix: string, side: 'permitted' | 'excluded'): boolean {
  if (suffix === '' || host === suffix) return true
  // A leading period is not RFC 5280 for DNS names, but common: OpenSSL and others read it as "at least one label more".
  if (host.endsWith(suffix.startsWith('.') ? suffix : `.${suffix}`)) return true
  // *.example.com stands for host.example.com, which may be excluded by itself.
  return side === 'excluded' && host.startsWith('*.') && suffix.slice(suffix.indexOf('.', 1)) === host.slice(1)
}

/** Labels between single periods, and none of them empty. */
function hasLabels(host: string): boolean {
  return host !== '' && !host.startsWith('.') && !host.endsWith('.') && !host.includes('..')
}

/** Lower case, without the final period of an absolute name. */
function hostText(text: string): string {
  const lower = text.toLowerCase()
  return lower.endsWith('.') && lower.length > 1 ? lower.slice(0, -1) : lower
}

/** A base is a mailbox, a host (all mailboxes on it) or a period and a domain (all mailboxes on hosts below it). */
function mailboxWithin(name: string, base: string): SubtreeMatch {
  const at = name.lastIndexOf('@')
  const local = name.slice(0, Math.max(at, 0))
  const host = hostText(name.slice(at + 1))
  // A second @ stands in a quoted local part only (RFC 5321 §4.1.2).
  if (local === '' || (local.includes('@') && !/^".*"$/.test(local)) || !hasLabels(host)) return 'unsupported'
  const baseAt = base.lastIndexOf('@')
  if (baseAt < 0) return verdict(hostMatches(host, base))
  return verdict(local === base.slice(0, baseAt) && host === hostText(base.slice(baseAt + 1)))
}

/** A host exactly, or with a leading period all hosts below; an empty base is all hosts, as it is for DNS names. */
function hostMatches(host: string, base: string): boolean {
  const wanted = hostText(base)
  if (wanted === '') return true
  return wanted.startsWith('.') ? host.endsWith(wanted) && host.length > wanted.length : host === wanted
}

/** The host part decides; a URI whose authority is missing or no host name must be refused (RFC 5280 §4.2.1.10). */
function uriWithin(name: string, base: string): SubtreeMatch {
  const host = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#@:[\]]+)(?::[0-9]*)?(?:[/?#]|$)/i.exec(name)?.[1]
  if (host === undefined || /^[0-9.]+$/.test(host)) return 'unsupported'
  return verdict(hostMatches(hostText(host), base))
}

/** Base: address and mask (RFC 4632), 8 octets for IPv4 and 32 for IPv6; a mask with holes is refused. */
function addressWithin(address: Uint8Array, base: Uint8Array): SubtreeMatch {
  if ((base.length !== 8 && base.length !== 32) || (address.length !== 4 && address.length !== 16)) return 'unsupported'
  const half = base.length / 2
  if (!isContiguousMask(base.subarray(half))) return 'unsupported'
  if (address.length !== half) return 'outside'
  for (let i = 0; i < half; i++) if ((address[i]! ^ base[i]!) & base[half + i]!) return 'outside'
  return 'inside'
}

/** Ones, then zeros. */
export function isContiguousMask(mask: Uint8Array): boolean {
  let zeros = false
  for (let bit = 0; bit < mask.length * 8; bit++) {
    const set = (mask[bit >> 3]! & (0x80 >> (bit & 7))) !== 0
    if (set && zeros) return false
    zeros = !set
  }
  return true
}
