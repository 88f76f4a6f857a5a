// What all commands share: help, completion, the page that lists them.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import type { Command } from '../../src/cli/command.ts'
import { duration, portNumber } from '../../src/cli/command.ts'
import { COMMANDS } from '../../src/cli/commands.ts'
import { exitCodeOf } from '../../src/cli/exit-codes.ts'
import { table, time, timestamp } from '../../src/cli/output.ts'
import { CHANGING_COMMANDS, OTHER_COMMANDS } from '../../src/cli/refused-command.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import { touchmark } from '../support/cli.ts'
import { requireTool } from '../support/tools.ts'

/** Every command that does something, by its path. */
async function leaves(): Promise<{ path: string; command: Command }[]> {
  const found: { path: string; command: Command }[] = []
  const walk = (command: Command, path: string) => {
    // A command with arguments or options of its own does something, also where it has subcommands.
    if (command.commands.length === 0 || command.options.length > 0) found.push({ path, command })
    for (const child of command.commands) walk(child, `${path} ${child.name()}`)
  }
  for (const row of COMMANDS) walk(await row.load(), row.name)
  return found
}

test('every command is on the page docs/cli.md, and nothing else is', async () => {
  const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')
  const listed = [...page.matchAll(/^\| `touchmark ([a-z -]+)` \|/gm)].map(match => match[1]!)
  assert.deepEqual(listed.toSorted(), (await leaves()).map(each => each.path).toSorted())
})

test('of every command it is said whether it changes data: its refusals are logged then', async () => {
  const paths = new Set((await leaves()).map(each => each.path))
  assert.deepEqual([...paths.difference(CHANGING_COMMANDS.union(OTHER_COMMANDS))], [], 'in neither list')
  assert.deepEqual([...CHANGING_COMMANDS.intersection(OTHER_COMMANDS)], [], 'in both')
})

test('every command takes --json and --data (on a device --dir), explains itself, and says what each option means', async () => {
  for (const { path, command } of await leaves()) {
    const long = command.options.map(option => option.long)
    assert.ok(long.includes('--json') && long.includes(path.startsWith('agent ') ? '--dir' : '--data'), path)
    assert.ok(command.summary().length > 10, path)
    for (const option of command.options) assert.ok(option.description.length > 3, `${path} ${option.long}`)
  }
})

test('the summaries in the table are those of the commands', async () => {
  for (const row of COMMANDS) {
    const command = await row.load()
    assert.equal(command.name(), row.name)
    assert.ok(
      command.summary().startsWith(row.summary) || row.summary.startsWith(command.summary().split(';')[0]!),
      row.name,
    )
  }
})

test('--help, --version and help COMMAND end with 0; nothing at all and nonsense with 2', async () => {
  const help = await touchmark(['--help'])
  assert.equal(help.code, 0)
  for (const row of COMMANDS) assert.match(help.stdout, new RegExp(`^  ${row.name} `, 'm'))
  assert.match((await touchmark(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/)
  assert.match((await touchmark(['help', 'token'])).stdout, /touchmark token/)
  assert.match((await touchmark(['token', 'create', '--help'])).stdout, /Examples:[\s\S]*touchmark token create/)
  const nonsense = await touchmark(['revok'])
  assert.equal(nonsense.code, 2)
  assert.match(nonsense.stderr, /Did you mean revoke/)
  assert.equal((await touchmark([])).code, 2)
})

describe('completion', () => {
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    test(`${shell} takes the script and knows the commands`, async t => {
      const { code, stdout } = await touchmark(['completion', shell])
      assert.equal(code, 0)
      for (const row of COMMANDS) assert.ok(stdout.includes(row.name), row.name)
      if (shell === 'bash' && requireTool(t, 'bash')) {
        const script = `${stdout}
COMP_WORDS=(touchmark token create --dev); COMP_CWORD=3; _touchmark; echo "\${COMPREPLY[@]}"
COMP_WORDS=(touchmark au); COMP_CWORD=1; _touchmark; echo "\${COMPREPLY[@]}"`
        const tried = spawnSync('bash', ['-c', script], { encoding: 'utf8' })
        assert.equal(tried.stderr, '')
        assert.equal(tried.stdout, '--device\nauthority audit\n')
      }
    })
  }

  test('another shell is refused', async () => {
    assert.equal((await touchmark(['completion', 'tcsh'])).code, 2)
  })
})

test('exit codes tell the surroundings from the answer', () => {
  const error = (code: string, kind: 'not_found' | 'unavailable' | 'malformed' | 'conflict' | 'unauthenticated') =>
    exitCodeOf(new TouchmarkError(code, kind, ''))
  assert.equal(error('device.not_found', 'not_found'), 1)
  assert.equal(error('usage.invalid', 'malformed'), 2)
  assert.equal(error('store.full', 'unavailable'), 3)
  assert.equal(error('keystore.passphrase_wrong', 'unauthenticated'), 3)
  assert.equal(error('data.exists', 'conflict'), 3)
})

test('option values are read strictly', () => {
  assert.deepEqual(['90s', '15m', '12h', '30d'].map(duration), [90, 900, 43200, 2592000])
  for (const wrong of ['', '0s', '5', 'm', '1.5h', '-1d', '1w']) assert.throws(() => duration(wrong), wrong)
  assert.deepEqual(['0', '8443', '65535'].map(portNumber), [0, 8443, 65535])
  for (const wrong of ['', '65536', '-1', '80a', '1e3']) assert.throws(() => portNumber(wrong), wrong)
})

test('times are for people in words and for programs in RFC 3339', () => {
  assert.equal(timestamp(1767225600), '2026-01-01T00:00:00Z')
  assert.equal(time(1767225600), '2026-01-01 00:00:00 UTC')
  assert.equal(time(253402300799), 'no expiry')
  assert.equal(table(['A', 'BB'], [['1', '2']]), 'A  BB\n─  ──\n1  2')
})
