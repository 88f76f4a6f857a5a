import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Job, JobLoop } from '../../src/server/jobs.ts'
import { jsonLogger } from '../../src/server/logger.ts'

/** A loop whose time and change marker the test moves. */
function harness(job: Partial<Job>) {
  const state = { seconds: 0, marker: 1, runs: 0, fail: false }
  const lines: string[] = []
  const loop = new JobLoop(
    [
      {
        name: 'job',
        everySeconds: 60,
        run: async () => {
          state.runs++
          if (state.fail) throw new Error('no')
        },
        ...job,
      },
    ],
    {
      changeMarker: async () => state.marker,
      logger: jsonLogger(line => lines.push(line)),
      elapsed: () => state.seconds * 1000,
    },
  )
  return {
    state,
    lines,
    loop,
    async at(seconds: number): Promise<number> {
      state.seconds = seconds
      await loop.runDue()
      return state.runs
    },
  }
}

test('a job runs at start, and then as often as it says', async () => {
  const { at } = harness({})
  assert.deepEqual(
    [await at(0), await at(1), await at(59), await at(60), await at(61), await at(120)],
    [1, 1, 1, 2, 2, 3],
  )
})

test('a change in the store, by whichever process, makes a job run, but not more often than it says', async () => {
  const { at, state } = harness({ onChange: { atMostEverySeconds: 2 } })
  await at(0)
  state.marker++
  assert.deepEqual([await at(1), await at(2)], [1, 2])
  assert.deepEqual([await at(5), await at(30)], [2, 2], 'nothing changed')
  state.marker++
  assert.equal(await at(31), 3)
})

test('a job that fails comes again after 1, 2, 4 seconds and up to a minute, is named, and recovers', async () => {
  const { at, state, loop, lines } = harness({})
  state.fail = true
  assert.deepEqual(
    [await at(0), await at(0.5), await at(1), await at(2), await at(3), await at(6), await at(7)],
    [1, 1, 2, 2, 3, 3, 4],
  )
  assert.deepEqual(loop.failing, ['job'])
  assert.equal(lines.filter(line => line.includes('"event":"job.failed"')).length, 4)
  for (let second = 8; second < 400; second++) await at(second)
  assert.ok(state.runs < 14, 'it backs off to once a minute')
  state.fail = false
  await at(500)
  assert.deepEqual(loop.failing, [])
})

test('a store that is away stops nothing: the loop looks again', async () => {
  let away = true
  let runs = 0
  const lines: string[] = []
  const job: Job = { name: 'job', everySeconds: 60, run: async () => void runs++ }
  await using loop = new JobLoop([job], {
    changeMarker: async () => {
      if (away) throw new Error('gone')
      return 1
    },
    logger: jsonLogger(line => lines.push(line)),
  })
  loop.start()
  await sleep(700)
  assert.deepEqual([runs, lines.length], [0, 1], 'said once, not twice a second')
  away = false
  await sleep(700)
  assert.equal(runs, 1)
})

test('disposing waits for the job in hand and starts no other', async () => {
  const gate = Promise.withResolvers<void>()
  let finished = false
  const slow: Job = {
    name: 'slow',
    everySeconds: 1,
    run: async signal => {
      signal.addEventListener('abort', () => gate.resolve())
      await gate.promise
      finished = true
    },
  }
  const loop = new JobLoop([slow, { ...slow, name: 'next', run: () => Promise.reject(new Error('not to be run')) }], {
    changeMarker: async () => 1,
    logger: jsonLogger(() => assert.fail('nothing failed')),
  })
  loop.start()
  await sleep(50)
  await loop[Symbol.asyncDispose]()
  assert.equal(finished, true)
})
