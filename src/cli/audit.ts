// `touchmark audit`: verify the store against its log, read entries, hand out proofs. Needs no passphrase: what verifies the log is
// public, and stands in touchmark.json.
import { readFile } from 'node:fs/promises'
import { toBase64 } from '../core/bytes/base64.ts'
import { toHex } from '../core/bytes/hex.ts'
import { fromUtf8, toUtf8 } from '../core/bytes/utf8.ts'
import { TouchmarkError } from '../core/errors.ts'
import { openCheckpoint } from '../core/merkle/checkpoint.ts'
import { inclusionProofFromTiles } from '../core/merkle/proof-from-tiles.ts'
import { leafHash, verifyInclusion } from '../core/merkle/tree.ts'
import { sha256 } from '../crypto/digest.ts'
import { parseAuditEntry } from '../domain/audit/entry.ts'
import { verifyStore } from '../domain/audit/verify-store.ts'
import { serialNumber } from '../domain/ids.ts'
import type { StoreReader } from '../domain/ports.ts'
import { type DataFolder, readConfiguration } from '../server/data-folder.ts'
import { readLastSignedNote } from '../server/last-signed.ts'
import { logVerifiers } from '../server/log-key.ts'
import { openStore } from '../server/open-store.ts'
import { act, type Command, command, group, positiveInteger, usageError } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { facts, type Output, table, time, timestamp } from './output.ts'
import { progressBar } from './progress.ts'
import { withStore } from './store.ts'

export function auditCommand(): Command {
  return group({ name: 'audit', summary: 'The log: verify it, read it, prove from it' })
    .addCommand(verifyCommand())
    .addCommand(entryCommand())
    .addCommand(listCommand())
    .addCommand(checkpointCommand())
    .addCommand(proofCommand())
}

interface VerifyCommandOptions {
  readonly checkpoint: readonly string[]
}

function verifyCommand(): Command {
  const verify = command({
    name: 'verify',
    summary: 'Check the whole store against the log',
    description:
      'Every entry is hashed again, the Merkle tree is built again, and both are held against the stored tiles, the\n' +
      'signed checkpoints, what the log signed last by the folder of its keys, and every certificate. Exit code 0:\n' +
      'nothing was altered; 1: something was, and it is named.',
    examples: [
      ['audit verify', 'Everything'],
      ['audit verify --checkpoint kept-last-year.txt', 'And that it continues the log of which you kept a checkpoint'],
    ],
  }).option(
    '--checkpoint <file>',
    'a checkpoint kept elsewhere; may be given again',
    (file, all: string[]) => [...all, file],
    [],
  )
  return act<VerifyCommandOptions>(verify, ({ out, data, options, signal }) =>
    withLog(data, async ({ read, origin, verifierKeys }) => {
      // Before the log is read, which may grow meanwhile.
      const lastSigned = await lastSignedOf(data, out)
      const kept = await Promise.all(options.checkpoint.map(readCheckpointFile))
      const bar = progressBar(out, 'entries')
      const report = await verifyStore(read, {
        hash: sha256,
        origin,
        logKeys: logVerifiers(verifierKeys),
        kept,
        ...(lastSigned === undefined ? {} : { lastSigned }),
        onProgress: ({ entries, size }) => bar.update(entries, size),
        signal,
      }).finally(() => bar.stop())
      out.result({ ...report, origin }, () =>
        report.ok
          ? `The store is what the log says: ${report.size} entries, ${report.signedSize} of them under a signed checkpoint.\nRoot ${report.root}`
          : [
              `Something was altered: ${report.findings.length + report.omitted} finding(s) in ${report.size} entries.`,
              '',
              table(
                ['CODE', 'ENTRY', 'WHAT'],
                report.findings.map(each => [
                  each.code,
                  each.index === undefined ? '' : String(each.index),
                  each.message,
                ]),
              ),
              ...(report.omitted > 0 ? [`… and ${report.omitted} more`] : []),
            ].join('\n'),
      )
      return report.ok ? EXIT.ok : EXIT.no
    }),
  )
}

