// A factory's input file as a stream of units. Understood by what they hold, not by their names:
// - CSV with a header: `serial`, and optionally `model`, `csr`, `publickey` (PEM, base64 or hex DER), labels by their names, and columns
//   without a heading, which are left out; or one serial number a line;
// - NDJSON with the same keys;
// - a PEM file, folder or .tar of CSRs or public keys: the serial number comes from the CSR's subject, else from the file's name.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { createGunzip } from 'node:zlib'
import { parsePem } from '../../core/asn1/pem.ts'
import { fromBase64Lines } from '../../core/bytes/base64.ts'
import type { Bytes } from '../../core/bytes/bytes.ts'
import { copyBytes } from '../../core/bytes/bytes.ts'
import { fromHex } from '../../core/bytes/hex.ts'
import { fromUtf8 } from '../../core/bytes/utf8.ts'
import { asTouchmarkError, TouchmarkError } from '../../core/errors.ts'
import { parseCertificationRequest } from '../../core/pki/csr.ts'
import { ATTRIBUTE, attributeValue } from '../../core/pki/name.ts'
import type { UnitInput, UnitKey } from '../../domain/factory/unit.ts'
import { readCsv } from './csv.ts'
import { readTar } from './tar.ts'

export interface UnitSource {
  /** SHA-256 over the content: the same input again is the same batch. 64 hex digits. */
  readonly digest: string
  /** How many units the source seems to hold, for progress; `undefined` where that is not known beforehand. */
  readonly expected: number | undefined
  units(): AsyncIterable<UnitInput>
}

/** Opens a file or folder. Throws `factory.input_missing`, `factory.input_unknown`. `defaultModel` is for units that name none. */
export async function openUnitSource(path: string, defaultModel: string): Promise<UnitSource> {
  const info = await stat(path).catch(cause => {
    throw new TouchmarkError('factory.input_missing', 'not_found', `There is nothing to read at ${path}.`, {
      cause,
      next: 'Name a file or a folder that this user may read.',
    })
  })
  if (info.isDirectory()) return folderSource(path, defaultModel)
  const head = await firstOctets(path)
  if (isTar(path, head)) return fileSource(path, () => tarUnits(path, defaultModel), undefined)
  const text = textOf(head)
  if (text.includes('-----BEGIN ')) {
    if (!text.trimStart().startsWith('-----BEGIN') && /^[^\n]*[,;\t]/.test(text)) return csvSource(path, defaultModel)
    return fileSource(path, () => pemUnits(path, defaultModel), undefined)
  }
  if (text.trimStart().startsWith('{'))
    return fileSource(path, () => ndjsonUnits(path, defaultModel), await countLines(path))
  if (/^[\x20-\x7e\s\u00a0-\uffff]*$/.test(text)) return csvSource(path, defaultModel)
  throw new TouchmarkError(
    'factory.input_unknown',
    'malformed',
    `${path} is none of CSV, NDJSON, PEM, .tar or a folder.`,
    {
      next: 'See docs/guides/factory-batch.md for the forms that are read.',
    },
  )
}

async function csvSource(path: string, defaultModel: string): Promise<UnitSource> {
  return fileSource(path, () => csvUnits(path, defaultModel), await countLines(path))
}

async function fileSource(
  path: string,
  units: () => AsyncIterable<UnitInput>,
  expected: number | undefined,
): Promise<UnitSource> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array)
  return { digest: hash.digest('hex'), expected, units }
}

const COLUMNS = {
  serial: ['serial', 'serialnumber', 'serialno', 'sn', 'deviceserial', 'device'],
  model: ['model', 'devicemodel', 'product', 'type'],
  csr: ['csr', 'request', 'pkcs10', 'certificaterequest'],
  publicKey: ['publickey', 'pubkey', 'spki', 'key', 'publickeyder', 'publickeypem'],
} as const

type Column = keyof typeof COLUMNS

function columnOf(header: string): Column | undefined {
  const folded = header
    .replace(/^\ufeff/, '')
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
  return (Object.keys(COLUMNS) as Column[]).find(column => (COLUMNS[column] as readonly string[]).includes(folded))
}

