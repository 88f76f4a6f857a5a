// CSR attributes (RFC 7030 §4.5.2, clarified by RFC 8951 §4 and RFC 9908): what a server would like to find in a request.
// Grammar only: which attributes belong to which profile is the server's question, what to make of them the client's.
import type { DerReader } from '../asn1/reader.ts'
import { readDer } from '../asn1/reader.ts'
import { TAG } from '../asn1/tag.ts'
import { writeDer } from '../asn1/writer.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { type Attribute, parseAttribute, writeAttribute } from '../pki/extensions.ts'

/** `AttrOrOID ::= CHOICE { oid OBJECT IDENTIFIER, attribute Attribute }` */
export type AttrOrOid =
  | { readonly kind: 'oid'; readonly oid: string }
  | { readonly kind: 'attribute'; readonly attribute: Attribute }

/** Members that a client reads. */
const MAX_MEMBERS = 64

/** `CsrAttrs ::= SEQUENCE SIZE (0..MAX) OF AttrOrOID` */
export function encodeCsrAttrs(members: readonly AttrOrOid[]): Bytes {
  return writeDer(w =>
    w.sequence(() => {
      for (const member of members) {
        if (member.kind === 'oid') w.oid(member.oid)
        else writeAttribute(w, member.attribute)
      }
    }),
  )
}

/** Throws `DerError`. An empty list asks for nothing in particular. */
export function parseCsrAttrs(der: Uint8Array): AttrOrOid[] {
  return readDer(der, reader => reader.listOf(readMember, { limit: MAX_MEMBERS }))
}

function readMember(reader: DerReader): AttrOrOid {
  return reader.peekTag() === TAG.OBJECT_IDENTIFIER
    ? { kind: 'oid', oid: reader.oid() }
    : { kind: 'attribute', attribute: parseAttribute(reader) }
}