/** Of whoever may verify the store not everybody may read the keys' folder: told, and no finding. */
async function lastSignedOf(data: DataFolder, out: Output): Promise<Uint8Array | undefined> {
  try {
    const note = await readLastSignedNote(data.keys)
    return note === undefined ? undefined : toUtf8(note)
  } catch (thrown) {
    if (!(thrown instanceof TouchmarkError && thrown.code === 'keystore.io_failed')) throw thrown
    out.note(`${data.keys} cannot be read, so an older copy of the whole store would not be noticed.`)
    return undefined
  }
}

/** A checkpoint has a few hundred octets; its signatures may make it more. */
const MAX_CHECKPOINT_FILE = 256 * 1024

async function readCheckpointFile(file: string): Promise<Uint8Array> {
  try {
    const bytes = await readFile(file)
    if (bytes.length > MAX_CHECKPOINT_FILE) throw usageError(`${file} is too large to be a checkpoint.`)
    return new Uint8Array(bytes)
  } catch (cause) {
    if (cause instanceof TouchmarkError) throw cause
    throw usageError(`${file} cannot be read.`)
  }
}

function entryCommand(): Command {
  const entry = command({
    name: 'entry',
    summary: 'Print one entry of the log',
    examples: [['audit entry 42', 'The entry with index 42, octet for octet as it was logged']],
  }).argument('<index>', 'counted from 0')
  return act(entry, ({ out, data }, text) =>
    withStore(data, async store => {
      const index = entryIndex(text!)
      const bytes = await store.read.auditEntry(index)
      if (!bytes) throw noEntry(index, (await store.read.auditHead()).size)
      // Printed as it was logged: parsing and writing it again could only lose something.
      out.raw(`${fromUtf8(bytes)}\n`)
    }),
  )
}

interface ListOptions {
  readonly from?: string
  readonly limit: number
}

function listCommand(): Command {
  const list = command({
    name: 'list',
    summary: 'Print the newest entries, or those from an index on',
    examples: [
      ['audit list', 'The last 20'],
      ['audit list --from 0 --limit 1000000 --json', 'Export: one entry a line'],
    ],
  })
    .option('--from <index>', 'first entry')
    .option('-n, --limit <count>', 'at most so many', positiveInteger, 20)
  return act<ListOptions>(list, ({ out, data, options, signal }) =>
    withStore(data, async store => {
      const { size } = await store.read.auditHead()
      const from = options.from === undefined ? Math.max(0, size - options.limit) : entryIndex(options.from)
      const rows: string[][] = []
      for await (const { index, bytes } of store.read.auditEntries(from)) {
        if (index >= from + options.limit || signal.aborted) break
        if (out.json) {
          out.raw(`${fromUtf8(bytes)}\n`)
          continue
        }
        const { at, actor, action, outcome, code, subject } = parseAuditEntry(bytes)
        const about = Object.entries(subject).map(([field, value]) => `${field} ${value.slice(0, 24)}`)
        rows.push([
          String(index),
          time(at),
          `${actor.kind} ${actor.id}`,
          action,
          outcome === 'done' ? '' : `refused: ${code}`,
          about.join(', '),
        ])
      }
      if (!out.json) out.say(table(['ENTRY', 'TIME', 'WHO', 'WHAT', 'OUTCOME', 'ABOUT'], rows))
    }),
  )
}

function checkpointCommand(): Command {
  const checkpoint = command({
    name: 'checkpoint',
    summary: 'Print the newest signed checkpoint',
    description:
      'Keep it where nobody can change both: audit verify --checkpoint FILE then shows that nothing before it was\n' +
      'rewritten. The server signs one within seconds of each change.',
    examples: [['audit checkpoint > checkpoint.txt', 'A signed note as C2SP tlog-checkpoint has it']],
  })
  return act(checkpoint, ({ out, data }) =>
    withLog(data, async ({ read, origin, verifierKeys }) => {
      const latest = await read.latestCheckpoint()
      if (!latest) throw noCheckpoint()
      const opened = openCheckpoint(toUtf8(latest.note), origin, logVerifiers(verifierKeys))
      if (!out.json) {
        out.raw(latest.note)
        out.note(`Signed ${time(latest.at)}. Verifier key: ${verifierKeys[0]}`)
        return
      }
      out.line({
        origin,
        size: opened.checkpoint.size,
        root: toHex(opened.checkpoint.root),
        at: timestamp(latest.at),
        verifierKeys,
        note: latest.note,
      })
    }),
  )
}

