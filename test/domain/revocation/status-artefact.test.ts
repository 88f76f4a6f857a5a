// Status artefacts as this platform publishes them: opened as a device does, with nothing but the authority's certificate, and compared with the
// registry after every step.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { copyBytes } from '../../../src/core/bytes/bytes.ts'
import { openStatusArtefact, type StatusArtefact } from '../../../src/core/filter/status-artefact.ts'
import { applyStatusDelta } from '../../../src/core/filter/status-delta.ts'
import { parseCertificate } from '../../../src/core/pki/certificate.ts'
import { inQuestion, statusVerifier } from '../../../src/crypto/status-signer.ts'
import type { CertificateRecord } from '../../../src/domain/ca/certificate-record.ts'
import { authorityId } from '../../../src/domain/ids.ts'
import { releaseCertificate, revokeCertificate } from '../../../src/domain/revocation/revoke.ts'
import {
  DEFAULT_STATUS_SCHEDULE,
  isStatusDue,
  publishStatus,
  readStatusDelta,
  rebuildStatus,
  type StatusPorts,
  statusPublicationName,
} from '../../../src/domain/revocation/status-artefact.ts'
import { statusIssuer } from '../../../src/domain/revocation/status-signers.ts'
import { statusBuilder } from '../../../src/server/status-builder.ts'
import { bornDevice, OPERATOR, type TestInstance, testInstance } from '../../support/instance.ts'
import { assertInvariants } from '../../support/invariants.ts'

const IDEVID = authorityId('idevid-1')

class Bench {
  readonly instance: TestInstance
  readonly ports: StatusPorts
  /** What a device holds: it follows by deltas where there are any. */
  held: Uint8Array | undefined
  readonly records: CertificateRecord[] = []

  constructor(instance: TestInstance) {
    this.instance = instance
    this.ports = { store: instance.store, clock: instance.clock, schedule: DEFAULT_STATUS_SCHEDULE }
  }

  async issuer() {
    return (await statusIssuer(IDEVID, this.instance))!
  }

  async publish(): Promise<void> {
    const published = await publishStatus(await this.issuer(), this.ports)
    if (published.kind === 'absent') await this.rebuild()
  }

  async rebuild(): Promise<void> {
    await rebuildStatus(await this.issuer(), statusBuilder, this.ports)
  }

  async born(count: number): Promise<CertificateRecord[]> {
    const made: CertificateRecord[] = []
    for (let i = 0; i < count; i++) made.push((await bornDevice(this.instance)).record)
    this.records.push(...made)
    return made
  }

  async full(): Promise<Uint8Array> {
    return (await this.instance.store.read.publication(statusPublicationName(IDEVID)))!.bytes
  }

  async open(octets: Uint8Array): Promise<StatusArtefact> {
    const authority = await this.instance.authorities.certificate(IDEVID)
    return openStatusArtefact(copyBytes(octets), { verify: statusVerifier(authority) })
  }

  async status(record: CertificateRecord): Promise<string> {
    const authority = await this.instance.authorities.certificate(IDEVID)
    const answer = (await this.open(await this.full())).query(
      inQuestion(parseCertificate(copyBytes(record.der)), authority),
    )
    return answer.status === 'unknown' ? answer.why : answer.status
  }

  /** Brings the device up to date, by a delta or the whole; returns the octets that it took. */
  async sync(): Promise<number> {
    const full = await this.full()
    if (this.held === undefined) {
      this.held = full
      return full.length
    }
    const { epoch } = (await this.open(this.held)).head
    const delta = await readStatusDelta(IDEVID, epoch, this.instance.store.read)
    if (delta === 'current') return 0
    this.held = delta === undefined ? full : applyStatusDelta(copyBytes(this.held), delta.bytes)
    assert.deepEqual(this.held, full)
    return delta?.bytes.length ?? full.length
  }

  /** Every certificate that the artefact covers has the status that the registry says. */
  async assertTrue(): Promise<void> {
    const artefact = await this.open(await this.full())
    const authority = await this.instance.authorities.certificate(IDEVID)
    for (const { serialNumber, der } of this.records) {
      const now = (await this.instance.store.read.certificate(IDEVID, serialNumber))!
      const answer = artefact.query(inQuestion(parseCertificate(copyBytes(der)), authority))
      const wanted = now.status.kind === 'good' ? 'good' : 'revoked'
      assert.ok(answer.status === wanted || answer.status === 'unknown', `${serialNumber} is ${wanted}`)
    }
  }
}

