// The transparency log for everybody (C2SP tlog-tiles): the signed checkpoint, tiles of hashes, bundles of entries. Read-only, and
// all but the checkpoint immutable: any cache may carry it.
import { TouchmarkError } from '../../core/errors.ts'
import { encodeEntryBundle, parseTilePath, TILE_WIDTH, type TileResource } from '../../core/merkle/tile.ts'
import { HASH_LENGTH } from '../../core/merkle/tree.ts'
import type { StoreReader } from '../../domain/ports.ts'
import type { HttpReply, Route } from '../http.ts'

export interface LogPorts {
  readonly read: Pick<StoreReader, 'latestCheckpoint' | 'auditTile' | 'auditEntries'>
  /** The log's public key as a note verifier key (C2SP signed-note): `<origin>+<key id>+<key>`. */
  readonly verifierKey: string
}

export function createLogRoutes(ports: LogPorts): Route[] {
  const common = { method: 'GET', door: 'public', listeners: ['https', 'http'], maxBody: 0 } as const
  return [
    {
      ...common,
      pattern: '/log/checkpoint',
      async handle() {
        const checkpoint = await ports.read.latestCheckpoint()
        if (!checkpoint) return notFound('log.no_checkpoint', 'The log has not signed a checkpoint yet.')
        return { status: 200, headers: { 'content-type': TEXT, 'cache-control': 'no-cache' }, body: checkpoint.note }
      },
    },
    {
      ...common,
      pattern: '/log/key',
      async handle() {
        return {
          status: 200,
          headers: { 'content-type': TEXT, 'cache-control': 'public, max-age=3600' },
          body: `${ports.verifierKey}\n`,
        }
      },
    },
    {
      ...common,
      pattern: '/log/tile/*',
      async handle(request) {
        const resource = resourceOf(request.params['*'] ?? '')
        const bytes =
          resource && (resource.kind === 'tile' ? await tile(resource, ports) : await bundle(resource, ports))
        if (!bytes) return notFound('log.tile_not_found', 'The log has no such tile.')
        const lifetime = resource.width === TILE_WIDTH ? FULL_TILE : PARTIAL_TILE
        return {
          status: 200,
          headers: { 'content-type': 'application/octet-stream', 'cache-control': lifetime },
          body: bytes,
        }
      },
    },
  ]
}

const TEXT = 'text/plain; charset=utf-8'
const FULL_TILE = 'public, max-age=31536000, immutable'
/** A partial tile of a given width never changes either, but a wider one soon takes its place. */
const PARTIAL_TILE = 'public, max-age=3600, immutable'
/** Above this an index is no tile of any log, and the arithmetic with it not exact. */
const MAX_INDEX = 2 ** 40

function resourceOf(rest: string): TileResource | undefined {
  try {
    const resource = parseTilePath(`tile/${rest}`)
    return resource.index <= MAX_INDEX ? resource : undefined
  } catch (thrown) {
    if (thrown instanceof TouchmarkError) return undefined
    throw thrown
  }
}

/** The stored tile may be wider than the one asked for, which is then its beginning. */
async function tile(resource: TileResource & { kind: 'tile' }, ports: LogPorts): Promise<Uint8Array | undefined> {
  const bytes = await ports.read.auditTile(resource.level, resource.index)
  const length = resource.width * HASH_LENGTH
  return bytes && bytes.length >= length ? bytes.subarray(0, length) : undefined
}

async function bundle(resource: TileResource, ports: LogPorts): Promise<Uint8Array | undefined> {
  const entries: Uint8Array[] = []
  for await (const { bytes } of ports.read.auditEntries(resource.index * TILE_WIDTH)) {
    entries.push(bytes)
    if (entries.length === resource.width) return encodeEntryBundle(entries)
  }
  return undefined
}

function notFound(code: string, sentence: string): HttpReply {
  return { status: 404, headers: { 'content-type': TEXT, 'cache-control': 'no-store' }, body: `${code}: ${sentence}\n` }
}
