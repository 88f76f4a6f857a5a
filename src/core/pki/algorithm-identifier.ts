// AlgorithmIdentifier (RFC 5280 §4.1.1.2), kept as received: parameters are compared and hashed as octets.
import type { DerReader } from '../asn1/reader.ts'
import { TAG } from '../asn1/tag.ts'
import { writeDer } from '../asn1/writer.ts'
import type { Bytes } from '../bytes/bytes.ts'

export interface AlgorithmIdentifier {
  /** The whole SEQUENCE as received. */
  readonly raw: Uint8Array
  readonly oid: string
  /** The parameters element as received (`05 00` for NULL), or `undefined` where absent. */
  readonly parameters: Uint8Array | undefined
}

export function parseAlgorithmIdentifier(reader: DerReader): AlgorithmIdentifier {
  const start = reader.offset
  const inner = reader.enter(TAG.SEQUENCE)
  const oid = inner.oid()
  const parameters = inner.empty ? undefined : inner.any().raw
  inner.finish()
  return { raw: reader.since(start), oid, parameters }
}

/** `parameters` is a whole DER element; leave it out where the algorithm's RFC wants it absent. */
export function encodeAlgorithmIdentifier(oid: string, parameters?: Uint8Array): Bytes {
  return writeDer(w =>
    w.sequence(() => {
      w.oid(oid)
      if (parameters) w.raw(parameters)
    }),
  )
}
