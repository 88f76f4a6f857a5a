// One build of a status artefact, so that its memory is its own: `build-artefact.ts CERTIFICATES REVOKED` answers with a line of JSON.
import { setsOctets } from '../../src/core/filter/build-status.ts'
import { StatusCollector } from '../../src/core/filter/collect-status.ts'
import { halfSipHash } from '../../src/core/filter/half-sip-hash.ts'
import { randomSerials } from '../support/status-universe.ts'
import type { Built } from './artefact.ts'

const [certificates, revoked] = process.argv.slice(2).map(Number) as [number, number]
const serials = randomSerials(certificates)
const mebibytes = (octets: number) => Math.round(octets / 2 ** 20)
const baseMebibytes = mebibytes(process.memoryUsage.rss())

const begun = performance.now()
const collector = new StatusCollector()
const PIECE = 4_096 * 16
const step = Math.floor(certificates / revoked) * 16
const listed = new Uint8Array(revoked * 16)
for (let i = 0; i < revoked; i++) listed.set(serials.subarray(i * step, i * step + 16), i * 16)
for (let at = 0; at < listed.length; at += PIECE) collector.revoked(listed.subarray(at, at + PIECE))
for (let at = 0; at < serials.length; at += PIECE) collector.issued(serials.subarray(at, at + PIECE))
const { sets } = collector.build()
const milliseconds = Math.round(performance.now() - begun)

const hashing = performance.now()
for (let at = 0; at < serials.length; at += 16) halfSipHash(1, 2, serials, at, 16)
const hashMilliseconds = Math.round(performance.now() - hashing)
// Linux says KiB.
const peakMebibytes = mebibytes(process.resourceUsage().maxRSS * 1024)
const built: Built = { octets: setsOctets(sets), milliseconds, hashMilliseconds, peakMebibytes, baseMebibytes }
console.log(JSON.stringify(built))
