// Channels against servers of this process that take, refuse, are slow or say nothing; and what becomes of a notice that nobody takes.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { createNotifier } from '../../src/adapters/notify/notifier.ts'
import { secretsIn } from '../../src/adapters/notify/secrets.ts'
import { createStore } from '../../src/adapters/store/open-store.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import { systemRandom } from '../../src/crypto/random.ts'
import { type AlertChannel, defaultAlertRules, parseAlertRules } from '../../src/domain/alerts/alert-rules.ts'
import { discardNotice, redeliverNotice } from '../../src/domain/alerts/answer-alert.ts'
import { deliverNotices, MAX_ATTEMPTS, waitAfter } from '../../src/domain/alerts/deliver-notices.ts'
import type { Delivery, Notice, Notifier } from '../../src/domain/alerts/notice.ts'
import { newAlertId, newDeliveryId } from '../../src/domain/ids.ts'
import { aDelivery } from '../adapters/store/alert-contract.ts'
import { MailServer } from '../support/mail-server.ts'
import { NOW } from '../support/store-fixtures.ts'

const NOTICE: Notice = {
  version: 1,
  instance: 'acme.example/log',
  at: NOW,
  items: [
    {
      why: 'firing',
      alert: newAlertId(NOW, systemRandom),
      rule: 'campaign-paused',
      subject: 'x',
      severity: 'critical',
      state: 'firing',
      summary: 'The campaign <!channel> @here *x* & co stopped itself.',
      runbook: 'docs/operate/campaign-paused.md',
      startedAt: NOW,
    },
  ],
  more: 2,
}

interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A server that answers `status` to everything; `null`: never. */
async function webServer(t: TestContext, answer: { status: number | null; headers?: Record<string, string> }) {
  const received: Received[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', data => (body += data))
    request.on('end', () => {
      received.push({ headers: request.headers, body })
      if (answer.status !== null) response.writeHead(answer.status, answer.headers ?? {}).end('thank you')
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(async () => {
    server.closeAllConnections()
    await new Promise<void>(resolve => server.close(() => resolve()))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?token=hush`, received, answer }
}

function secretFolder(t: TestContext, secrets: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'touchmark-secrets-'))
  t.after(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'secrets'), { mode: 0o700 })
  for (const [name, text] of Object.entries(secrets))
    writeFileSync(join(folder, 'secrets', name), text, { mode: 0o600 })
  return join(folder, 'secrets')
}

function notifierWith(t: TestContext, secrets: Record<string, string>): Notifier {
  return createNotifier({ clock: { now: () => NOW }, secrets: secretsIn(secretFolder(t, secrets)), deadlineMs: 400 })
}

const signal = new AbortController().signal
const ID = newDeliveryId(NOW, systemRandom)
const channel = (fields: Record<string, unknown>): AlertChannel =>
  parseAlertRules({ ...defaultAlertRules, channels: [fields as never] }).channels[0]!

describe('a webhook', () => {
  it('is signed over time and body, and says which notice it is', async t => {
    const { url, received } = await webServer(t, { status: 204 })
    const notifier = notifierWith(t, { 'hook-key': 'correct horse\n' })
    await notifier.send(channel({ kind: 'webhook', name: 'w', url, secret: 'hook-key' }), NOTICE, ID, signal)
    const [{ headers, body }] = received as [Received]
    assert.deepEqual(JSON.parse(body), NOTICE)
    assert.equal(headers['touchmark-notice'], ID)
    const expected = createHmac('sha256', 'correct horse').update(`${NOW}.${body}`).digest('hex')
    assert.equal(headers['touchmark-signature'], `t=${NOW},v1=${expected}`)
  })

  for (const [status, code] of [
    [500, 'notify.failed'],
    [503, 'notify.failed'],
    [429, 'notify.failed'],
    [null, 'notify.failed'],
    [403, 'notify.refused'],
    [404, 'notify.refused'],
    [302, 'notify.refused'],
  ] as const) {
    it(`${status ?? 'a server that never answers'}: ${code}, and the address is not told`, async t => {
      const { url } = await webServer(t, { status, headers: { location: 'http://127.0.0.1:1/' } })
      const notifier = notifierWith(t, { k: 's' })
      const sending = notifier.send(channel({ kind: 'webhook', name: 'w', url, secret: 'k' }), NOTICE, ID, signal)
      await assert.rejects(sending, (error: unknown) => {
        assert.ok(error instanceof TouchmarkError)
        assert.equal(error.code, code)
        assert.doesNotMatch(
          JSON.stringify([error.message, error.next, error.evidence, error.cause]),
          /hush|127\.0\.0\.1/,
        )
        return true
      })
    })
  }

  it('to a port where nobody listens: notify.failed', async t => {
    const sending = notifierWith(t, { k: 's' }).send(
      channel({ kind: 'webhook', name: 'w', url: 'http://127.0.0.1:1/', secret: 'k' }),
      NOTICE,
      ID,
      signal,
    )
    await assert.rejects(sending, { code: 'notify.failed' })
  })
})

describe('a chat', () => {
  it('gets what is told as text that calls nobody and links nowhere', async t => {
    const { url, received } = await webServer(t, { status: 200 })
    const notifier = notifierWith(t, { room: `${url}\n` })
    for (const style of ['slack', 'mattermost', 'teams']) {
      await notifier.send(channel({ kind: 'chat', name: 'c', style, urlSecret: 'room' }), NOTICE, ID, signal)
    }
    const [slack, mattermost, teams] = received.map(({ body }) => JSON.parse(body))
    assert.match(slack.text, /\*critical\* The campaign &lt;!channel&gt; @here/)
    assert.match(slack.text, /and 2 more/)
    assert.match(mattermost.text, /\*\*critical\*\* The campaign \\<!channel\\> @\u200bhere \\\*x\\\*/)
    assert.equal(teams.attachments[0].content.type, 'AdaptiveCard')
  })

  it('whose secret is no address: notify.secret_invalid', async t => {
    const sending = notifierWith(t, { room: 'hunter2' }).send(
      channel({ kind: 'chat', name: 'c', style: 'slack', urlSecret: 'room' }),
      NOTICE,
      ID,
      signal,
    )
    await assert.rejects(sending, { code: 'notify.secret_invalid' })
  })
})

describe('mail', () => {
  const mailTo = (port: number, more: Record<string, unknown> = {}) =>
    channel({
      kind: 'smtp',
      name: 'm',
      host: '127.0.0.1',
      port,
      security: 'none',
      from: 'pki@acme.example',
      to: ['ops@acme.example'],
      ...more,
    })

  it('is plain text, with the worst in its subject and the runbook in its body', async t => {
    await using server = await MailServer.start()
    await notifierWith(t, {}).send(mailTo(server.port), NOTICE, ID, signal)
    const [mail] = server.mails as [string]
    assert.match(mail, /^Subject: \[Touchmark\] critical: The campaign/m)
    assert.match(mail, /^Auto-Submitted: auto-generated/m)
    assert.match(mail, new RegExp(`^Message-ID: <${ID}@`, 'm'))
    assert.match(mail, /docs\/operate\/campaign-paused\.md/)
  })

  it('is for good where the mailbox is not there, and for later where the server is busy, hangs or lacks STARTTLS', async t => {
    await using server = await MailServer.start({ mood: 'refuses' })
    const notifier = notifierWith(t, {})
    await assert.rejects(notifier.send(mailTo(server.port), NOTICE, ID, signal), { code: 'notify.refused' })
    server.mood = 'busy'
    await assert.rejects(notifier.send(mailTo(server.port), NOTICE, ID, signal), { code: 'notify.failed' })
    server.mood = 'hangs'
    await assert.rejects(notifier.send(mailTo(server.port), NOTICE, ID, signal), { code: 'notify.failed' })
    server.mood = 'takes'
    const starttls = mailTo(server.port, { security: 'starttls' })
    await assert.rejects(notifier.send(starttls, NOTICE, ID, signal), { code: 'notify.failed' })
    assert.deepEqual(server.mails, [])
  })
})

describe('a secret', () => {
  it('is read anew each time, without its line end; a name cannot leave the folder', async t => {
    const folder = secretFolder(t, { key: 'one\n' })
    const secrets = secretsIn(folder)
    assert.equal(await secrets('key'), 'one')
    writeFileSync(join(folder, 'key'), 'two')
    assert.equal(await secrets('key'), 'two')
    for (const name of ['absent', '../secrets/key', '/etc/passwd', '']) {
      await assert.rejects(secrets(name), { code: 'notify.secret_missing' })
    }
  })

  it('that everybody reads is refused', async t => {
    const folder = secretFolder(t, { key: 'one' })
    chmodSync(join(folder, 'key'), 0o644)
    await assert.rejects(secretsIn(folder)('key'), { code: 'notify.secret_exposed' })
  })
})

describe('a notice in the store', () => {
  const WEBHOOK = channel({ kind: 'webhook', name: 'ops', url: 'https://ops.example/', secret: 'k' })

  async function bench(t: TestContext, answer: () => Promise<void>) {
    const folder = mkdtempSync(join(tmpdir(), 'touchmark-notices-'))
    const store = await createStore({ folder })
    t.after(async () => {
      await store[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true })
    })
    let now = NOW
    const sent: string[] = []
    const notifier: Notifier = {
      send: async (_channel, _notice, id) => {
        sent.push(id)
        await answer()
      },
    }
    const clock = { now: () => now }
    const put = (delivery: Delivery) =>
      store.commit({ writes: [{ kind: 'delivery.put', delivery, from: null }], audit: [] })
    const run = (channels: AlertChannel[] = [WEBHOOK]) =>
      deliverNotices({ channels }, { store, clock, notifier }, new AbortController().signal)
    return { store, clock, put, run, sent, advance: (seconds: number) => (now += seconds) }
  }

  const failing = (kind: 'unavailable' | 'forbidden') => () =>
    Promise.reject(new TouchmarkError(kind === 'forbidden' ? 'notify.refused' : 'notify.failed', kind, 'No.'))

  it('is gone when the other side took it', async t => {
    const { put, run, store, sent } = await bench(t, async () => undefined)
    const delivery = aDelivery({ channel: 'ops' })
    await put(delivery)
    assert.equal(await run(), 1)
    assert.deepEqual(sent, [delivery.id])
    assert.equal(await store.read.delivery(delivery.id), undefined)
  })

  it('is tried again after longer and longer waits, and is a dead letter in the end', async t => {
    const { put, run, store, sent, advance } = await bench(t, failing('unavailable'))
    const delivery = aDelivery({ channel: 'ops' })
    await put(delivery)
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      await run()
      assert.equal(sent.length, attempt)
      advance(waitAfter(attempt) - 1)
      await run()
      assert.equal(sent.length, attempt, 'not before its time')
      advance(1)
    }
    const dead = await store.read.delivery(delivery.id)
    assert.deepEqual([dead?.state, dead?.attempts, dead?.lastError], ['dead', MAX_ATTEMPTS, 'notify.failed'])
    await run()
    assert.equal(sent.length, MAX_ATTEMPTS)
  })

  it('that is refused is a dead letter at once; an operator tries it again or throws it away, and the log knows', async t => {
    const { put, run, store, clock, sent } = await bench(t, failing('forbidden'))
    const delivery = aDelivery({ channel: 'ops' })
    await put(delivery)
    await run()
    assert.deepEqual(
      (await store.read.deadDeliveries({ limit: 9 })).items.map(({ id }) => id),
      [delivery.id],
    )
    const actor = { kind: 'operator', id: 'op-1' } as const
    await redeliverNotice(delivery.id, actor, { store, clock })
    await assert.rejects(redeliverNotice(delivery.id, actor, { store, clock }), { code: 'delivery.not_dead' })
    await run()
    assert.equal(sent.length, 2)
    await discardNotice(delivery.id, actor, { store, clock })
    await assert.rejects(discardNotice(delivery.id, actor, { store, clock }), { code: 'delivery.not_found' })
    const actions = []
    for await (const { bytes } of store.read.auditEntries(0))
      actions.push(JSON.parse(new TextDecoder().decode(bytes)).action)
    assert.deepEqual(actions, ['alert.notice_redelivered', 'alert.notice_discarded'])
  })

  it('is sent by one of two processes, and not at all where its channel is gone', async t => {
    const { put, run, store, sent } = await bench(t, async () => undefined)
    const delivery = aDelivery({ channel: 'ops' })
    await put(delivery)
    const taken = await Promise.all([run(), run()])
    assert.deepEqual(taken.sort(), [0, 1])
    assert.equal(sent.length, 1)
    const orphan = aDelivery({ channel: 'gone' })
    await put(orphan)
    assert.equal(await run(), 0)
    assert.equal(await store.read.delivery(orphan.id), undefined)
  })

  it('that hangs holds up its own channel only', async t => {
    const gate = Promise.withResolvers<void>()
    const folder = await bench(t, async () => undefined)
    const { store, clock, put } = folder
    const taken: string[] = []
    const notifier: Notifier = {
      send: async ({ name }) => {
        if (name === 'slow') await gate.promise
        taken.push(name)
        if (name === 'ops') gate.resolve()
      },
    }
    await put(aDelivery({ channel: 'slow' }))
    await put(aDelivery({ channel: 'ops' }))
    const channels = [{ ...WEBHOOK, name: 'slow' }, WEBHOOK]
    await deliverNotices({ channels }, { store, clock, notifier }, new AbortController().signal)
    assert.deepEqual(taken, ['ops', 'slow'])
  })
})
