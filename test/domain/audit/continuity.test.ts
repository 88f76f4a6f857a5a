// C2SP tlog-checkpoint, Signatures: a log signs nothing that does not extend what it signed before.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { appendLeaves, EMPTY_TREE, treeRoot } from '../../../src/core/merkle/appender.ts'
import { leafHash } from '../../../src/core/merkle/tree.ts'
import { sha256 } from '../../../src/crypto/digest.ts'
import { checkContinuity } from '../../../src/domain/audit/continuity.ts'

function tree(size: number, altered = -1) {
  const leaves = Array.from({ length: size }, (_, i) =>
    leafHash(sha256, Buffer.from(i === altered ? 'altered' : `entry ${i}`)),
  )
  const { state, tiles } = appendLeaves(sha256, EMPTY_TREE, leaves)
  const stored = new Map(tiles.map(({ level, index, hashes }) => [`${level}/${index}`, hashes]))
  return {
    head: { size, root: treeRoot(sha256, state) },
    read: async (level: number, index: number) => stored.get(`${level}/${index}`),
  }
}

test('lets a log that grew sign again, and one that did not', async () => {
  const { head, read } = tree(700)
  for (const size of [0, 1, 255, 256, 257, 699, 700]) {
    await assert.doesNotReject(checkContinuity(sha256, tree(size).head, head, read), `${size} entries`)
  }
})

test('lets no log sign that was cut, altered or lost a tile', async () => {
  const signed = tree(700).head
  const refused = { code: 'audit.log_not_continued' }
  const cut = tree(600)
  await assert.rejects(checkContinuity(sha256, signed, cut.head, cut.read), refused)
  const altered = tree(900, 300)
  await assert.rejects(checkContinuity(sha256, signed, altered.head, altered.read), refused)
  await assert.rejects(
    checkContinuity(sha256, signed, { ...tree(700).head, root: new Uint8Array(32) }, tree(700).read),
    refused,
  )
  const grown = tree(900)
  await assert.rejects(
    checkContinuity(sha256, signed, grown.head, async () => undefined),
    refused,
  )
  await assert.doesNotReject(checkContinuity(sha256, signed, tree(900, 800).head, tree(900, 800).read))
})
