// The software key store: life of a key, what is on the disk, wrong passphrases, altered files, crashes.
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { createSoftwareKeyStore, openSoftwareKeyStore } from '../../src/adapters/keystore/software-keystore.ts'
import { fromBase64, toBase64 } from '../../src/core/bytes/base64.ts'
import { toHex } from '../../src/core/bytes/hex.ts'
import { toUtf8 } from '../../src/core/bytes/utf8.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import { keyAlgorithms } from '../../src/crypto/algorithms.ts'
import { sha256 } from '../../src/crypto/digest.ts'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { assertOwnSignature } from '../../src/crypto/signer.ts'

const PASSPHRASE = toUtf8('correct horse battery staple')
const EFFORT = { memoryKiB: 64, passes: 1, lanes: 1 }
const TBS = toUtf8('what is signed')
const EVIDENCE = { who: 'operator-7', why: 'end of the test' }
const NOW = 1_800_000_000
const now = () => NOW
const hasCode = (code: string) => (error: unknown) => error instanceof TouchmarkError && error.code === code

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'touchmark-keys-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'keys')
}

const create = (folder: string) => createSoftwareKeyStore({ folder, passphrase: PASSPHRASE, effort: EFFORT, now })
const open = (folder: string) => openSoftwareKeyStore({ folder, passphrase: PASSPHRASE, now })

/** Every file with its octets: what "touches nothing" is measured by. */
function snapshot(folder: string): string[] {
  return readdirSync(folder)
    .sort()
    .map(name => {
      const { mtimeMs, ino, mode } = statSync(join(folder, name))
      return `${name} ${mtimeMs} ${ino} ${mode} ${readFileSync(join(folder, name), 'hex')}`
    })
}

/** Rewrites a file with a digest that fits: what somebody does who knows the form but not the key. */
function forge(path: string, change: (file: { header: Record<string, unknown>; box: string }) => void): void {
  const { header, box } = JSON.parse(readFileSync(path, 'utf8'))
  const file = { header, box }
  change(file)
  const digest = toHex(sha256(toUtf8(JSON.stringify(file))))
  writeFileSync(path, JSON.stringify({ ...file, digest }, null, 2) + '\n')
}

