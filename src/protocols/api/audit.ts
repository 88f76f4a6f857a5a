// The audit log: entries, each with the proof that it is in the log, and the checkpoint that the proof leads to. Whoever has the verifier key
// checks it without us; the console does so in the browser.
import { z } from 'zod'
import { toBase64 } from '../../core/bytes/base64.ts'
import { toHex } from '../../core/bytes/hex.ts'
import { fromUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { parseCheckpoint } from '../../core/merkle/checkpoint.ts'
import { inclusionProofFromTiles } from '../../core/merkle/proof-from-tiles.ts'
import { leafHash, verifyInclusion } from '../../core/merkle/tree.ts'
import { sha256 } from '../../crypto/digest.ts'
import { parseAuditEntry } from '../../domain/audit/entry.ts'
import type { StoreReader } from '../../domain/ports.ts'
import { timestamp } from '../../domain/timestamp.ts'
import { auditEntrySchema, auditEntryView } from './audit-view.ts'
import { type Endpoint, endpoint, timestampText } from './endpoint.ts'

export interface AuditPorts {
  readonly read: StoreReader
  readonly log: { readonly origin: string; readonly verifierKeys: readonly string[] }
}

const checkpointSchema = z
  .object({
    origin: z.string(),
    size: z.int(),
    root: z.string().meta({ description: 'Hexadecimal.' }),
    at: timestampText,
    verifierKeys: z.array(z.string()).meta({ description: 'Of C2SP signed-note.' }),
    note: z.string().meta({ description: 'The signed note (C2SP tlog-checkpoint), octet for octet.' }),
  })
  .meta({ id: 'Checkpoint' })

const proofSchema = z
  .object({
    index: z.int(),
    leafHash: z.string(),
    proof: z.array(z.string()).meta({ description: 'Hashes from leaf to root (RFC 9162 §2.1.3), hexadecimal.' }),
    checkpoint: checkpointSchema,
    tlogProof: z.string().meta({ description: 'The same as C2SP tlog-proof.' }),
  })
  .meta({ id: 'InclusionProof' })

const index = z.string().regex(/^\d{1,15}$/, 'must be an index, counted from 0')
/** Entries that one page looks at where it filters: what is found may be fewer, and the page says where to go on. */
const MAX_LOOKED_AT = 5_000

export function auditEndpoints({ read, log }: AuditPorts): Endpoint[] {
  const checkpoint = async () => {
    const latest = await read.latestCheckpoint()
    if (latest === undefined) {
      throw new TouchmarkError('audit.no_checkpoint', 'not_found', 'The log has no signed checkpoint yet.', {
        next: 'A running server signs one within seconds.',
      })
    }
    const { size, root } = parseCheckpoint(latest.note.slice(0, latest.note.indexOf('\n\n') + 1))
    return { latest, size, root }
  }
  const checkpointView = ({ latest, size, root }: Awaited<ReturnType<typeof checkpoint>>) => ({
    origin: log.origin,
    size,
    root: toHex(root),
    at: timestamp(latest.at),
    verifierKeys: [...log.verifierKeys],
    note: latest.note,
  })
  const entryAt = async (at: number) => {
    const bytes = await read.auditEntry(at)
    if (bytes !== undefined) return bytes
    const { size } = await read.auditHead()
    throw new TouchmarkError('audit.entry_not_found', 'not_found', `There is no entry ${at}; the log has ${size}.`)
  }
  return [
    endpoint({
      method: 'GET',
      path: '/audit/entries',
      id: 'listAuditEntries',
      tag: 'Audit',
      summary: 'Entries of the log, newest first',
      description:
        'Conditions are looked for among the newest entries, some thousands a page: a page may hold fewer than asked for, or none, and still have ' +
        'a `next`. Those of a device stand in an index of their own: its timeline.',
      permission: 'audit.read',
      query: {
        action: z.string().max(100).optional().meta({ description: 'An action, or its beginning: `certificate.`' }),
        actor: z.string().max(128).optional(),
        outcome: z.enum(['done', 'refused']).optional(),
        before: z.int().min(0).optional().meta({ description: 'Only entries with a smaller index.' }),
      },
      answer: auditEntrySchema,
      paged: true,
      async handle(call) {
        const { action, actor, outcome, before } = call.query
        const { size } = await read.auditHead()
        const end = Math.min(call.page.after === undefined ? size : Number(call.page.after), before ?? size, size)
        const filtering = action !== undefined || actor !== undefined || outcome !== undefined
        const lowest = Math.max(0, end - (filtering ? MAX_LOOKED_AT : call.page.limit))
        const items: z.input<typeof auditEntrySchema>[] = []
        const block = 200
        let at = end
        while (at > lowest && items.length < call.page.limit) {
          const from = Math.max(lowest, at - block)
          const found: z.input<typeof auditEntrySchema>[] = []
          for await (const { index: position, bytes } of read.auditEntries(from)) {
            if (position >= at) break
            const entry = parseAuditEntry(bytes)
            if (
              action !== undefined &&
              entry.action !== action &&
              !(action.endsWith('.') && entry.action.startsWith(action))
            )
              continue
            if (actor !== undefined && entry.actor.id !== actor) continue
            if (outcome !== undefined && entry.outcome !== outcome) continue
            found.push(auditEntryView(position, entry, fromUtf8(bytes)))
          }
          items.push(...found.reverse())
          at = from
        }
        const shown = items.slice(0, call.page.limit)
        const next = items.length > shown.length ? shown.at(-1)!.index : at
        return { body: { items: shown, next: next > 0 ? String(next) : null } }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/audit/entries/:index',
      id: 'showAuditEntry',
      tag: 'Audit',
      summary: 'One entry of the log',
      permission: 'audit.read',
      params: { index },
      answer: auditEntrySchema,
      async handle({ params }) {
        const bytes = await entryAt(Number(params.index))
        return { body: auditEntryView(Number(params.index), parseAuditEntry(bytes), fromUtf8(bytes)) }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/audit/entries/:index/proof',
      id: 'proveAuditEntry',
      tag: 'Audit',
      summary: 'The proof that an entry is in the log, verified before it is given out',
      permission: 'audit.read',
      params: { index },
      answer: proofSchema,
      async handle({ params }) {
        const at = Number(params.index)
        const [bytes, signed] = [await entryAt(at), await checkpoint()]
        const { size, root, latest } = signed
        if (at >= size) {
          throw new TouchmarkError('audit.not_yet_signed', 'conflict', `No checkpoint covers entry ${at} yet.`, {
            next: 'The server signs one within seconds: ask again.',
          })
        }
        const proof = await inclusionProofFromTiles(sha256, at, size, (level, tile) => read.auditTile(level, tile))
        const leaf = leafHash(sha256, bytes)
        verifyInclusion(sha256, { index: at, size, leafHash: leaf, proof, root })
        const lines = proof.map(hash => `${toBase64(hash)}\n`).join('')
        return {
          body: {
            index: at,
            leafHash: toHex(leaf),
            proof: proof.map(toHex),
            checkpoint: checkpointView(signed),
            tlogProof: `c2sp.org/tlog-proof@v1\nindex ${at}\n${lines}\n${latest.note}`,
          },
        }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/audit/checkpoint',
      id: 'showCheckpoint',
      tag: 'Audit',
      summary: 'The newest signed checkpoint of the log',
      permission: 'audit.read',
      answer: checkpointSchema,
      async handle() {
        return { body: checkpointView(await checkpoint()) }
      },
    }),
  ]
}
