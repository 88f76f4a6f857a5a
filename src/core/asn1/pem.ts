// PEM (RFC 7468): read as people write it (text around the blocks, CRLF), written in the strict form.

import { fromBase64Lines, toBase64Lines } from '../bytes/base64.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { TouchmarkError } from '../errors.ts'

export interface PemBlock {
  readonly label: string
  readonly der: Bytes
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,64})-----([^-]*)-----END \1-----/g

/** One block in the strict form of RFC 7468 §3, with a final line end. */
export function toPem(label: string, der: Uint8Array): string {
  return `-----BEGIN ${label}-----\n${toBase64Lines(der, 64, '\n')}-----END ${label}-----\n`
}

/** All blocks in the text, in order; text between them is explanatory (RFC 7468 §2). Throws `pem.invalid`. */
export function parsePem(text: string): PemBlock[] {
  const blocks: PemBlock[] = []
  for (const match of text.matchAll(BLOCK)) {
    try {
      blocks.push({ label: match[1]!, der: fromBase64Lines(match[2]!) })
    } catch (cause) {
      throw new TouchmarkError('pem.invalid', 'malformed', `The ${match[1]} block is not base64.`, { cause })
    }
  }
  return blocks
}

/** The first block with one of these labels. Throws `pem.missing`. */
export function parsePemBlock(text: string, ...labels: readonly string[]): Bytes {
  const block = parsePem(text).find(candidate => labels.includes(candidate.label))
  if (!block) {
    throw new TouchmarkError('pem.missing', 'malformed', `The text holds no PEM block "${labels.join('" or "')}".`)
  }
  return block.der
}