describe('the life of a key', () => {
  test('every algorithm: generated, found again after the store was closed, and signs', async t => {
    const folder = temporaryFolder(t)
    const made = new Map<string, string>()
    {
      await using store = await create(folder)
      assert.equal(store.scheme, 'software')
      for (const { name } of keyAlgorithms) {
        const { keyUri, publicKey } = await store.generate(name, name.toLowerCase())
        assert.equal(keyUri, `software:${name.toLowerCase()}`)
        made.set(keyUri, toHex(publicKey))
      }
    }
    await using store = await open(folder)
    const list = await store.list()
    assert.deepEqual(new Map(list.map(info => [info.keyUri, toHex(info.publicKey)])), new Map([...made].sort()))
    for (const info of list) {
      assert.equal(info.state, 'generated')
      assert.equal(info.created, NOW)
      const signer = await store.signer(info.keyUri)
      assert.equal(signer.keyUri, info.keyUri)
      assertOwnSignature(signer, TBS, await signer.sign(TBS))
    }
    const pss = await store.signer('software:rsa-2048', 'RSASSA-PSS-SHA256')
    assertOwnSignature(pss, TBS, await pss.sign(TBS))
  })

  test('many at once are signed on threads, which end with the store', async t => {
    const store = await create(temporaryFolder(t))
    await store.generate('P-256', 'ca')
    const signer = await store.signer('software:ca')
    const many = Array.from({ length: 100 }, (_, i) => toUtf8(`certificate ${i}`))
    const signatures = await signer.signMany!(many)
    for (const [i, tbs] of many.entries()) assertOwnSignature(signer, tbs, signatures[i]!)
    const late = await store.signer('software:ca')
    await store[Symbol.asyncDispose]()
    await assert.rejects(late.signMany!(many), hasCode('keystore.closed'))
    await assert.rejects(signer.signMany!(many), hasCode('signer.failed'))
  })

  test('the threads of a key that is destroyed end with it', async t => {
    await using store = await create(temporaryFolder(t))
    await store.generate('P-256', 'ocsp')
    const signer = await store.signer('software:ocsp')
    const many = Array.from({ length: 64 }, (_, i) => toUtf8(`answer ${i}`))
    await signer.signMany!(many)
    await store.destroy('software:ocsp', EVIDENCE)
    await assert.rejects(signer.signMany!(many), hasCode('signer.failed'))
  })

  test('an imported key keeps its public key, and its label is taken for ever', async t => {
    await using store = await create(temporaryFolder(t))
    const key = await generateKeyPair('P-384')
    assert.deepEqual((await store.import(key.toPkcs8(), 'ca')).publicKey, key.publicKey)
    await assert.rejects(store.import(key.toPkcs8(), 'ca'), hasCode('key.label_taken'))
    await assert.rejects(store.generate('P-256', 'ca'), hasCode('key.label_taken'))
    await store.destroy('software:ca', EVIDENCE)
    await assert.rejects(store.generate('P-256', 'ca'), hasCode('key.label_taken'))
    await assert.rejects(store.import(toUtf8('no key'), 'other'), TouchmarkError)
    assert.equal((await store.list()).length, 1)
  })

  test('states are explicit, and each change says who, when and why', async t => {
    await using store = await create(temporaryFolder(t))
    const { keyUri } = await store.generate('P-256', 'ca')
    await store.changeState(keyUri, 'in-use', { who: 'operator-1', why: 'ceremony' })
    await store.changeState(keyUri, 'suspended', { who: 'operator-2', why: 'suspicion' })
    await assert.rejects(store.signer(keyUri), hasCode('key.suspended'))
    await store.changeState(keyUri, 'in-use', { who: 'operator-2', why: 'cleared' })
    const signer = await store.signer(keyUri)
    assertOwnSignature(signer, TBS, await signer.sign(TBS))
    await store.changeState(keyUri, 'archived', { who: 'operator-1', why: 'successor in use' })
    await assert.rejects(store.signer(keyUri), hasCode('key.archived'))
    await assert.rejects(store.changeState(keyUri, 'in-use', EVIDENCE), hasCode('key.transition_invalid'))
    await store.destroy(keyUri, EVIDENCE)
    await assert.rejects(store.changeState(keyUri, 'in-use', EVIDENCE), hasCode('key.transition_invalid'))
    const [info] = await store.list()
    assert.deepEqual(
      info!.history.map(event => [event.state, event.who, event.why, event.at]),
      [
        ['in-use', 'operator-1', 'ceremony', NOW],
        ['suspended', 'operator-2', 'suspicion', NOW],
        ['in-use', 'operator-2', 'cleared', NOW],
        ['archived', 'operator-1', 'successor in use', NOW],
        ['destroyed', EVIDENCE.who, EVIDENCE.why, NOW],
      ],
    )
  })

  test('a destroyed key leaves its public half and a record; its sealed private half is gone from the folder', async t => {
    const folder = temporaryFolder(t)
    await using store = await create(folder)
    const { keyUri, publicKey } = await store.generate('P-256', 'ca')
    const path = join(folder, 'ca.key')
    const { box } = JSON.parse(readFileSync(path, 'utf8'))
    // A second name for the file shows what became of its octets.
    const witness = join(folder, '..', 'witness')
    linkSync(path, witness)
    await store.destroy(keyUri, EVIDENCE)
    await assert.rejects(store.signer(keyUri), hasCode('key.destroyed'))
    await assert.rejects(store.privateKey(keyUri), hasCode('key.destroyed'))
    const [info] = await store.list()
    assert.equal(info!.state, 'destroyed')
    assert.deepEqual(info!.publicKey, publicKey)
    assert.ok(!readFileSync(witness).includes(Buffer.from(box.slice(0, 32))), 'the old octets are overwritten')
    assert.ok(!readFileSync(path, 'utf8').includes(box.slice(0, 32)))
    assert.deepEqual(readdirSync(folder).sort(), ['ca.key', 'store.json'])
    await store.destroy(keyUri, EVIDENCE)
    assert.equal((await store.list())[0]!.history.length, 1)
  })

  test('keys and labels that are not there, or cannot be', async t => {
    await using store = await create(temporaryFolder(t))
    await assert.rejects(store.signer('software:nothing'), hasCode('key.not_found'))
    await assert.rejects(store.signer('pkcs11:token=x'), hasCode('key.not_found'))
    await assert.rejects(store.destroy('software:nothing', EVIDENCE), hasCode('key.not_found'))
    for (const label of ['', '../escape', 'a/b', 'Upper', '.hidden', 'a'.repeat(65), 'ü', 'a\u0000']) {
      await assert.rejects(store.generate('P-256', label), hasCode('key.label_invalid'), JSON.stringify(label))
    }
    const { keyUri } = await store.generate('P-256', 'ca')
    const long = { who: 'x', why: 'y'.repeat(1000) }
    await assert.rejects(store.destroy(keyUri, long), hasCode('key.evidence_too_long'))
    assert.equal((await store.list())[0]!.state, 'generated')
  })

  test('a closed store does nothing any more', async t => {
    const store = await create(temporaryFolder(t))
    const { keyUri } = await store.generate('P-256', 'ca')
    await store[Symbol.asyncDispose]()
    await assert.rejects(store.signer(keyUri), hasCode('keystore.closed'))
    await assert.rejects(store.generate('P-256', 'other'), hasCode('keystore.closed'))
  })
})