async function* csvUnits(path: string, defaultModel: string): AsyncGenerator<UnitInput> {
  let columns: (Column | undefined)[] | undefined
  let names: readonly string[] = []
  for await (const { line, fields } of readCsv(createReadStream(path, 'utf8') as AsyncIterable<string>)) {
    if (columns === undefined) {
      columns = fields.map(columnOf)
      names = fields.map(labelName)
      if (columns.includes('serial')) continue
      if (fields.length > 1) {
        throw new TouchmarkError(
          'factory.header_missing',
          'malformed',
          'The first line names no column for the serial number.',
          {
            next: 'Begin the file with a header, for example: serial,model,csr',
          },
        )
      }
      columns = ['serial']
    }
    const values: Partial<Record<Column, string>> = {}
    const labels: Record<string, string> = {}
    columns.forEach((column, at) => {
      const value = fields[at]
      if (!value) return
      if (column) values[column] = value
      else if (names[at]) labels[names[at]] = value
    })
    yield unitOf(line, values, labels, defaultModel)
  }
}

async function* ndjsonUnits(path: string, defaultModel: string): AsyncGenerator<UnitInput> {
  let line = 0
  for await (const text of createInterface({ input: createReadStream(path, 'utf8') })) {
    line++
    if (text.trim() === '') continue
    const values: Partial<Record<Column, string>> = {}
    const labels: Record<string, string> = {}
    try {
      for (const [name, value] of Object.entries(JSON.parse(text) as Record<string, unknown>)) {
        const column = columnOf(name)
        if (column && typeof value === 'string') values[column] = value
        else if (!column && (typeof value === 'string' || typeof value === 'number'))
          labels[labelName(name)] = `${value}`
      }
    } catch {
      yield { line, code: 'factory.json_invalid', message: 'The line is not a JSON object.' }
      continue
    }
    yield unitOf(line, values, labels, defaultModel)
  }
}

async function* pemUnits(path: string, defaultModel: string): AsyncGenerator<UnitInput> {
  const blocks = parsePem(await readFile(path, 'utf8'))
  for (const [at, block] of blocks.entries()) yield unitOfDer(at + 1, block.der, undefined, defaultModel)
}

async function folderSource(path: string, defaultModel: string): Promise<UnitSource> {
  const names = (await readdir(path, { withFileTypes: true })).filter(
    entry => entry.isFile() && !entry.name.startsWith('.'),
  )
  const files = names.map(entry => entry.name).sort()
  const hash = createHash('sha256')
  for (const name of files) hash.update(`${name}\0`).update(await readFile(join(path, name)))
  return {
    digest: hash.digest('hex'),
    expected: files.length,
    async *units() {
      for (const [at, name] of files.entries())
        yield fileUnit(at + 1, name, new Uint8Array(await readFile(join(path, name))), defaultModel)
    },
  }
}

async function* tarUnits(path: string, defaultModel: string): AsyncGenerator<UnitInput> {
  const raw = createReadStream(path)
  const gzip = (await firstOctets(path))[0] === 0x1f
  let at = 0
  for await (const file of readTar(gzip ? raw.pipe(createGunzip()) : raw)) {
    yield fileUnit(++at, basename(file.name), file.bytes, defaultModel)
  }
}

/** One file with one CSR or public key, PEM or DER; the name without its ending is the serial number where the content has none. */
function fileUnit(line: number, name: string, bytes: Uint8Array, defaultModel: string): UnitInput {
  const fallback = basename(name, extname(name))
  try {
    const text = bytes[0] === 0x30 ? undefined : fromUtf8(bytes)
    const der =
      text === undefined
        ? copyBytes(bytes)
        : text.includes('-----BEGIN')
          ? parsePem(text)[0]?.der
          : fromBase64Lines(text)
    if (!der) return { line, code: 'factory.unit_unreadable', message: `${name} holds no CSR and no public key.` }
    return unitOfDer(line, der, fallback, defaultModel)
  } catch (thrown) {
    const error = asTouchmarkError(thrown)
    return { line, code: error.code, message: `${name}: ${error.message}` }
  }
}

