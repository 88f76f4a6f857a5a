// Judges from outside: commands of system packages that some tests call. A machine without them skips those tests and says so;
// with CI=true a missing command is a failure.
import { spawnSync } from 'node:child_process'
import type { TestContext } from 'node:test'

const present = new Map<string, boolean>()

/** Whether `command` can be run; where it cannot, the test is skipped (or fails, with CI=true) and false comes back. */
export function requireTool(t: TestContext, command: string): boolean {
  if (hasTool(command)) return true
  const message = `${command} is not installed: "${t.name}" was not run`
  if (process.env['CI'] === 'true') throw new Error(message)
  console.log(message)
  t.skip(message)
  return false
}

/** Whether `command` is on the path. What macOS calls openssl is LibreSSL, which knows other options: it does not count. */
export function hasTool(command: string): boolean {
  let found = present.get(command)
  if (found === undefined) {
    found = spawnSync('sh', ['-c', 'command -v "$0"', command], { stdio: 'ignore' }).status === 0
    if (command === 'openssl' && found) {
      found = /^OpenSSL [3-9]/.test(spawnSync('openssl', ['version'], { encoding: 'utf8' }).stdout ?? '')
    }
    present.set(command, found)
  }
  return found
}