describe('what is on the disk', () => {
  test('files are 0600 and the folder 0700, whatever the umask', async t => {
    const folder = temporaryFolder(t)
    const umask = process.umask(0)
    t.after(() => process.umask(umask))
    await using store = await create(folder)
    await store.generate('P-256', 'ca')
    assert.equal(statSync(folder).mode & 0o777, 0o700)
    for (const name of readdirSync(folder)) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name)
  })

  test('no private key lies there in the clear', async t => {
    const folder = temporaryFolder(t)
    await using store = await create(folder)
    for (const name of ['P-256', 'Ed25519', 'ML-DSA-44'] as const) {
      const key = await generateKeyPair(name)
      const pkcs8 = key.toPkcs8()
      await store.import(pkcs8, name.toLowerCase())
      // The secret part of each: scalar, seed, seed.
      const secret = name === 'P-256' ? pkcs8.subarray(36, 68) : pkcs8.subarray(-32)
      const text = readFileSync(join(folder, `${name.toLowerCase()}.key`))
      assert.ok(!text.includes(Buffer.from(secret)))
      assert.ok(!text.includes(toHex(secret)))
      for (const shift of [0, 1, 2]) {
        const middle = toBase64(secret.subarray(shift)).slice(0, 36)
        assert.ok(!text.includes(middle))
      }
    }
  })

  test('the header says which algorithm, key, state and format; two keys share neither salt nor nonce', async t => {
    const folder = temporaryFolder(t)
    await using store = await create(folder)
    const { publicKey } = await store.generate('P-256', 'one')
    await store.generate('P-256', 'two')
    const [one, two] = ['one', 'two'].map(
      label => JSON.parse(readFileSync(join(folder, `${label}.key`), 'utf8')).header,
    )
    assert.equal(one.version, 1)
    assert.equal(one.algorithm, 'P-256')
    assert.deepEqual(fromBase64(one.publicKey), publicKey)
    assert.notEqual(one.seal.salt, two.seal.salt)
    assert.notEqual(one.seal.nonce, two.seal.nonce)
    const { kdf } = JSON.parse(readFileSync(join(folder, 'store.json'), 'utf8')).header
    assert.equal(kdf.algorithm, 'argon2id')
  })

  test('by default the passphrase costs argon2id with 64 MiB and three passes (RFC 9106 4)', async t => {
    const folder = temporaryFolder(t)
    await using _ = await createSoftwareKeyStore({ folder, passphrase: PASSPHRASE })
    const { kdf } = JSON.parse(readFileSync(join(folder, 'store.json'), 'utf8')).header
    assert.deepEqual([kdf.memoryKiB, kdf.passes, kdf.lanes], [65536, 3, 4])
    await (await open(folder))[Symbol.asyncDispose]()
  })
})

