// The vectors of the status artefact, made anew: name of the file, and its octets. What each is about stands in test/vectors/status/README.md.
import type { Bytes } from '../../src/core/bytes/bytes.ts'
import { withChanges } from '../../src/core/filter/build-status.ts'
import { encodeStatusDelta } from '../../src/core/filter/status-delta.ts'
import { serialOf, signedArtefact, synthetic, T0 } from './status.ts'

export const VECTOR_COUNT = 3_000

/** Each vector's universe: which of `VECTOR_COUNT` certificates are revoked. */
export const VECTOR_SETS: Readonly<Record<string, (index: number) => boolean>> = {
  'none.tms': () => false,
  'all.tms': () => true,
  'one.tms': i => i === 1_234,
  'percent.tms': i => i % 100 === 7,
  'tenth.tms': i => i % 10 === 3,
  'half.tms': i => i % 2 === 0,
  'most.tms': i => i % 100 !== 50,
  'exceptions.tms': exceptionsSay,
  'segments.tms': segmentsSay,
}

/** `percent.tms` after ten revocations and a release. */
function exceptionsSay(i: number): boolean {
  return (i % 100 === 7 && i !== 107) || (i >= 20 && i < 30)
}

/** And after two hundred more, taken together in a segment of their own. */
function segmentsSay(i: number): boolean {
  return exceptionsSay(i) || i % 15 === 1
}

const build = (isRevoked: (index: number) => boolean) => synthetic(VECTOR_COUNT, isRevoked).universe.build()
const head = (epoch: number, isRevoked: (index: number) => boolean) => ({
  epoch,
  coveredFrom: T0 - 300,
  coveredUntil: T0 + VECTOR_COUNT,
  universe: VECTOR_COUNT,
  revoked: synthetic(VECTOR_COUNT, isRevoked).universe.revokedCount,
})
const plain = (name: string) => () => signedArtefact(build(VECTOR_SETS[name]!), head(1, VECTOR_SETS[name]!))

const percent = (): Bytes => plain('percent.tms')()
const exceptions = (): Bytes => {
  const base = build(VECTOR_SETS['percent.tms']!)
  const changed = [107, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29]
  const now = changed.map(i => ({ serialNumber: serialOf(i), revoked: exceptionsSay(i) }))
  return signedArtefact(withChanges(base, now), head(2, exceptionsSay))
}
const segments = (): Bytes => {
  const { segments: upon } = build(VECTOR_SETS['percent.tms']!)
  return signedArtefact(
    synthetic(VECTOR_COUNT, segmentsSay).universe.build({ upon, always: true }),
    head(3, segmentsSay),
    Uint8Array.of(0x30, 0x00),
  )
}

export const STATUS_VECTORS: Readonly<Record<string, () => Bytes>> = {
  'none.tms': plain('none.tms'),
  'all.tms': plain('all.tms'),
  'one.tms': plain('one.tms'),
  'percent.tms': percent,
  'tenth.tms': plain('tenth.tms'),
  'half.tms': plain('half.tms'),
  'most.tms': plain('most.tms'),
  'exceptions.tms': exceptions,
  'segments.tms': segments,
  'percent-to-exceptions.tmd': () => encodeStatusDelta(percent(), exceptions()),
  'exceptions-to-segments.tmd': () => encodeStatusDelta(exceptions(), segments()),
  'percent-to-segments.tmd': () => encodeStatusDelta(percent(), segments()),
}
