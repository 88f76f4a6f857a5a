// Builds the console into console/dist where that is missing or older than its sources, and says nothing where it is not.
// `node scripts/build-console.ts`; `npm start` and the tests in a browser call it.
import { createHash } from 'node:crypto'
import { existsSync, globSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const root = join(import.meta.dirname, '..')
const folder = join(root, 'console')
const dist = join(folder, 'dist')
const stamp = join(dist, 'sources.sha256')

/** What the bundle is made of: the console's own files, what it imports from src/core, and the versions of its packages. */
export function sourcesDigest(): string {
  const files = globSync(
    ['console/index.html', 'console/vite.config.ts', 'console/public/**/*', 'console/src/**/*', 'src/core/**/*.ts'],
    { cwd: root, exclude: path => path.endsWith('.tmp') },
  ).sort()
  const hash = createHash('sha256')
  for (const file of [...files, 'package-lock.json', 'scripts/build-console.ts']) {
    const path = join(root, file)
    if (!existsSync(path)) continue
    try {
      hash.update(`${file}\0`).update(readFileSync(path)).update('\0')
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'EISDIR') throw thrown
    }
  }
  return hash.digest('hex')
}

/** Resolves to the folder of the built console. Safe to call from several processes: the last one to finish puts its folder in place. */
export async function buildConsole(): Promise<string> {
  const wanted = sourcesDigest()
  if (isBuilt(wanted)) return dist
  const { build } = await import('vite')
  const fresh = join(folder, `dist-${process.pid}`)
  try {
    await build({ configFile: join(folder, 'vite.config.ts'), mode: 'production', build: { outDir: fresh } })
    compress(fresh)
    writeFileSync(join(fresh, 'sources.sha256'), `${wanted}\n`)
    const old = join(folder, `dist-old-${process.pid}`)
    if (existsSync(dist)) renameSync(dist, old)
    try {
      renameSync(fresh, dist)
    } catch (thrown) {
      // Another process was faster, with the same sources.
      if (!isBuilt(wanted)) throw thrown
    }
    rmSync(old, { recursive: true, force: true })
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
  return dist
}

function isBuilt(digest: string): boolean {
  return existsSync(stamp) && readFileSync(stamp, 'utf8').trim() === digest
}

/** Compressed once here and not at every request. */
function compress(built: string): void {
  for (const file of globSync('**/*.{js,css,svg,html}', { cwd: built })) {
    const path = join(built, file)
    const bytes = readFileSync(path)
    writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }))
    writeFileSync(
      `${path}.br`,
      brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } }),
    )
  }
}

if (import.meta.main) await buildConsole()