describe('passphrases', () => {
  test('a wrong passphrase is named as such and touches nothing', async t => {
    const folder = temporaryFolder(t)
    await using store = await create(folder)
    await store.generate('P-256', 'ca')
    writeFileSync(join(folder, '.shred-left-by-a-crash'), 'x')
    const before = snapshot(folder)
    for (const wrong of ['correct horse battery stapl', 'correct horse battery staple\n', '']) {
      await assert.rejects(
        openSoftwareKeyStore({ folder, passphrase: toUtf8(wrong) }),
        hasCode('keystore.passphrase_wrong'),
      )
    }
    assert.deepEqual(snapshot(folder), before)
  })

  test('a changed passphrase opens the store, the old one does not, and the keys stay as they are', async t => {
    const folder = temporaryFolder(t)
    const next = toUtf8('another passphrase')
    {
      await using store = await create(folder)
      await store.generate('P-256', 'ca')
      const before = readFileSync(join(folder, 'ca.key'), 'utf8')
      await store.changePassphrase(next, EFFORT)
      assert.equal(readFileSync(join(folder, 'ca.key'), 'utf8'), before)
      await assert.rejects(store.changePassphrase(toUtf8('')), hasCode('keystore.passphrase_empty'))
    }
    await assert.rejects(open(folder), hasCode('keystore.passphrase_wrong'))
    await using store = await openSoftwareKeyStore({ folder, passphrase: next })
    const signer = await store.signer('software:ca')
    assertOwnSignature(signer, TBS, await signer.sign(TBS))
  })

  test('creating needs a passphrase of some length and an empty place', async t => {
    const folder = temporaryFolder(t)
    const short = createSoftwareKeyStore({ folder, passphrase: toUtf8('') })
    await assert.rejects(short, hasCode('keystore.passphrase_empty'))
    await assert.rejects(open(folder), hasCode('keystore.not_found'))
    await using _ = await create(folder)
    const before = snapshot(folder)
    await assert.rejects(create(folder), hasCode('keystore.exists'))
    assert.deepEqual(snapshot(folder), before)
  })
})

