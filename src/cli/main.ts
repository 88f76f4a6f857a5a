// Entry of the command line. Stripping the types of some hundred files and compiling them takes longer than most commands, so both
// are kept for the next time, in the package's own folder: a cache in a folder that others can write to could be made to run their code.
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

const cache = fileURLToPath(new URL('../../node_modules/.cache/touchmark', import.meta.url))
enableCompileCache(cache)
// For the threads that this process starts.
process.env['NODE_COMPILE_CACHE'] ??= cache

const { main } = await import('./program.ts')
process.exitCode = await main(process.argv.slice(2))
