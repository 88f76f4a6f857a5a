// Other processes that work on the same store, for races and for crashes. Run as a program, this file is such a process.
import assert from 'node:assert/strict'
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { openStore, type StoreLocation } from '../../../src/adapters/store/open-store.ts'
import { TouchmarkError } from '../../../src/core/errors.ts'
import { aUnit } from '../../support/store-fixtures.ts'

type Child = ChildProcessByStdio<Writable, Readable, null>

/** Several processes that register units 0 to `units - 1`, all at once; gives which each of them won. */
export async function raceInChildren(location: StoreLocation, children: number, units: number): Promise<number[][]> {
  const racers = Array.from({ length: children }, () => child('race', location, units))
  const lines = racers.map(linesOf)
  try {
    for (const racer of lines) assert.equal((await racer.next()).value, 'ready')
    for (const { stdin } of racers) stdin.end('go\n')
    return await Promise.all(
      lines.map(async racer => {
        const won: number[] = []
        for await (const line of racer) won.push(Number(line))
        return won
      }),
    )
  } finally {
    for (const racer of racers) racer.kill('SIGKILL')
  }
}

/** A process that registers unit after unit and is killed with -9 once it has reported `after` of them; gives the reported. */
export async function commitInChild(location: StoreLocation, after: number): Promise<string[]> {
  const committer = child('commit', location, 0)
  const reported: string[] = []
  for await (const line of linesOf(committer)) {
    if (line.endsWith('.')) reported.push(line.slice(0, -1))
    if (reported.length === after) committer.kill('SIGKILL')
  }
  if (committer.exitCode === null && committer.signalCode === null) await once(committer, 'exit')
  assert.equal(committer.signalCode, 'SIGKILL')
  return reported
}

function child(task: 'race' | 'commit', location: StoreLocation, units: number): Child {
  const file = fileURLToPath(import.meta.url)
  return spawn(process.execPath, [file, task, JSON.stringify(location), String(units)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
}

function linesOf({ stdout }: Child): AsyncIterableIterator<string> {
  return createInterface({ input: stdout })[Symbol.asyncIterator]()
}

if (import.meta.main) {
  const [task, location, units] = process.argv.slice(2) as [string, string, string]
  await using store = await openStore(JSON.parse(location) as StoreLocation)
  if (task === 'race') {
    console.log('ready')
    await once(process.stdin, 'data')
    await Promise.all(
      Array.from({ length: Number(units) }, async (_, i) => {
        try {
          await store.commit(aUnit({ model: 'raced', serialNumber: String(i) }).change)
          console.log(i)
        } catch (error) {
          assert.ok(error instanceof TouchmarkError && error.code === 'device.exists', String(error))
        }
      }),
    )
  } else {
    for (;;) {
      const units = Array.from({ length: 1 + Math.floor(Math.random() * 20) }, () => aUnit({ model: 'killed' }))
      await Promise.all(
        units.map(async ({ change, device }) => {
          // Serial numbers repeat from run to run; ids never do.
          const serialNumber = device.id
          await store.commit({
            ...change,
            writes: change.writes.map(write =>
              write.kind === 'device.insert' ? { ...write, device: { ...device, serialNumber } } : write,
            ),
          })
          process.stdout.write(`${serialNumber}.\n`)
        }),
      )
    }
  }
}