describe('altered files', () => {
  test('each octet of a key file flipped: damage is named, and no signer comes back', async t => {
    const folder = temporaryFolder(t)
    await using store = await create(folder)
    const { keyUri } = await store.generate('Ed25519', 'ca')
    const path = join(folder, 'ca.key')
    const good = readFileSync(path)
    for (let i = 0; i < good.length; i++) {
      const bad = Buffer.from(good)
      bad[i]! ^= 1
      writeFileSync(path, bad)
      await assert.rejects(store.signer(keyUri), hasCode('keystore.file_damaged'), `octet ${i}`)
    }
    writeFileSync(path, good)
    assertOwnSignature(await store.signer(keyUri), TBS, await (await store.signer(keyUri)).sign(TBS))
  })

  test('each octet of the store file flipped: damage is named before the passphrase is tried', async t => {
    const folder = temporaryFolder(t)
    await using _ = await create(folder)
    const path = join(folder, 'store.json')
    const good = readFileSync(path)
    for (let i = 0; i < good.length; i++) {
      const bad = Buffer.from(good)
      bad[i]! ^= 1
      writeFileSync(path, bad)
      await assert.rejects(open(folder), hasCode('keystore.file_damaged'), `octet ${i}`)
    }
  })

  test('cut, emptied, doubled and oversized files are damaged; a symbolic link is not followed', async t => {
    const folder = temporaryFolder(t)
    await using store = await create(folder)
    const { keyUri } = await store.generate('P-256', 'ca')
    const path = join(folder, 'ca.key')
    const good = readFileSync(path, 'utf8')
    const cuts = ['', good.slice(0, 100), good.slice(0, -1), good + '\n', good + good, JSON.stringify(JSON.parse(good))]
    for (const bad of [...cuts, 'x'.repeat(2_000_000)]) {
      writeFileSync(path, bad)
      await assert.rejects(store.signer(keyUri), hasCode('keystore.file_damaged'))
      await assert.rejects(store.list(), hasCode('keystore.file_damaged'))
    }
    writeFileSync(join(folder, '..', 'elsewhere'), good)
    unlinkSync(path)
    symlinkSync(join(folder, '..', 'elsewhere'), path)
    await assert.rejects(store.signer(keyUri), hasCode('keystore.io_failed'))
  })

  test('a header rewritten with a fitting digest is forged: the box answers for it', async t => {
    const folder = temporaryFolder(t)
    await using store = await create(folder)
    const { keyUri } = await store.generate('P-256', 'ca')
    await store.changeState(keyUri, 'suspended', EVIDENCE)
    const { publicKey } = await store.generate('P-256', 'other')
    const path = join(folder, 'ca.key')
    const good = readFileSync(path)
    const forgeries: ((file: { header: Record<string, unknown>; box: string }) => void)[] = [
      file => (file.header['state'] = 'in-use'),
      file => (file.header['history'] = []),
      file => (file.header['created'] = 0),
      file => (file.header['publicKey'] = toBase64(publicKey)),
      file => (file.header['label'] = 'other'),
      file => (file.box = JSON.parse(readFileSync(join(folder, 'other.key'), 'utf8')).box),
      file => (file.box = ''),
    ]
    for (const change of forgeries) {
      writeFileSync(path, good)
      forge(path, change)
      await assert.rejects(store.signer(keyUri), hasCode('keystore.file_forged'))
      await assert.rejects(store.list(), hasCode('keystore.file_forged'))
    }
  })

  test('a whole file under another name, or from another store, is forged', async t => {
    const folder = temporaryFolder(t)
    const elsewhere = temporaryFolder(t)
    await using store = await create(folder)
    await using other = await create(elsewhere)
    await store.generate('P-256', 'ca')
    await other.generate('P-256', 'ca')
    cpSync(join(folder, 'ca.key'), join(folder, 'copy.key'))
    await assert.rejects(store.signer('software:copy'), hasCode('keystore.file_forged'))
    cpSync(join(elsewhere, 'ca.key'), join(folder, 'ca.key'))
    await assert.rejects(store.signer('software:ca'), hasCode('keystore.file_forged'))
  })

  test('effort beyond all reason in the store file is refused before it is spent', async t => {
    const folder = temporaryFolder(t)
    await using _ = await create(folder)
    forge(join(folder, 'store.json'), ({ header }) => {
      header['kdf'] = { ...(header['kdf'] as object), memoryKiB: 2 ** 31 }
    })
    await assert.rejects(open(folder), hasCode('passphrase.parameters_invalid'))
    forge(join(folder, 'store.json'), ({ header }) => {
      header['kdf'] = { ...(header['kdf'] as object), memoryKiB: 128 }
    })
    await assert.rejects(open(folder), hasCode('keystore.passphrase_wrong'))
  })
})

