// A disk that takes no more: a clear error, nothing corrupt, nothing lost that was answered, and work again as soon as there is room. The limit on
// the size of files stands for the disk, since it needs no rights; where a small file system can be mounted, that too.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CHUNK_UNITS } from '../../src/domain/factory/run-batch.ts'
import { run } from '../support/client.ts'
import { https } from '../support/https.ts'
import { LiveServer } from '../support/live-server.ts'
import { requireTool } from '../support/tools.ts'

/** More than one chunk, so that one can be durable when the next finds no room. */
const UNITS = CHUNK_UNITS + 800
/** Octets in which the first chunk finds room, and the second not. */
const ROOM = CHUNK_UNITS * 2500

function writeUnits(server: LiveServer): void {
  const rows = Array.from({ length: UNITS }, (_, i) => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    return `SN-${i},${publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`
  })
  writeFileSync(server.folder.join('units.csv'), ['serial,public_key', ...rows, ''].join('\n'))
}

const BATCH = 'touchmark batch --input units.csv --profile idevid --output out --json'

interface Failure {
  readonly error: { readonly code: string; readonly message: string; readonly next: string }
}

test('the server: 503 while there is no room, everything else goes on, 200 again without a restart', async t => {
  if (!requireTool(t, 'prlimit') || !requireTool(t, 'openssl')) return
  await using server = await LiveServer.start()
  const ca = readFileSync(server.roots, 'utf8')
  const devices = Array.from({ length: 20 }, (_, i) => `SN-${i}`)
  await server.sh(`
    for i in $(seq 0 19); do
      openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $i.key -subj /serialNumber=SN-$i -outform DER 2>/dev/null \\
        | openssl base64 > $i.b64
    done`)
  const tokens = await server.tokens(devices)
  const enrol = (device: string) =>
    https(`${server.est}/simpleenroll`, {
      method: 'POST',
      ca,
      headers: {
        'content-type': 'application/pkcs10',
        authorization: `Basic ${Buffer.from(`${device}:${tokens.get(device)}`).toString('base64')}`,
      },
      body: readFileSync(server.folder.join(`${device.slice(3)}.b64`)),
    })
  const limit = (octets: number | 'unlimited') => run('prlimit', ['--pid', String(server.pid), `--fsize=${octets}:`])

  const size = Math.max(statSync(`${server.data}/touchmark.db-wal`).size, statSync(`${server.data}/touchmark.db`).size)
  assert.equal((await limit(size + 60_000)).code, 0)
  const answered = new Map<string, string>()
  let refused: string | undefined
  for (const device of devices) {
    const answer = await enrol(device)
    if (answer.status === 200) {
      answered.set(device, answer.text)
      continue
    }
    assert.equal(answer.status, 503, answer.text)
    assert.ok(Number(answer.headers['retry-after']) > 0)
    assert.doesNotMatch(answer.text, /database|disk|sqlite/i, 'strangers do not learn what is wrong inside')
    refused = device
    break
  }
  assert.ok(refused, 'the disk was full at some time')
  assert.equal((await https(`${server.est}/cacerts`, { ca })).status, 200, 'what only reads goes on')
  assert.equal((await fetch(`${server.httpUrl}/healthz`)).status, 200)
  assert.match(server.stderr(), /"code":"store\.(full|unavailable)"/)

  assert.equal((await limit('unlimited')).code, 0)
  let answer = await enrol(refused)
  for (let round = 0; round < 50 && answer.status === 503; round++) {
    await sleep(100)
    answer = await enrol(refused)
  }
  assert.equal(answer.status, 200, answer.text)
  for (const [device, text] of answered) {
    const again = await enrol(device)
    assert.deepEqual([again.status, again.text], [200, text], `${device}: the same request, the same certificate`)
    assert.equal((await server.device(device)).certificates.length, 1)
  }
  await server.sh('touchmark audit verify')
  assert.equal(await server.stop(), 0)
  await server.assertInvariants()
})

test('a batch whose database, or whose results, find no room: exit code 3 and what to do; run again it comes to its end', async () => {
  await using server = await LiveServer.prepare()
  writeUnits(server)
  const size = statSync(`${server.data}/touchmark.db`).size
  const full = await server.run(`ulimit -S -f ${Math.ceil((size + ROOM) / 1024)}; ${BATCH}`)
  assert.equal(full.code, 3, full.text)
  const { error } = JSON.parse(full.stdout) as Failure
  assert.match(error.code, /^store\.(full|unavailable)$/)
  assert.match(error.next, /disk/)
  await server.sh('touchmark audit verify')
  await server.assertInvariants()
  const { certificates } = await server.counts()

  const done = JSON.parse(await server.sh(BATCH)) as { issued: number; existing: number; rejected: number }
  assert.deepEqual([done.issued + done.existing, done.rejected], [UNITS, 0])
  assert.ok(done.existing > 0 && done.existing <= certificates, 'what was durable is not issued again')

  // The units are in the registry now, so that the table of results is the only thing that grows.
  const cut = await server.run(`ulimit -S -f 200; ${BATCH.replace('--output out', '--output other')}`)
  assert.equal(cut.code, 3, cut.text)
  const unusable = (JSON.parse(cut.stdout) as Failure).error
  assert.equal(unusable.code, 'factory.output_unusable')
  assert.match(unusable.message, /its disk is full/)
  const again = JSON.parse(await server.sh(BATCH.replace('--output out', '--output other'))) as { existing: number }
  assert.equal(again.existing, UNITS)
  assert.equal(
    readFileSync(server.folder.join('other', 'results.csv'), 'utf8').replaceAll(',existing,', ',issued,'),
    readFileSync(server.folder.join('out', 'results.csv'), 'utf8').replaceAll(',existing,', ',issued,'),
  )
  await server.sh('touchmark audit verify')
  await server.assertInvariants()
})

test('a file system that is full (ENOSPC), where this machine lets us mount one', async t => {
  const may = await run('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).catch(() => undefined)
  if (may?.code !== 0) {
    t.diagnostic('This machine lets nobody mount a file system: the limit on file sizes above stands for it.')
    return
  }
  await using server = await LiveServer.prepare()
  writeUnits(server)
  const printed = await server.sh(
    `
    unshare -rm bash -euc '
      mkdir small; mount -t tmpfs -o size=1500k tmpfs small; cp -a data small/data
      export TOUCHMARK_DATA=$PWD/small/data
      ${BATCH} && exit 9
      test $? = 3
      mount -o remount,size=64m small
      touchmark audit verify
      ${BATCH}
      touchmark audit verify
    ' 2>/dev/null`,
  )
  const [error, first, done, second] = printed
    .trim()
    .split('\n')
    .filter(line => !line.startsWith('Root'))
  assert.equal((JSON.parse(error!) as Failure).error.code, 'store.full')
  assert.match(first!, /^The store is what the log says/)
  const counts = JSON.parse(done!) as { issued: number; existing: number; rejected: number }
  assert.deepEqual([counts.issued + counts.existing, counts.rejected], [UNITS, 0])
  assert.match(second!, /^The store is what the log says/)
})
