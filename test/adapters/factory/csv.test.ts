// CSV as factories export it (RFC 4180), however the stream cuts it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readCsv } from '../../../src/adapters/factory/csv.ts'

async function* inChunks(text: string, size: number): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size)
}

async function records(text: string, chunkSize = 7): Promise<readonly (readonly string[])[]> {
  const out: (readonly string[])[] = []
  for await (const { fields } of readCsv(inChunks(text, chunkSize))) out.push(fields)
  return out
}

test('reads plain, quoted and doubled-quoted fields', async () => {
  assert.deepEqual(await records('a,b\r\n"x, y","say ""hi"""\r\n'), [
    ['a', 'b'],
    ['x, y', 'say "hi"'],
  ])
})

test('takes the separator of the first line', async () => {
  assert.deepEqual(await records('serial;model\nA,1;M\n'), [
    ['serial', 'model'],
    ['A,1', 'M'],
  ])
})

test('keeps line ends inside quotes and counts lines past them', async () => {
  const lines: number[] = []
  for await (const { line } of readCsv(inChunks('s,c\n1,"a\nb\nc"\n2,d\n', 3))) lines.push(line)
  assert.deepEqual(lines, [1, 2, 5])
})

test('passes over empty lines and needs no final line end', async () => {
  assert.deepEqual(await records('a,b\n\n\nc,d'), [
    ['a', 'b'],
    ['c', 'd'],
  ])
})

test('refuses a quote that is never closed', async () => {
  await assert.rejects(records('a,"b\nc,d\n'), { code: 'factory.quote_open' })
})

test('refuses a record without end before it fills the memory', async () => {
  await assert.rejects(records(`a,"${'x'.repeat(400_000)}`, 65_536), { code: 'factory.record_too_long' })
})

test('gives back what was written, in whichever chunks it comes', async () => {
  const field = fc.string({ unit: fc.constantFrom('a', 'é', ',', '"', '\n', ' ', ';'), maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(field, field, fc.string({ unit: fc.constantFrom('x', 'y'), minLength: 1 })), {
        minLength: 1,
        maxLength: 8,
      }),
      fc.integer({ min: 1, max: 20 }),
      async (rows, chunkSize) => {
        const header = 'h1,h2,h3\n'
        const text = rows.map(row => row.map(value => `"${value.replaceAll('"', '""')}"`).join(',')).join('\n')
        assert.deepEqual((await records(`${header}${text}\n`, chunkSize)).slice(1), rows)
      },
    ),
  )
})
