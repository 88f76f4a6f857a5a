// `init` killed with -9: either the folder holds a whole instance, or it holds none and the next `init` makes one.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { testFolder, touchmark } from '../support/cli.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** Killed when so many files of the instance under construction are there; the last round some time after the first of the real ones. */
const ROUNDS = [1, 10, 'moved'] as const

for (const until of ROUNDS) {
  test(`init killed ${until === 'moved' ? 'while its parts are moved into place' : `with ${until} files made`}`, async () => {
    using folder = testFolder()
    const data = folder.join('acme')
    const args = ['init', '--data', data, '--organization', 'Acme']
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: 'ignore', env: withoutPassphrase() })
    const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
    let over = false
    void ended.then(() => (over = true))
    while (!over && !(until === 'moved' ? existsSync(`${data}/passphrase`) : filesIn(data) >= until)) await sleep(1)
    child.kill('SIGKILL')
    const [, signal] = await ended

    if (existsSync(`${data}/touchmark.json`)) {
      assert.equal((await touchmark(['audit', 'verify', '--data', data])).code, 0, 'a whole instance')
      return
    }
    assert.equal(signal, 'SIGKILL')
    const again = await touchmark(args, { env: withoutPassphrase() })
    if (again.code !== 0) {
      // Parts of the killed one are in their places: nothing is overwritten that might be somebody's keys.
      assert.match(again.stderr, /data\.unfinished/)
      return
    }
    assert.equal((await touchmark(['audit', 'verify', '--data', data])).code, 0)
    assert.deepEqual(
      readdirSync(data).filter(name => name.startsWith('.')),
      [],
      'nothing is left of the first attempt',
    )
  })
}

/** Files below a folder, however deep; 0 where there is none. */
function filesIn(path: string): number {
  try {
    return readdirSync(path, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile()).length
  } catch {
    return 0
  }
}

function withoutPassphrase(): Record<string, string> {
  const { TOUCHMARK_PASSPHRASE_FILE: _, ...rest } = process.env
  return rest as Record<string, string>
}