interface ProofOptions {
  readonly certificate?: string
  readonly entry?: string
}

function proofCommand(): Command {
  const proof = command({
    name: 'proof',
    summary: 'Print a proof that an entry is in the log',
    description:
      'The proof is a C2SP tlog-proof: entry index, hashes, signed checkpoint. It is verified before it is printed.',
    examples: [
      ['audit proof --certificate 6743a1f0…', 'That the issue of a certificate was logged'],
      ['audit proof --entry 42 > entry.tlog-proof', 'Any entry by its index'],
    ],
  })
    .option('-c, --certificate <hex>', 'serial number of a certificate')
    .option('--entry <index>', 'index of an entry')
  return act<ProofOptions>(proof, ({ out, data, options }) =>
    withLog(data, async ({ read, origin, verifierKeys }) => {
      if ((options.certificate === undefined) === (options.entry === undefined)) {
        throw usageError('Name either --certificate HEX or --entry INDEX.')
      }
      const index =
        options.entry === undefined ? await indexOfCertificate(read, options.certificate!) : entryIndex(options.entry)
      const latest = await read.latestCheckpoint()
      if (!latest) throw noCheckpoint()
      const { checkpoint } = openCheckpoint(toUtf8(latest.note), origin, logVerifiers(verifierKeys))
      const bytes = await read.auditEntry(index)
      if (!bytes) throw noEntry(index, (await read.auditHead()).size)
      if (index >= checkpoint.size) {
        throw new TouchmarkError('audit.not_yet_signed', 'conflict', `No checkpoint covers entry ${index} yet.`, {
          next: 'A running server signs one within seconds: touchmark serve.',
        })
      }
      const hashes = await inclusionProofFromTiles(sha256, index, checkpoint.size, (level, tile) =>
        read.auditTile(level, tile),
      )
      const leaf = leafHash(sha256, bytes)
      verifyInclusion(sha256, { index, size: checkpoint.size, leafHash: leaf, proof: hashes, root: checkpoint.root })
      if (!out.json) {
        out.raw(
          `c2sp.org/tlog-proof@v1\nindex ${index}\n${hashes.map(hash => `${toBase64(hash)}\n`).join('')}\n${latest.note}`,
        )
        out.note(facts([['entry', fromUtf8(bytes)]]))
        return
      }
      out.line({
        index,
        size: checkpoint.size,
        leafHash: toHex(leaf),
        proof: hashes.map(toHex),
        root: toHex(checkpoint.root),
        checkpoint: latest.note,
        entry: fromUtf8(bytes),
      })
    }),
  )
}

async function indexOfCertificate(read: StoreReader, text: string): Promise<number> {
  const [record] = /^[0-9a-fA-F:]{1,128}$/.test(text) ? await read.certificatesBySerial(serialNumber(text)) : []
  if (record) return record.auditIndex
  throw new TouchmarkError('certificate.not_found', 'not_found', `No certificate has the serial number ${text}.`, {
    next: 'Look it up with: touchmark device show SERIAL',
  })
}

function entryIndex(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw usageError('An entry is named by its index, counted from 0.')
  return Number(text)
}

function noEntry(index: number, size: number): TouchmarkError {
  return new TouchmarkError('audit.entry_not_found', 'not_found', `There is no entry ${index}; the log has ${size}.`, {
    next: 'Entries are counted from 0. List them with: touchmark audit list',
  })
}

function noCheckpoint(): TouchmarkError {
  return new TouchmarkError('audit.no_checkpoint', 'not_found', 'The log has no signed checkpoint yet.', {
    next: 'A running server signs one within seconds: touchmark serve.',
  })
}

interface Log {
  readonly read: StoreReader
  readonly origin: string
  readonly verifierKeys: readonly string[]
}

async function withLog<T>(data: DataFolder, use: (log: Log) => Promise<T>): Promise<T> {
  const configuration = await readConfiguration(data)
  await using store = await openStore(data, configuration)
  return await use({ read: store.read, ...configuration.log })
}
