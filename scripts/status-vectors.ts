// Writes test/vectors/status: artefacts and deltas over synthetic certificates, for every verifier of the format. Run it where the format
// changes, and only then: a vector that changes by itself is a mistake. `node scripts/status-vectors.ts`
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { STATUS_VECTORS } from '../test/support/status-vectors.ts'

const folder = join(import.meta.dirname, '../test/vectors/status')
mkdirSync(folder, { recursive: true })
for (const [name, octets] of Object.entries(STATUS_VECTORS)) writeFileSync(join(folder, name), octets())
