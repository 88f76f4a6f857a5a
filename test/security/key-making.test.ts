// Attack: a device that asks for one server-made RSA key after the other. Making a key costs the server a second and the device a request.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeyPair, type PrivateKey } from '../../src/crypto/keys.ts'
import { boundedKeyMaker } from '../../src/protocols/est/key-maker.ts'

const patient = new AbortController().signal

/** A maker whose keys are finished by hand. */
async function slowMaker() {
  const key = await generateKeyPair('P-256')
  const begun: PromiseWithResolvers<PrivateKey>[] = []
  const make = boundedKeyMaker(() => {
    const making = Promise.withResolvers<PrivateKey>()
    begun.push(making)
    return making.promise
  })
  return { key, begun, make }
}

const settle = () => new Promise(resolve => setImmediate(resolve))

test('two keys are made at once, a few requests wait, the others are told to come again', async () => {
  const { key, begun, make } = await slowMaker()
  const outcomes = Array.from({ length: 40 }, () =>
    make('RSA-4096', patient).then(
      () => 'made',
      error => error.code,
    ),
  )
  await settle()
  assert.equal(begun.length, 2)
  for (let i = 0; i < 34; i++) {
    begun[i]!.resolve(key)
    await settle()
    assert.ok(begun.length <= i + 3)
  }
  const counts = Object.groupBy(await Promise.all(outcomes), outcome => String(outcome))
  assert.deepEqual([counts['made']?.length, counts['est.key_making_busy']?.length], [34, 6])
})

test('who hangs up gives its place away, and a key that fails does not block the next', async () => {
  const { key, begun, make } = await slowMaker()
  const gone = new AbortController()
  const first = [make('RSA-4096', patient), make('RSA-4096', patient)]
  const left = make('RSA-4096', gone.signal)
  const last = make('RSA-4096', patient)
  gone.abort(new Error('hung up'))
  await assert.rejects(left, /hung up/)
  begun[0]!.reject(new Error('no entropy'))
  await assert.rejects(first[0]!, /no entropy/)
  await settle()
  assert.equal(begun.length, 3)
  for (const making of begun) making.resolve(key)
  await Promise.all([first[1], last])
  await assert.rejects(make('P-256', gone.signal), /hung up/)
})
