// Names as operators and registries write them, made into names of certificates: strict, because what passes here is signed.
import { readDer } from '../../core/asn1/reader.ts'
import { TouchmarkError } from '../../core/errors.ts'
import type { GeneralName } from '../../core/pki/general-name.ts'
import { parseIpAddress } from '../../core/pki/ip-address.ts'
import { encodeName, type Name, parseName, parseNameText } from '../../core/pki/name.ts'

/** The attribute type behind a name (`CN`, `commonName`) or dotted OID, as names are written everywhere. Throws `name.text_invalid`. */
export function attributeType(label: string): string {
  return parseNameText(`${label}=x`)[0]![0]!.type
}

/** A Name from RFC 4514 text. Throws `name.text_invalid`. */
export function nameFromText(text: string): Name {
  return readDer(encodeName(parseNameText(text)), parseName)
}

/** A GeneralName from its text. Throws `profile.name_invalid` where the text is no such name. */
export function textName(
  kind: 'dNSName' | 'iPAddress' | 'rfc822Name' | 'uniformResourceIdentifier',
  text: string,
): GeneralName {
  switch (kind) {
    case 'iPAddress': {
      const bytes = parseIpAddress(text)
      if (bytes === undefined) throw invalidName(kind)
      return { kind, bytes }
    }
    case 'dNSName':
      if (!isDnsName(text)) throw invalidName(kind)
      return { kind, value: text }
    case 'rfc822Name': {
      const at = text.lastIndexOf('@')
      if (!/^[\x21-\x7e]{1,64}$/.test(text.slice(0, Math.max(0, at))) || !isDnsName(text.slice(at + 1)))
        throw invalidName(kind)
      return { kind, value: text }
    }
    case 'uniformResourceIdentifier':
      if (!/^[a-zA-Z][a-zA-Z0-9+.-]*:[\x21-\x7e]+$/.test(text)) throw invalidName(kind)
      return { kind, value: text }
    default:
      return kind satisfies never
  }
}

/** "Preferred name syntax" (RFC 1034 §3.5, RFC 1123 §2.1), with a wildcard for the first label allowed (RFC 6125 §6.4.3). */
export function isDnsName(text: string): boolean {
  const labels = (text.startsWith('*.') ? text.slice(2) : text).split('.')
  return text.length <= 253 && labels.every(label => /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(label))
}

function invalidName(kind: string): TouchmarkError {
  return new TouchmarkError('profile.name_invalid', 'malformed', `A value for the certificate is no ${kind}.`, {
    evidence: { kind },
  })
}
