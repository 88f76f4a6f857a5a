// Who may own devices: a name, and the certificates under which the owner's signatures count. A document of kind `owner`, one per owner.
// Whose certificates these are was settled before they got here: nobody is asked about them later, so that an owner can sign with a
// certificate of any authority, or of none.
import { z } from 'zod'
import { parsePem } from '../../core/asn1/pem.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { type Certificate, parseCertificate } from '../../core/pki/certificate.ts'
import type { DocumentVersion } from '../document.ts'
import type { UnixSeconds } from '../ids.ts'
import { type DocumentProblem, documentError, parseDocument } from '../parse-document.ts'
import type { StoreReader } from '../ports.ts'

/** Certificates of one owner, and octets of PEM in one entry. */
const MAX_CERTIFICATES = 16
const MAX_PEM = 65_536

const ownerSchema = z.strictObject({
  schema: z.literal(1),
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'lower-case letters, digits and . _ - (at most 64)'),
  description: z.string().max(500).default(''),
  /** PEM, one CERTIFICATE block each. None: nobody can sign for this owner. */
  certificates: z.array(z.string().max(MAX_PEM)).max(MAX_CERTIFICATES),
})

export type OwnerConfig = z.input<typeof ownerSchema>

export interface Owner {
  readonly name: string
  readonly description: string
  readonly certificates: readonly Certificate[]
}

/** Throws `owner.invalid` with every problem. */
export function parseOwner(json: unknown): Owner {
  const config = parseDocument(ownerSchema, json, 'owner.invalid', 'owner')
  const certificates: Certificate[] = []
  const problems: DocumentProblem[] = []
  for (const [i, pem] of config.certificates.entries()) {
    const path = `certificates.${i}`
    try {
      const blocks = parsePem(pem)
      const [block] = blocks
      if (block?.label !== 'CERTIFICATE' || blocks.length !== 1)
        problems.push({ path, message: 'is not one CERTIFICATE block' })
      else certificates.push(parseCertificate(block.der))
    } catch (cause) {
      if (!(cause instanceof TouchmarkError)) throw cause
      problems.push({ path, message: cause.message })
    }
  }
  if (problems.length > 0) throw documentError('owner.invalid', 'owner', problems)
  return { name: config.name, description: config.description, certificates }
}

/** The document to store; throws `owner.invalid` first where it would not be readable again. */
export function ownerDocument(config: OwnerConfig, version: number, createdAt: UnixSeconds): DocumentVersion {
  const { name } = parseOwner(config)
  return { kind: 'owner', name, version, body: JSON.stringify(config, null, 2), createdAt }
}

/** The owner in force. Throws `owner.not_found`. */
export async function readOwner(name: string, read: Pick<StoreReader, 'document'>): Promise<Owner> {
  const document = await read.document('owner', name)
  if (document !== undefined) return parseOwner(JSON.parse(document.body))
  throw new TouchmarkError('owner.not_found', 'not_found', `There is no owner ${name}.`, {
    next: 'Write down whose signatures count: touchmark owner add NAME --certificate FILE',
  })
}
