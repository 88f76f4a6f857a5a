// What a running process exposes: parsed strictly, counted rightly, and held against the dashboard, the rules and the page that speak of it.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { createToken } from '../../src/domain/ra/create-token.ts'
import { dataFolder } from '../../src/server/data-folder.ts'
import { jsonLogger } from '../../src/server/logger.ts'
import { type Instance, openInstance } from '../../src/server/open-instance.ts'
import { type RunningServer, startServer } from '../../src/server/wiring.ts'
import { type Family, parseExposition } from '../support/exposition.ts'
import { https } from '../support/https.ts'
import { LiveServer } from '../support/live-server.ts'
import { requireTool } from '../support/tools.ts'

describe('metrics of a running process', () => {
  let files: LiveServer
  let instance: Instance
  let server: RunningServer
  const lines: Record<string, unknown>[] = []
  const now = () => Math.floor(Date.now() / 1000)

  before(async () => {
    files = await LiveServer.prepare()
    const sources = { file: files.passphraseFile, ask: undefined }
    instance = await openInstance(dataFolder(files.data), sources, { now })
    const logger = jsonLogger(line => lines.push(JSON.parse(line)))
    server = await startServer(instance, { logger, host: '127.0.0.1', httpsPort: 0, httpPort: 0, metricsPort: 0 })
  })
  after(async () => {
    await server[Symbol.asyncDispose]()
    await instance[Symbol.asyncDispose]()
    await files[Symbol.asyncDispose]()
  })

  async function scrape(): Promise<ReadonlyMap<string, Family>> {
    const response = await fetch(server.metricsUrl!)
    assert.equal(response.status, 200)
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
    return parseExposition(await response.text())
  }

  const value = (families: ReadonlyMap<string, Family>, name: string, labels: Record<string, string> = {}) => {
    const family = [...families].find(([each]) => name === each || name.startsWith(`${each}_`))?.[1]
    return family?.samples
      .filter(each => each.name === name && Object.entries(labels).every(([l, v]) => each.labels[l] === v))
      .reduce((sum, each) => sum + each.value, 0)
  }

  const post = (name: string, authorization: string) =>
    https(`${server.url}/.well-known/est/${name}`, {
      method: 'POST',
      ca: readFileSync(files.roots, 'utf8'),
      headers: { 'content-type': 'application/pkcs10', authorization },
      body: readFileSync(files.folder.join('csr.b64')),
    })

  it('counts enrolments by protocol, profile and outcome, and refusals by code; log lines carry the request', async t => {
    if (!requireTool(t, 'openssl')) return
    await files.sh(`openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -subj "/O=Acme Devices/serialNumber=M-1" \\
      -outform DER 2>/dev/null | openssl base64 > csr.b64`)
    const request = {
      model: 'gateway',
      serialNumber: 'M-1',
      profile: 'ldevid',
      actor: { kind: 'operator', id: 'test' },
    } as const
    const { secret } = await createToken(request, { ...instance, clock: { now } })
    const basic = (password: string) => `Basic ${Buffer.from(`M-1:${password}`).toString('base64')}`
    const answer = await post('simpleenroll', basic(secret))
    assert.equal(answer.status, 200, answer.text)
    assert.notEqual((await post('simpleenroll', basic('wrong'))).status, 200)
    assert.notEqual((await post('no-such-profile/simpleenroll', basic(secret))).status, 200)

    const families = await scrape()
    const issued = { protocol: 'est', operation: 'enrol', profile: 'ldevid', outcome: 'issued' }
    assert.equal(value(families, 'touchmark_enrolment_duration_seconds_count', issued), 1)
    assert.equal(value(families, 'touchmark_certificates_issued_total', { profile: 'ldevid' }), 1)
    assert.ok(value(families, 'touchmark_refusals_total', { protocol: 'est' })! >= 1)
    assert.ok(value(families, 'touchmark_signatures_total', { outcome: 'done' })! >= 1)
    assert.ok(value(families, 'touchmark_store_group_changes_count')! >= 1)
    assert.equal(value(families, 'touchmark_facts_read'), 1)
    // What strangers write is no label.
    const labels = [...families.values()].flatMap(({ samples }) => samples.flatMap(each => Object.values(each.labels)))
    assert.deepEqual(
      labels.filter(label => /no-such-profile|M-1|wrong/.test(label)),
      [],
    )
    const line = lines.find(({ event }) => event === 'enrolment.ended')
    assert.equal(line?.['request'], answer.headers['x-request-id'])
    assert.deepEqual([line?.['outcome'], line?.['profile']], ['issued', 'ldevid'])
  })

  it('says what is so: authorities, CRLs, OCSP signers, jobs', async () => {
    const families = await scrape()
    for (const { id, kind } of await instance.authorities.all()) {
      const here = value(families, 'touchmark_authority_key_available', { authority: id })
      assert.equal(here, kind === 'issuing' ? 1 : 0, id)
      if (kind !== 'issuing') continue
      assert.ok(value(families, 'touchmark_crl_next_update_timestamp_seconds', { authority: id })! > now(), id)
      assert.equal(value(families, 'touchmark_crls_published_total', { authority: id }), 1, id)
      assert.ok(value(families, 'touchmark_crl_size_bytes', { authority: id })! > 100, id)
      assert.ok(value(families, 'touchmark_ocsp_signer_not_after_timestamp_seconds', { authority: id })! > now(), id)
    }
    assert.equal(value(families, 'touchmark_job_failing'), 0)
    assert.ok(value(families, 'touchmark_log_entries')! > 10)
  })

  it('metrics are on their own listener only, health on each', async () => {
    assert.equal((await fetch(new URL('/metrics', server.httpUrl))).status, 404)
    for (const base of [server.httpUrl, server.metricsUrl!]) {
      const ready = await fetch(new URL('/readyz', base))
      assert.deepEqual(
        [ready.status, await ready.json()],
        [200, { ready: true, checks: { store: true, keys: true, jobs: true, crls: true } }],
      )
      assert.equal((await fetch(new URL('/healthz', base))).status, 200)
    }
  })

  it('dashboard, rules and page name what the process exposes, and the page names all of it', async () => {
    const families = await scrape()
    const known = new Set(
      [...families].flatMap(([name, { type }]) => [
        name,
        ...(type === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : []),
      ]),
    )
    const page = readFileSync('docs/operate/metrics.md', 'utf8')
    const sources = {
      dashboard: readFileSync('docs/operate/grafana-dashboard.json', 'utf8'),
      rules: readFileSync('docs/operate/prometheus-rules.yml', 'utf8'),
      page,
    }
    for (const [source, text] of Object.entries(sources)) {
      const named = new Set(text.match(/\b(?:touchmark|process|nodejs)_[a-z0-9_]*[a-z0-9]\b/g) ?? [])
      assert.ok(named.size > 10, source)
      assert.deepEqual(
        [...named].filter(name => !known.has(name)),
        [],
        source,
      )
    }
    const own = [...families.keys()].filter(name => name.startsWith('touchmark_'))
    assert.deepEqual(
      own.filter(name => !page.includes(`\`${name}\``)),
      [],
      'docs/operate/metrics.md',
    )
    for (const [, runbook] of sources.rules.matchAll(/runbook: (\S+)/g)) assert.ok(existsSync(runbook!), runbook)
    // Labels that an expression asks for are labels of that metric.
    for (const [, name, labels] of `${sources.rules}\n${JSON.parse(JSON.stringify(sources.dashboard))}`.matchAll(
      /\b(touchmark_[a-z0-9_]+)\{([^}]*)\}/g,
    )) {
      const family = [...families].find(([each]) => name === each || name!.startsWith(`${each}_`))![1]
      const has = new Set(family.samples.flatMap(each => Object.keys(each.labels)))
      if (family.samples.length === 0) continue
      const asked = [...labels!.matchAll(/([a-z_]+)\s*(?:=~|=)/g)].map(([, label]) => label!)
      const foreign = asked.filter(label => !has.has(label) && label !== 'instance' && !(label === 'job'))
      assert.deepEqual(foreign, [], `${name}{${labels}}`)
    }
  })
})
