// Whether a certificate belongs to the service, host or mailbox that one meant to reach (RFC 9525 §6, RFC 5280 §7). Only the names in
// subjectAltName count, each for its own kind: there is no falling back to a common name, and an address is no DNS name.
import { equalBytes } from '../bytes/bytes.ts'
import type { Evidence } from '../errors.ts'
import type { GeneralName } from './general-name.ts'
import { parseIpAddress } from './ip-address.ts'

/** What one meant to reach (RFC 9525 §6.1: the reference identifier). */
export interface ReferenceIdentifier {
  readonly kind: 'dns' | 'ip' | 'email'
  readonly value: string
}

export type IdentityErrorCode = 'identity.reference_invalid' | 'identity.no_such_name' | 'identity.mismatch'

export interface IdentityProblem {
  readonly code: IdentityErrorCode
  readonly message: string
  readonly evidence: Evidence
}

/** `undefined` where one of the names is the wanted one; otherwise why not. */
export function checkServiceIdentity(
  names: readonly GeneralName[],
  wanted: ReferenceIdentifier,
): IdentityProblem | undefined {
  const matches = matcher(wanted)
  if (matches === undefined) {
    return problem('identity.reference_invalid', `What was asked for is no ${WORDS[wanted.kind]}.`, wanted)
  }
  let sameKind = 0
  for (const name of names) {
    if (name.kind !== FORMS[wanted.kind]) continue
    sameKind++
    if (matches(name)) return undefined
  }
  return sameKind === 0
    ? problem('identity.no_such_name', `The certificate names no ${WORDS[wanted.kind]}.`, wanted)
    : problem('identity.mismatch', `The certificate is for another ${WORDS[wanted.kind]}.`, wanted)
}

const FORMS = { dns: 'dNSName', ip: 'iPAddress', email: 'rfc822Name' } as const
const WORDS = { dns: 'DNS name', ip: 'IP address', email: 'mailbox' } as const

/** Whether a presented name is the wanted one; `undefined` where the wanted one is malformed. */
function matcher({ kind, value }: ReferenceIdentifier): ((name: GeneralName) => boolean) | undefined {
  switch (kind) {
    case 'dns': {
      const host = hostName(value.endsWith('.') ? value.slice(0, -1) : value)
      return host && (name => name.kind === 'dNSName' && dnsMatches(name.value, host))
    }
    case 'ip': {
      const address = parseIpAddress(value)
      return address && (name => name.kind === 'iPAddress' && equalBytes(name.bytes, address))
    }
    case 'email': {
      const mailbox = parseMailbox(value)
      return mailbox && (name => name.kind === 'rfc822Name' && sameMailbox(parseMailbox(name.value), mailbox))
    }
    default:
      return kind satisfies never
  }
}

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/** Lower-case labels of a host name in preferred name syntax (RFC 1034 §3.5, RFC 1123 §2.1), A-labels included; no address. */
function hostName(text: string): readonly string[] | undefined {
  if (text.length > 253) return undefined
  const labels = text.toLowerCase().split('.')
  if (!labels.every(label => LABEL.test(label))) return undefined
  // A last label of digits alone is an address, or the start of a quarrel about one (RFC 1123 §2.1).
  return /^[0-9]+$/.test(labels.at(-1)!) ? undefined : labels
}

/** Labels below a wildcard: `*` alone and `*.com` stand for hosts of many owners, and nobody can own them (RFC 9525 §7.1). */
const LABELS_BELOW_WILDCARD = 2

/** RFC 9525 §6.3: label by label without regard to case; a wildcard is the whole left-most label and stands for one label. */
function dnsMatches(presented: string, host: readonly string[]): boolean {
  const wildcard = presented.startsWith('*.')
  const labels = hostName(wildcard ? presented.slice(2) : presented)
  if (labels === undefined) return false
  if (!wildcard) return sameLabels(labels, host)
  return labels.length >= LABELS_BELOW_WILDCARD && sameLabels(labels, host.slice(1))
}

function sameLabels(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((label, i) => label === b[i])
}

interface Mailbox {
  readonly local: string
  readonly host: readonly string[]
}

/** `Local-part "@" Domain` (RFC 5321 §4.1.2), as far as RFC 5280 §4.2.1.6 allows it in a certificate: no names, no angle brackets. */
function parseMailbox(text: string): Mailbox | undefined {
  const at = text.lastIndexOf('@')
  if (at < 1 || at > 64) return undefined
  const local = text.slice(0, at)
  const host = hostName(text.slice(at + 1))
  const isLocal = /^[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+)*$/
  const isQuoted = /^"([\x20-\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*"$/
  if (host === undefined || !(isLocal.test(local) || isQuoted.test(local))) return undefined
  return { local, host }
}

/** The local part is the host's own business and compared as it is; the domain without regard to case (RFC 5280 §7.5). */
function sameMailbox(a: Mailbox | undefined, b: Mailbox): boolean {
  return a !== undefined && a.local === b.local && sameLabels(a.host, b.host)
}

function problem(code: IdentityErrorCode, message: string, { kind, value }: ReferenceIdentifier): IdentityProblem {
  return { code, message, evidence: { kind, wanted: value.slice(0, 256) } }
}
