// Where passphrases come from: files that only their owner may read, the environment's file, the terminal without echo.
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import {
  askNewPassphrase,
  askPassphrase,
  findPassphrase,
  readPassphraseFile,
} from '../../src/adapters/keystore/passphrase.ts'
import { fromUtf8, toUtf8 } from '../../src/core/bytes/utf8.ts'
import { TouchmarkError } from '../../src/core/errors.ts'

const hasCode = (code: string) => (error: unknown) => error instanceof TouchmarkError && error.code === code

function passphraseFile(t: TestContext, content: string | Uint8Array, mode = 0o600): string {
  const folder = mkdtempSync(join(tmpdir(), 'touchmark-passphrase-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'passphrase')
  writeFileSync(path, content)
  chmodSync(path, mode)
  return path
}

class FakeTerminal extends EventEmitter {
  readonly isTTY = true
  raw = false
  shown = ''
  readonly rawAtInput: boolean[] = []

  setRawMode(raw: boolean): void {
    this.raw = raw
  }

  resume(): void {}

  pause(): void {}

  type(text: string): void {
    queueMicrotask(() => {
      this.rawAtInput.push(this.raw)
      this.emit('data', toUtf8(text))
    })
  }

  get terminal() {
    return { input: this, output: { write: (text: string) => (this.shown += text) } }
  }
}

describe('from a file', () => {
  test('one final line end is cut, of either kind, and no more', async t => {
    const cases = [
      ['secret phrase', 'secret phrase'],
      ['secret phrase\n', 'secret phrase'],
      ['secret phrase\r\n', 'secret phrase'],
      ['secret phrase\n\n', 'secret phrase\n'],
      [' secret phrase ', ' secret phrase '],
    ] as const
    for (const [content, expected] of cases) {
      assert.equal(fromUtf8(await readPassphraseFile(passphraseFile(t, content))), expected)
    }
  })

  test('octets that are no text are taken as they are', async t => {
    const octets = new Uint8Array([0, 255, 128, 10, 13])
    assert.deepEqual(await readPassphraseFile(passphraseFile(t, octets)), octets)
  })

  test('a file that everybody may read or write is refused with the remedy', async t => {
    for (const mode of [0o604, 0o644, 0o602]) {
      const path = passphraseFile(t, 'secret phrase\n', mode)
      await assert.rejects(readPassphraseFile(path), (error: unknown) => {
        assert.ok(hasCode('keystore.passphrase_file_exposed')(error))
        assert.match((error as TouchmarkError).next ?? '', /chmod 600/)
        return true
      })
    }
    assert.equal(fromUtf8(await readPassphraseFile(passphraseFile(t, 'secret phrase', 0o640))), 'secret phrase')
  })

  test('empty, absent and huge files are refused', async t => {
    await assert.rejects(readPassphraseFile(passphraseFile(t, '\n')), hasCode('keystore.passphrase_empty'))
    await assert.rejects(readPassphraseFile(passphraseFile(t, 'x'.repeat(5000))), hasCode('keystore.passphrase_long'))
    await assert.rejects(readPassphraseFile('/nonexistent/passphrase'), hasCode('keystore.passphrase_file_missing'))
  })
})

describe('the order of sources', () => {
  test('command line, then TOUCHMARK_PASSPHRASE_FILE, then the terminal', async t => {
    const first = passphraseFile(t, 'from the command line')
    const second = passphraseFile(t, 'from the environment')
    const environment = { TOUCHMARK_PASSPHRASE_FILE: second }
    assert.equal(fromUtf8(await findPassphrase({ file: first, environment })), 'from the command line')
    assert.equal(fromUtf8(await findPassphrase({ environment })), 'from the environment')
    const fake = new FakeTerminal()
    fake.type('from the terminal\r')
    assert.equal(fromUtf8(await findPassphrase({ environment: {}, terminal: fake.terminal })), 'from the terminal')
    await assert.rejects(findPassphrase({ environment: {} }), hasCode('keystore.passphrase_missing'))
  })
})

describe('from the terminal', () => {
  test('what is typed is not shown, and the terminal is as before afterwards', async () => {
    const fake = new FakeTerminal()
    const answer = askPassphrase(fake.terminal, 'Passphrase: ')
    fake.type('sec')
    fake.type('ret\n')
    assert.equal(fromUtf8(await answer), 'secret')
    assert.equal(fake.shown, 'Passphrase: \n')
    assert.deepEqual(fake.rawAtInput, [true, true])
    assert.equal(fake.raw, false)
    assert.equal(fake.listenerCount('data') + fake.listenerCount('end'), 0)
  })

  test('backspace takes back a whole character, Ctrl-U the line', async () => {
    const fake = new FakeTerminal()
    fake.type('wrong\u0015pässwö\u007f\u007f\u007fort\r')
    assert.equal(fromUtf8(await askPassphrase(fake.terminal, '')), 'päsort')
    const empty = new FakeTerminal()
    empty.type('\u007f\u007fok\r')
    assert.equal(fromUtf8(await askPassphrase(empty.terminal, '')), 'ok')
  })

  test('Ctrl-C, Ctrl-D, the end of input, and nothing at all are refusals', async () => {
    for (const keys of ['abc\u0003', '\u0004']) {
      const fake = new FakeTerminal()
      fake.type(keys)
      await assert.rejects(askPassphrase(fake.terminal, ''), hasCode('keystore.passphrase_aborted'))
      assert.equal(fake.raw, false)
    }
    const ended = new FakeTerminal()
    queueMicrotask(() => ended.emit('end'))
    await assert.rejects(askPassphrase(ended.terminal, ''), hasCode('keystore.passphrase_aborted'))
    const nothing = new FakeTerminal()
    nothing.type('\r')
    await assert.rejects(askPassphrase(nothing.terminal, ''), hasCode('keystore.passphrase_empty'))
    const endless = new FakeTerminal()
    endless.type('x'.repeat(5000))
    await assert.rejects(askPassphrase(endless.terminal, ''), hasCode('keystore.passphrase_long'))
  })

  test('a new passphrase is asked for twice', async () => {
    const ask = async (first: string, second: string) => {
      const fake = new FakeTerminal()
      const answer = askNewPassphrase(fake.terminal)
      fake.type(`${first}\r`)
      setImmediate(() => fake.type(`${second}\r`))
      return answer
    }
    assert.equal(fromUtf8(await ask('the same', 'the same')), 'the same')
    await assert.rejects(ask('the same', 'not the same'), hasCode('keystore.passphrase_differs'))
  })
})
