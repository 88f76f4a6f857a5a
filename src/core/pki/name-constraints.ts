// Name constraints (RFC 5280 §4.2.1.10): the extension, and the question whether a name lies in a subtree.

import type { DerReader } from '../asn1/reader.ts'
import { readDer } from '../asn1/reader.ts'
import { contextConstructed, contextPrimitive } from '../asn1/tag.ts'
import { type DerWriter, writeDer } from '../asn1/writer.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { atLeastOne, nonNegative } from './extensions.ts'
import { type GeneralName, parseGeneralName, writeGeneralName } from './general-name.ts'

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
