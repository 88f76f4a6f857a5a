#!/usr/bin/env node
// Starts Touchmark with a Node that can run it. Plain JavaScript that old versions parse, because an older system Node may be
// what reads this line: a clone brings its own Node as a package, and that one is used.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { fileURLToPath } from 'node:url'

/** The one that the project is developed with: a clone has it as the package `node`. */
const PREFERRED = [26, 0]
const MINIMUM = [24, 12]
const here = path => fileURLToPath(new URL(path, import.meta.url))
const own = here('../node_modules/.bin/node')
// Why a cache, and why here: see src/cli/main.ts. Switched on before the first TypeScript file, it saves loading the type stripper too.
process.env.NODE_COMPILE_CACHE ??= here('../node_modules/.cache/touchmark')

const [major, minor] = process.versions.node.split('.').map(Number)
const isAtLeast = wanted => major > wanted[0] || (major === wanted[0] && minor >= wanted[1])

const isInstalled = here('..').includes('/node_modules/')

if (isInstalled && isAtLeast(MINIMUM)) {
  const hook = new URL('./strip-types.js', import.meta.url).href
  start(process.execPath, ['--disable-warning=ExperimentalWarning', '--import', hook])
} else if (isAtLeast(PREFERRED) || (isAtLeast(MINIMUM) && !existsSync(own))) {
  nodeModule.enableCompileCache(process.env.NODE_COMPILE_CACHE)
  const { main } = await import('../src/cli/program.ts')
  process.exitCode = await main(process.argv.slice(2))
} else if (existsSync(own)) {
  start(own, [])
} else {
  process.stderr.write(
    `touchmark: node.too_old\n  Touchmark needs Node ${MINIMUM.join('.')} or newer; this is ${process.version}.\n` +
      '  Install a newer Node, or run npm ci in a clone of the repository, which brings one.\n',
  )
  process.exitCode = 3
}

/** Hands over to another process and ends as it ends. */
function start(node, options) {
  const child = spawn(node, [...options, here('../src/cli/main.ts'), ...process.argv.slice(2)], { stdio: 'inherit' })
  // Ctrl-C reaches the child from the terminal as well; this process waits for what the child makes of it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', error => {
    process.stderr.write(`touchmark: ${node} cannot be started: ${error.message}\n`)
    process.exitCode = 3
  })
  child.on('exit', (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal)
      process.kill(process.pid, signal)
    } else process.exitCode = code ?? 1
  })
}
