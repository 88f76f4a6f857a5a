// x509-limbo (C2SP): every answer is the listed one, but for those that docs/conformance/x509-limbo.md explains. The suite is not ours to keep here: it
// is read from `x509-limbo/limbo.json` among the conformance data, or from the file that TOUCHMARK_LIMBO names.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { runLimbo } from '../../../scripts/x509-limbo.ts'
import { conformanceFolder } from '../../support/conformance.ts'

const EXPLAINED: readonly RegExp[] = [
  /^pathlen::validation-ignores-pathlen-in-leaf$/,
  /^rfc5280::ca-as-leaf$/,
  /^rfc5280::aki::cross-signed-root-missing-aki$/,
  /^webpki::aki::root-with-aki-(missing-keyidentifier|all-fields|ski-mismatch)$/,
  /^webpki::cn::/,
  /^webpki::eku::/,
  /^webpki::nc::permitted-dns-match-noncritical$/,
  /^webpki::san::(public-suffix-(multi-label|private-namespace)-wildcard-san|san-critical-with-nonempty-subject)$/,
  /^webpki::ee-basicconstraints-ca$/,
]

test('x509-limbo differs where the conformance page says so, and nowhere else', t => {
  const folder = conformanceFolder()
  const file = process.env['TOUCHMARK_LIMBO'] ?? (folder && join(folder, 'x509-limbo/limbo.json'))
  if (file === undefined || !existsSync(file)) {
    const message = 'conformance data "x509-limbo" is not here: it was not run'
    console.log(message)
    t.skip(message)
    return
  }
  // BetterTLS, where the suite has it, was never looked at.
  const outcomes = runLimbo(readFileSync(file, 'utf8')).filter(({ id }) => !id.startsWith('bettertls::'))
  assert.ok(outcomes.length > 100)
  const differing = outcomes.filter(({ answer, expected }) => answer.valid !== expected).map(({ id }) => id)
  assert.deepEqual(
    differing.filter(id => !EXPLAINED.some(pattern => pattern.test(id))),
    [],
  )
})
