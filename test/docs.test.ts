// The documentation is held to what is there: links lead somewhere, the page of error codes is what the sources say, and nothing names a
// folder of somebody's machine.
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { errorCatalogue, missingCodes } from '../scripts/error-catalogue.ts'

const pages = ['README.md', 'SECURITY.md', 'CHANGELOG.md', ...globSync('docs/**/*.md')]

test('every relative link leads to a file', () => {
  const broken: string[] = []
  for (const page of pages) {
    for (const [, target] of readFileSync(page, 'utf8').matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)) {
      if (!existsSync(join(dirname(page), target!))) broken.push(`${page}: ${target}`)
    }
  }
  assert.deepEqual(broken, [])
})

test('every page is linked from another one, and every conformance page from their list', () => {
  const linkedFrom = (page: string) =>
    [...readFileSync(page, 'utf8').matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)]
      .map(([, target]) => join(dirname(page), target!))
      .filter(target => target !== page)
  const reached = new Set(pages.flatMap(linkedFrom))
  assert.deepEqual(
    globSync('docs/**/*.md').filter(page => !reached.has(page)),
    [],
  )
  const list = 'docs/conformance/README.md'
  const listed = new Set(linkedFrom(list))
  assert.deepEqual(
    globSync('docs/conformance/*.md').filter(page => page !== list && !listed.has(page)),
    [],
  )
})

test('docs/errors.md is what the sources say', () => {
  const page = new Set(readFileSync('docs/errors.md', 'utf8').split('\n'))
  const sources = new Set(errorCatalogue().split('\n'))
  const differing = [...page.symmetricDifference(sources)].map(row => row.slice(0, 100))
  assert.deepEqual(differing, [], 'run: node scripts/error-catalogue.ts > docs/errors.md')
})

test('no code in the sources is missed by docs/errors.md', () => {
  assert.deepEqual(missingCodes(), [], 'teach scripts/error-catalogue.ts to read these, or what else they are')
})

test('tests that the conformance pages name exist', () => {
  const missing: string[] = []
  for (const page of globSync('docs/**/*.md')) {
    for (const [, file] of readFileSync(page, 'utf8').matchAll(/`(test\/[\w./-]+\.ts)`/g)) {
      if (!existsSync(file!)) missing.push(`${page}: ${file}`)
    }
  }
  assert.deepEqual(missing, [])
})
