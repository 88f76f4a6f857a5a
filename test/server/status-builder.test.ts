// Large universes are built in a thread: the same octets, and its errors arrive.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StatusCollector } from '../../src/core/filter/collect-status.ts'
import type { StatusPiece } from '../../src/domain/revocation/status-artefact.ts'
import { statusBuilder } from '../../src/server/status-builder.ts'
import { synthetic } from '../support/status.ts'

const COUNT = 6_000
const PIECE = 100 * 16

async function* pieces(serials: Uint8Array): AsyncGenerator<StatusPiece> {
  yield { kind: 'revoked', serials: serials.slice(0, 50 * 16) }
  for (let at = 0; at < serials.length; at += PIECE) yield { kind: 'issued', serials: serials.slice(at, at + PIECE) }
}

test('a universe that is built in a thread is the one that is built here', async () => {
  const { serials } = synthetic(COUNT, () => false)
  const collector = new StatusCollector()
  collector.revoked(serials.slice(0, 50 * 16))
  collector.issued(serials)
  const built = await statusBuilder.build(pieces(serials), [])
  assert.deepEqual([built.universe, built.revoked], [COUNT, 50])
  assert.deepEqual(built.sets.segments[0]!.columns, collector.build().sets.segments[0]!.columns)
})

test('a reader that fails ends the thread, with its own error', async () => {
  const { serials } = synthetic(COUNT, () => false)
  async function* failing(): AsyncGenerator<StatusPiece> {
    yield* pieces(serials)
    throw new Error('the store went away')
  }
  await assert.rejects(statusBuilder.build(failing(), []), { code: 'internal.unexpected' })
})
