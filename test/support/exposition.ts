// A strict reader of the Prometheus text exposition format 0.0.4: what it does not know is an error.
import assert from 'node:assert/strict'

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Family {
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary'
  readonly help: string
  readonly samples: readonly Sample[]
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const LINE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`)
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: [''],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
}

/** Families by name. Throws where the text is not what the format asks for, or a histogram does not add up. */
export function parseExposition(text: string): ReadonlyMap<string, Family> {
  assert.ok(text.endsWith('\n'), 'ends with a line feed')
  const families = new Map<string, { type: Family['type']; help: string; samples: Sample[] }>()
  const seen = new Set<string>()
  let help: { name: string; text: string } | undefined
  let current: string | undefined
  for (const line of text.split('\n')) {
    if (line === '') continue
    const [, kind, name, rest] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? []
    if (kind === 'HELP') {
      help = { name: name!, text: rest! }
      continue
    }
    if (kind === 'TYPE') {
      assert.equal(help?.name, name, 'HELP stands before TYPE')
      assert.ok(rest! in SUFFIXES, `type ${rest}`)
      assert.ok(!families.has(name!), `${name} stands once`)
      families.set(name!, { type: rest as Family['type'], help: help!.text, samples: [] })
      current = name
      continue
    }
    const sample = parseSample(line)
    const family = families.get(current!)
    assert.ok(family, `${line} belongs to a family`)
    const suffix = sample.name.slice(current!.length)
    assert.ok(sample.name.startsWith(current!) && SUFFIXES[family.type]!.includes(suffix), `${line} in ${current}`)
    const identity = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`
    assert.ok(!seen.has(identity), `${identity} stands once`)
    seen.add(identity)
    family.samples.push(sample)
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family.samples)
  return families
}

function parseSample(line: string): Sample {
  const [, name, labelText, number] = LINE.exec(line) ?? []
  assert.ok(name !== undefined && number !== undefined, line)
  const labels: Record<string, string> = {}
  for (let rest = labelText ?? ''; rest !== ''; ) {
    const label = LABEL.exec(rest)
    assert.ok(label, line)
    assert.ok(!(label[1]! in labels), `${line}: a label stands once`)
    labels[label[1]!] = label[2]!
    rest = rest.slice(label[0].length)
  }
  const value = number === '+Inf' ? Number.POSITIVE_INFINITY : Number(number)
  assert.ok(number === 'Nan' || !Number.isNaN(value), line)
  return { name, labels, value }
}

function checkHistogram(name: string, samples: readonly Sample[]): void {
  const series = Map.groupBy(samples, ({ labels: { le: _, ...others } }) =>
    JSON.stringify(Object.entries(others).sort()),
  )
  for (const all of series.values()) {
    const buckets = all
      .filter(each => each.name === `${name}_bucket`)
      .map(each => ({
        le: each.labels['le'] === '+Inf' ? Number.POSITIVE_INFINITY : Number(each.labels['le']),
        count: each.value,
      }))
    const count = all.find(each => each.name === `${name}_count`)?.value
    assert.equal(buckets.at(-1)?.le, Number.POSITIVE_INFINITY, name)
    assert.equal(buckets.at(-1)?.count, count, `${name}: the last bucket holds all`)
    for (const [i, { le, count: here }] of buckets.entries()) {
      const before = buckets[i - 1]
      if (before) assert.ok(le > before.le && here >= before.count, `${name}: buckets grow`)
    }
  }
}