test('a revocation, a hold and a release are in the next epoch, and a small delta leads to it', async t => {
  const bench = new Bench(await testInstance(t))
  const [one, two, three] = (await bench.born(40)) as [CertificateRecord, CertificateRecord, CertificateRecord]
  bench.instance.clock.advance(120)
  await bench.publish()
  await bench.sync()
  assert.equal(await bench.status(one), 'good')

  await revokeCertificate(one, 'keyCompromise', OPERATOR, bench.instance)
  await revokeCertificate(two, 'certificateHold', OPERATOR, bench.instance)
  bench.instance.clock.advance(1)
  await bench.publish()
  assert.ok((await bench.sync()) < 260)
  assert.deepEqual(await Promise.all([one, two, three].map(each => bench.status(each))), ['revoked', 'revoked', 'good'])

  await releaseCertificate(two, OPERATOR, bench.instance)
  bench.instance.clock.advance(1)
  await bench.publish()
  assert.ok((await bench.sync()) < 260)
  assert.equal(await bench.sync(), 0)
  assert.deepEqual(await Promise.all([one, two, three].map(each => bench.status(each))), ['revoked', 'good', 'good'])
  const { head } = await bench.open(await bench.full())
  assert.equal(head.revoked, 1)
  await bench.assertTrue()
  await assertInvariants(bench.instance.store)
})

test('what was issued after the covered second is newer, and comes in with a later epoch', async t => {
  const bench = new Bench(await testInstance(t))
  await bench.born(2)
  bench.instance.clock.advance(DEFAULT_STATUS_SCHEDULE.marginSeconds + 1)
  await bench.publish()
  const [late] = (await bench.born(1)) as [CertificateRecord]
  assert.equal(await bench.status(late), 'newer')
  await bench.publish()
  assert.equal(await bench.status(late), 'newer')
  bench.instance.clock.advance(DEFAULT_STATUS_SCHEDULE.marginSeconds + 1)
  await bench.publish()
  assert.equal(await bench.status(late), 'good')
})

test('one that is revoked before it is covered asks for the epoch that covers it', async t => {
  const bench = new Bench(await testInstance(t))
  await bench.publish()
  const [late] = (await bench.born(1)) as [CertificateRecord]
  await revokeCertificate(late, 'keyCompromise', OPERATOR, bench.instance)
  const { store, clock } = bench.instance
  for (const work of await store.lease('status', clock.now(), 30, 9)) {
    await bench.publish()
    await store.commit({ writes: [{ kind: 'work.done', work }], audit: [] })
  }
  assert.equal(await bench.status(late), 'newer')
  clock.advance(DEFAULT_STATUS_SCHEDULE.marginSeconds + 2)
  assert.equal((await store.lease('status', clock.now(), 30, 9)).length, 1)
  await bench.publish()
  assert.equal(await bench.status(late), 'revoked')
})

test('nothing is issued in a second that is covered: with the clock put back, serial numbers go on behind it', async t => {
  const bench = new Bench(await testInstance(t))
  bench.instance.clock.advance(2 * 86_400)
  await bench.born(1)
  bench.instance.clock.advance(1_000)
  await bench.born(1)
  bench.instance.clock.advance(1_000)
  await bench.publish()
  bench.instance.clock.advance(-86_400)
  const late = await bench.born(3)
  for (const record of late) assert.equal(await bench.status(record), 'newer')
  const second = (record: CertificateRecord) => parseInt(record.serialNumber.padStart(32, '0').slice(0, 8), 16)
  assert.ok(second(late[0]!) > second(bench.records[1]!), 'the second of issue lies behind all that is covered')
  assert.ok(
    late.every(({ notBefore }) => notBefore <= bench.instance.clock.now()),
    'and the validity is that of the clock',
  )
  bench.instance.clock.advance(86_400 + 1_000)
  await bench.publish()
  await bench.assertTrue()
})

test('building anew, upon what is there or not, changes no answer, and deltas lead over it', async t => {
  const bench = new Bench(await testInstance(t))
  const records = await bench.born(60)
  bench.instance.clock.advance(120)
  await bench.publish()
  await bench.sync()
  for (const [step, build] of [false, false, true, false, true, true, false].entries()) {
    for (const record of records.slice(step * 4, step * 4 + 3)) {
      await revokeCertificate(record, 'superseded', OPERATOR, bench.instance)
    }
    bench.instance.clock.advance(step === 4 ? 90_000 : 3)
    if (build) await bench.rebuild()
    else await bench.publish()
    await bench.sync()
    await bench.assertTrue()
  }
  const { head } = await bench.open(await bench.full())
  assert.equal(head.revoked, 21)
})

