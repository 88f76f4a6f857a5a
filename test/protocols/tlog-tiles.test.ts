// C2SP tlog-tiles over HTTP: an auditor who has nothing but the log's address and key rebuilds and checks the log.
import assert from 'node:assert/strict'
import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { test } from 'node:test'
import { toUtf8 } from '../../src/core/bytes/utf8.ts'
import { appendLeaves, EMPTY_TREE } from '../../src/core/merkle/appender.ts'
import { openCheckpoint, signCheckpoint } from '../../src/core/merkle/checkpoint.ts'
import { inclusionProofFromTiles, rootFromTiles } from '../../src/core/merkle/proof-from-tiles.ts'
import {
  ed25519NoteSigner,
  ed25519NoteVerifier,
  formatVerifierKey,
  parseVerifierKey,
  verifierKey,
} from '../../src/core/merkle/signed-note.ts'
import { parseEntryBundle, tilePath, tileWidth } from '../../src/core/merkle/tile.ts'
import { leafHash, verifyInclusion } from '../../src/core/merkle/tree.ts'
import { sha256 } from '../../src/crypto/digest.ts'
import type { HttpReply, HttpRequest } from '../../src/protocols/http.ts'
import { createLogRoutes } from '../../src/protocols/log/routes.ts'

const ORIGIN = 'ca.example/log'
const SIGNED = 600
const STORED = 650

/** A server whose log has 650 entries and a checkpoint over the first 600. */
async function serve(checkpointed = true) {
  const entries = Array.from({ length: STORED }, (_, i) => toUtf8(`entry ${i}`))
  const leaves = entries.map(entry => leafHash(sha256, entry))
  const signed = appendLeaves(sha256, EMPTY_TREE, leaves.slice(0, SIGNED))
  const later = appendLeaves(sha256, signed.state, leaves.slice(SIGNED))
  const tiles = new Map(
    [...signed.tiles, ...later.tiles].map(({ level, index, hashes }) => [`${level}/${index}`, hashes]),
  )
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const key = verifierKey(sha256, ORIGIN, 0x01, publicKey.export({ format: 'der', type: 'spki' }).subarray(-32))
  const signer = ed25519NoteSigner(key, async message => new Uint8Array(sign(null, message, privateKey)))
  const note = await signCheckpoint({ origin: ORIGIN, size: SIGNED, root: signed.root, extensions: [] }, [signer])
  const routes = createLogRoutes({
    verifierKey: formatVerifierKey(key),
    read: {
      latestCheckpoint: async () => (checkpointed ? { size: SIGNED, note, at: 0 } : undefined),
      auditTile: async (level, index) => tiles.get(`${level}/${index}`),
      async *auditEntries(from) {
        for (let index = from; index < STORED; index++) yield { index, bytes: entries[index]! }
      },
    },
  })
  const get = async (path: string): Promise<HttpReply> => {
    for (const route of routes) {
      const rest = route.pattern.endsWith('/*') ? route.pattern.slice(0, -1) : undefined
      if (rest === undefined ? path !== route.pattern : !path.startsWith(rest)) continue
      const params: Record<string, string> = rest === undefined ? {} : { '*': path.slice(rest.length) }
      return route.handle({ method: 'GET', path, params } as unknown as HttpRequest)
    }
    throw new Error(`no route for ${path}`)
  }
  return { get, publicKey, entries }
}

const bytesOf = (reply: HttpReply) => (typeof reply.body === 'string' ? toUtf8(reply.body) : reply.body)

test('lets an outsider rebuild the signed root and prove an entry from tiles alone (Checkpoints, Merkle Tree)', async () => {
  const { get, publicKey, entries } = await serve()
  const key = parseVerifierKey(sha256, String((await get('/log/key')).body).trimEnd())
  const verifier = ed25519NoteVerifier(key, (_key, message, signature) => verify(null, message, publicKey, signature))
  const reply = await get('/log/checkpoint')
  assert.equal(reply.headers['content-type'], 'text/plain; charset=utf-8')
  const { checkpoint } = openCheckpoint(bytesOf(reply), ORIGIN, [verifier])
  assert.equal(checkpoint.size, SIGNED)

  // As the specification asks of clients: the width of each tile follows from the size of the checkpoint.
  const readTile = async (level: number, index: number) => {
    const width = tileWidth(level, index, checkpoint.size)
    const tile = await get(`/log/${tilePath({ kind: 'tile', level, index, width })}`)
    assert.deepEqual([tile.status, tile.headers['content-type']], [200, 'application/octet-stream'])
    assert.equal(tile.body.length, width * 32)
    return bytesOf(tile)
  }
  assert.deepEqual(await rootFromTiles(sha256, checkpoint.size, readTile), checkpoint.root)
  for (const index of [0, 255, 256, 599]) {
    const proof = await inclusionProofFromTiles(sha256, index, checkpoint.size, readTile)
    const leaf = leafHash(sha256, entries[index]!)
    verifyInclusion(sha256, { index, size: checkpoint.size, leafHash: leaf, proof, root: checkpoint.root })
  }
})

test('serves entries in bundles that hash to the tiles (Log entries)', async () => {
  const { get } = await serve()
  for (const [index, width] of [
    [0, 256],
    [1, 256],
    [2, 88],
    [2, 1],
  ] as const) {
    const bundle = await get(`/log/${tilePath({ kind: 'entries', index, width })}`)
    const tile = bytesOf(await get(`/log/${tilePath({ kind: 'tile', level: 0, index, width })}`))
    const leaves = parseEntryBundle(bytesOf(bundle), width).map(entry => leafHash(sha256, entry))
    assert.deepEqual(Buffer.concat(leaves), Buffer.from(tile))
  }
})

test('caches full tiles for long and the checkpoint not at all', async () => {
  const { get } = await serve()
  assert.match((await get('/log/tile/0/000')).headers['cache-control'] ?? '', /max-age=31536000.*immutable/)
  assert.match((await get('/log/checkpoint')).headers['cache-control'] ?? '', /no-cache/)
})

test('answers 404 for tiles that are not, in whatever spelling, and for a checkpoint not signed yet', async () => {
  const { get } = await serve()
  const missing = [
    '0/002',
    '0/003',
    '1/000.p/3',
    '1/000',
    '2/000.p/1',
    'entries/002',
    'entries/003.p/1',
    '0/0',
    '0/x000/000',
    '64/000',
    '0/000.p/256',
    '',
    '../checkpoint',
    '0/x999/x999/x999/x999/999',
  ]
  for (const path of missing) assert.equal((await get(`/log/tile/${path}`)).status, 404, path)
  assert.equal((await (await serve(false)).get('/log/checkpoint')).status, 404)
})