describe('crashes and company', () => {
  test('a shredding that a crash interrupted is ended when the store is opened', async t => {
    const folder = temporaryFolder(t)
    await using store = await create(folder)
    await store.generate('P-256', 'ca')
    // After the tombstone took the name: the old file has only its name for the shredder.
    const doomed = join(folder, '.shred-1')
    cpSync(join(folder, 'ca.key'), doomed)
    // Before: it has both, and the key is still wanted.
    linkSync(join(folder, 'ca.key'), join(folder, '.shred-2'))
    writeFileSync(join(folder, '.new-abandoned'), 'x')
    utimesSync(join(folder, '.new-abandoned'), 0, 0)
    await using again = await open(folder)
    assert.deepEqual(readdirSync(folder).sort(), ['ca.key', 'store.json'])
    assertOwnSignature(await again.signer('software:ca'), TBS, await (await again.signer('software:ca')).sign(TBS))
  })

  test('two stores on one folder see each other: keys, states, destruction', async t => {
    const folder = temporaryFolder(t)
    await using one = await create(folder)
    await using two = await open(folder)
    const { keyUri } = await one.generate('P-256', 'ca')
    await two.changeState(keyUri, 'in-use', EVIDENCE)
    assert.equal((await one.list())[0]!.state, 'in-use')
    await two.destroy(keyUri, EVIDENCE)
    await assert.rejects(one.signer(keyUri), hasCode('key.destroyed'))
  })

  test('of many who want one label, one gets it', async t => {
    const folder = temporaryFolder(t)
    await using one = await create(folder)
    await using two = await open(folder)
    const tries = Array.from({ length: 8 }, (_, i) => (i % 2 ? one : two).generate('P-256', 'ca'))
    const outcomes = await Promise.allSettled(tries)
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') assert.ok(hasCode('key.label_taken')(outcome.reason))
    }
  })

  test('changes at the same time are one after the other: destroyed stays destroyed', async t => {
    const folder = temporaryFolder(t)
    await using one = await create(folder)
    await using two = await open(folder)
    const { keyUri } = await one.generate('P-256', 'ca')
    const changes = [
      one.changeState(keyUri, 'in-use', EVIDENCE),
      two.destroy(keyUri, EVIDENCE),
      one.changeState(keyUri, 'suspended', EVIDENCE),
      two.changeState(keyUri, 'archived', EVIDENCE),
    ]
    await Promise.allSettled(changes)
    await assert.rejects(one.signer(keyUri), hasCode('key.destroyed'))
    assert.deepEqual(readdirSync(folder).sort(), ['ca.key', 'store.json'])
  })

  test('the lock of a process that is gone is taken over', async t => {
    const folder = temporaryFolder(t)
    await using store = await create(folder)
    const { keyUri } = await store.generate('P-256', 'ca')
    const child = fork('-', { execArgv: ['-e', ''], stdio: 'ignore' })
    const pid = child.pid!
    await new Promise(resolve => child.once('exit', resolve))
    writeFileSync(join(folder, '.lock'), String(pid))
    await store.changeState(keyUri, 'in-use', EVIDENCE)
    assert.equal((await store.list())[0]!.state, 'in-use')
  })

  test('a folder that cannot be written is an error with a reason, and nothing is half done', async t => {
    if (process.getuid?.() === 0) {
      // Root writes anywhere: a folder that is no folder any more stands in for the one without permission.
      const folder = temporaryFolder(t)
      await using store = await create(folder)
      renameSync(folder, `${folder}-moved`)
      await assert.rejects(store.generate('P-256', 'ca'), hasCode('keystore.io_failed'))
      return
    }
    const folder = temporaryFolder(t)
    await using store = await create(folder)
    chmodSync(folder, 0o500)
    t.after(() => chmodSync(folder, 0o700))
    await assert.rejects(store.generate('P-256', 'ca'), hasCode('keystore.io_failed'))
    assert.deepEqual(readdirSync(folder), ['store.json'])
  })
})