test('an epoch that was put out while the universe was being built loses nothing', async t => {
  const bench = new Bench(await testInstance(t))
  const [one, two] = (await bench.born(20)) as [CertificateRecord, CertificateRecord]
  bench.instance.clock.advance(120)
  await bench.publish()
  await bench.sync()
  await revokeCertificate(one, 'superseded', OPERATOR, bench.instance)
  await rebuildStatus(
    await bench.issuer(),
    {
      async build(pieces, upon) {
        const built = await statusBuilder.build(pieces, upon)
        await revokeCertificate(two, 'superseded', OPERATOR, bench.instance)
        await bench.publish()
        await bench.sync()
        return built
      },
    },
    bench.ports,
  )
  await bench.sync()
  assert.deepEqual([await bench.status(one), await bench.status(two)], ['revoked', 'revoked'])
})

test('a device with an epoch that is long gone gets a delta over it, or none, and never a wrong one', async t => {
  const bench = new Bench(await testInstance(t))
  const records = await bench.born(30)
  bench.instance.clock.advance(120)
  await bench.publish()
  const old: Uint8Array[] = []
  for (let i = 0; i < 6; i++) {
    old.push(await bench.full())
    await revokeCertificate(records[i]!, 'superseded', OPERATOR, bench.instance)
    bench.instance.clock.advance(i === 3 ? 90_000 : 1)
    if (i % 2 === 0) await bench.publish()
    else await bench.rebuild()
  }
  for (const octets of old) {
    bench.held = octets
    await bench.sync()
  }
  const { read } = bench.instance.store
  assert.equal(await readStatusDelta(IDEVID, (await bench.open(await bench.full())).head.epoch + 1, read), undefined)
  assert.equal(await readStatusDelta(authorityId('nobody-1'), 1, read), undefined)
})

test('the artefact lasts no longer than its signer, and a new signer goes with the delta', async t => {
  const bench = new Bench(await testInstance(t))
  const [one] = (await bench.born(3)) as [CertificateRecord]
  bench.instance.clock.advance(120)
  await bench.publish()
  await bench.sync()
  const before = await bench.issuer()
  bench.instance.clock.advance(10 * 86_400)
  assert.ok(await isStatusDue(IDEVID, bench.ports))
  await revokeCertificate(one, 'superseded', OPERATOR, bench.instance)
  await bench.publish()
  const after = await bench.issuer()
  assert.notDeepEqual(after.certificate.raw, before.certificate.raw)
  await bench.sync()
  const { head, envelope } = await bench.open(await bench.full())
  assert.deepEqual(envelope.signer, after.certificate.raw)
  assert.ok(head.nextUpdate <= after.certificate.notAfter)
  assert.equal(await isStatusDue(IDEVID, bench.ports), false)
})

test('what changed and nobody published is due within the minute, also where the request for it is lost', async t => {
  const bench = new Bench(await testInstance(t))
  const [one] = (await bench.born(3)) as [CertificateRecord]
  bench.instance.clock.advance(120)
  await bench.publish()
  assert.equal(await isStatusDue(IDEVID, bench.ports), false)
  await revokeCertificate(one, 'superseded', OPERATOR, bench.instance)
  assert.ok(await isStatusDue(IDEVID, bench.ports))
  await bench.publish()
  assert.equal(await isStatusDue(IDEVID, bench.ports), false)
})

test('a clock that ran ahead for a while does not keep the authority from issuing when it is right again', async t => {
  const bench = new Bench(await testInstance(t))
  const { clock } = bench.instance
  const [one] = (await bench.born(3)) as [CertificateRecord]
  clock.advance(120)
  await bench.publish()
  clock.advance(5 * 86_400)
  await revokeCertificate(one, 'superseded', OPERATOR, bench.instance)
  await bench.publish()
  assert.equal(await bench.status(one), 'revoked')
  clock.advance(60 - 5 * 86_400)
  const [later] = (await bench.born(1)) as [CertificateRecord]
  assert.equal(await bench.status(later), 'newer')
  clock.advance(120)
  await bench.publish()
  assert.equal(await bench.status(later), 'good')
  await bench.assertTrue()
})

test('a signer without the right to speak of status is not believed', async t => {
  const bench = new Bench(await testInstance(t))
  const [device] = (await bench.born(1)) as [CertificateRecord]
  const issuer = await bench.issuer()
  const impostor = { ...issuer, certificate: parseCertificate(copyBytes(device.der)) }
  await assert.rejects(
    async () => {
      await rebuildStatus(impostor, statusBuilder, bench.ports)
      await bench.open(await bench.full())
    },
    { code: 'status.signature_invalid' },
  )
})
