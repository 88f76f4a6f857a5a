// The inclusion and consistency vectors of transparency-dev/merkle, of whole trees and of subtrees, good and bad.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fromBase64 } from '../../src/core/bytes/base64.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import { verifySubtreeConsistency, verifySubtreeInclusion } from '../../src/core/merkle/subtree.ts'
import { verifyConsistency, verifyInclusion } from '../../src/core/merkle/tree.ts'
import { sha256 } from '../../src/crypto/digest.ts'
import { requireConformance } from '../support/conformance.ts'

interface Vector {
  readonly desc: string
  readonly wantErr: boolean
  readonly proof: readonly string[] | null
  readonly leafIdx: number
  readonly treeSize: number
  readonly size: number
  readonly size1: number
  readonly size2: number
  readonly start: number
  readonly end: number
  readonly root: string
  readonly root1: string
  readonly root2: string
  readonly leafHash: string
}

const SUITES: Readonly<
  Record<string, { readonly count: number; readonly verify: (vector: Vector, proof: Uint8Array[]) => void }>
> = {
  inclusion: {
    count: 98,
    verify: ({ leafIdx, treeSize, leafHash, root }, proof) =>
      verifyInclusion(sha256, {
        index: leafIdx,
        size: treeSize,
        leafHash: fromBase64(leafHash),
        root: fromBase64(root),
        proof,
      }),
  },
  consistency: {
    count: 98,
    verify: ({ size1, size2, root1, root2 }, proof) =>
      verifyConsistency(sha256, { size1, size2, root1: fromBase64(root1), root2: fromBase64(root2), proof }),
  },
  subtreeinclusion: {
    count: 204,
    verify: ({ leafIdx, start, end, leafHash, root }, proof) =>
      verifySubtreeInclusion(sha256, {
        index: leafIdx,
        subtree: { start, end },
        leafHash: fromBase64(leafHash),
        root: fromBase64(root),
        proof,
      }),
  },
  subtreeconsistency: {
    count: 118,
    verify: ({ start, end, size, root1, root2 }, proof) =>
      verifySubtreeConsistency(sha256, {
        subtree: { start, end },
        size,
        subtreeRoot: fromBase64(root1),
        root: fromBase64(root2),
        proof,
      }),
  },
}

for (const [name, { count, verify }] of Object.entries(SUITES)) {
  test(`gives the listed answer to every ${name} vector (RFC 9162 2.1.3, 2.1.4)`, (t: TestContext) => {
    const suite = requireConformance(t, 'merkle')
    if (suite === undefined) return
    const folder = join(suite, 'testdata', name)
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.json'))
    const wrong: string[] = []
    for (const file of files) {
      const vector = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Vector
      const refused = thrownBy(() => verify(vector, (vector.proof ?? []).map(fromBase64)))
      if (refused !== undefined)
        assert.ok(refused instanceof TouchmarkError && refused.code.startsWith('merkle.'), `${file}: ${refused}`)
      if ((refused !== undefined) !== vector.wantErr) wrong.push(`${file}: ${vector.desc}`)
    }
    assert.deepEqual(wrong, [])
    assert.equal(files.length, count, 'the suite has another number of vectors than it had')
  })
}

function thrownBy(run: () => void): unknown {
  try {
    run()
    return undefined
  } catch (thrown) {
    return thrown
  }
}