/** A CSR or a SubjectPublicKeyInfo, told apart by their grammar: only a CSR begins with a SEQUENCE that begins with a version. */
function unitOfDer(line: number, der: Bytes, fallbackSerial: string | undefined, defaultModel: string): UnitInput {
  try {
    const csr = parseCertificationRequest(der)
    const serialNumber =
      attributeValue(csr.subject, ATTRIBUTE.serialNumber) ?? attributeValue(csr.subject, ATTRIBUTE.CN) ?? fallbackSerial
    return checkedUnit(line, serialNumber, defaultModel, { kind: 'csr', der })
  } catch (thrown) {
    const error = asTouchmarkError(thrown)
    if (error.kind !== 'malformed') throw thrown
    return fallbackSerial === undefined
      ? { line, code: error.code, message: error.message }
      : checkedUnit(line, fallbackSerial, defaultModel, { kind: 'public_key', spki: der })
  }
}

/** A column that is none of ours, as the name of a label: as it is written where profiles can write it so, else in small letters with `_`. */
function labelName(header: string): string {
  const text = header.replace(/^\ufeff/, '').trim()
  return LABEL_NAME.test(text) ? text : text.toLowerCase().replace(/[^a-z0-9]+/g, '_')
}

function unitOf(
  line: number,
  values: Partial<Record<Column, string>>,
  labels: Readonly<Record<string, string>>,
  defaultModel: string,
): UnitInput {
  try {
    const key: UnitKey = values.csr
      ? { kind: 'csr', der: octetsOf(values.csr) }
      : values.publicKey
        ? { kind: 'public_key', spki: octetsOf(values.publicKey) }
        : { kind: 'station' }
    const unit = checkedUnit(line, values.serial, values.model ?? defaultModel, key)
    const entries = Object.entries(labels)
    if (entries.length === 0 || 'code' in unit) return unit
    if (
      entries.length > MAX_LABELS ||
      entries.some(([name, value]) => !LABEL_NAME.test(name) || !LABEL_VALUE.test(value))
    ) {
      return {
        line,
        code: 'factory.attribute_invalid',
        message: `Attributes have names of 1 to 64 letters and digits and values of 1 to 256 printable characters; at most ${MAX_LABELS}.`,
      }
    }
    return { ...unit, labels }
  } catch (thrown) {
    const error = asTouchmarkError(thrown)
    return { line, code: error.code, message: error.message }
  }
}

/** IEEE 802.1AR and X.520 leave the serial number free text; these bounds are ours (RFC 5280 ub-serial-number is 64). */
const SERIAL = /^[\x21-\x7e](?:[\x20-\x7e]{0,62}[\x21-\x7e])?$/

function checkedUnit(line: number, serial: string | undefined, model: string, key: UnitKey): UnitInput {
  const serialNumber = serial?.trim() ?? ''
  if (!SERIAL.test(serialNumber)) {
    return { line, code: 'factory.serial_invalid', message: 'A serial number is 1 to 64 printable ASCII characters.' }
  }
  if (!SERIAL.test(model.trim())) {
    return { line, code: 'factory.model_invalid', message: 'A model is 1 to 64 printable ASCII characters.' }
  }
  return { line, serialNumber, model: model.trim(), key }
}

const MAX_LABELS = 32
/** What templates of profiles take: `{device.labels.dnsNames}`. */
const LABEL_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/
const LABEL_VALUE = /^[^\p{Cc}]{1,256}$/u

/** PEM, hexadecimal or base64, with `\n` written out as some exports do. */
function octetsOf(value: string): Bytes {
  const text = value.replaceAll('\\n', '\n').trim()
  if (text.startsWith('-----BEGIN')) {
    const block = parsePem(text)[0]
    if (block) return block.der
  }
  if (/^30[0-9a-fA-F]+$/.test(text) && text.length % 2 === 0) return fromHex(text)
  return fromBase64Lines(text)
}

const HEAD = 4096

async function firstOctets(path: string): Promise<Uint8Array> {
  for await (const chunk of createReadStream(path, { end: HEAD - 1 })) return chunk as Uint8Array
  return new Uint8Array(0)
}

function textOf(head: Uint8Array): string {
  return new TextDecoder('utf-8').decode(head).replace(/\ufffd+$/, '')
}

function isTar(path: string, head: Uint8Array): boolean {
  return (
    new TextDecoder('latin1').decode(head.subarray(257, 262)) === 'ustar' ||
    (head[0] === 0x1f && /\.(tgz|tar\.gz)$/.test(path))
  )
}

async function countLines(path: string): Promise<number> {
  let lines = 0
  for await (const chunk of createReadStream(path)) for (const octet of chunk as Uint8Array) if (octet === 0x0a) lines++
  return lines
}
