// The head of a factory's CSV file, and which of its columns is what. A file with headings of its own is sent with its first line replaced, so that
// the server reads it as it reads every other; the rest of the file, however large, is passed on untouched.

export const ROLES = ['serial', 'model', 'csr', 'public_key', 'label', 'ignore'] as const
export type ColumnRole = (typeof ROLES)[number]

export interface Column {
  readonly heading: string
  /** Of the first row below, to recognise it by. */
  readonly example: string
  readonly role: ColumnRole
}

export interface CsvHead {
  readonly columns: readonly Column[]
  /** Octets of the first line, its end included. */
  readonly octets: number
  readonly separator: string
}

const HEAD_OCTETS = 256 * 1024

/** As the server knows them (src/adapters/factory/read-units.ts). */
const KNOWN: Readonly<Record<string, ColumnRole>> = {
  serial: 'serial',
  serialnumber: 'serial',
  serialno: 'serial',
  sn: 'serial',
  deviceserial: 'serial',
  device: 'serial',
  model: 'model',
  devicemodel: 'model',
  product: 'model',
  type: 'model',
  csr: 'csr',
  request: 'csr',
  pkcs10: 'csr',
  certificaterequest: 'csr',
  publickey: 'public_key',
  pubkey: 'public_key',
  spki: 'public_key',
  key: 'public_key',
  publickeyder: 'public_key',
  publickeypem: 'public_key',
}

function guess(heading: string): ColumnRole {
  return KNOWN[heading.toLowerCase().replaceAll(/[^a-z0-9]/g, '')] ?? 'label'
}

/** The head of the file; `undefined` where it is no CSV with several columns: then there is nothing to map. */
export async function readCsvHead(file: Blob): Promise<CsvHead | undefined> {
  const octets = new Uint8Array(await file.slice(0, HEAD_OCTETS).arrayBuffer())
  const end = octets.indexOf(0x0a)
  if (end < 0) return undefined
  const first = decode(octets.subarray(0, end))
    .replace(/^\ufeff/, '')
    .replace(/\r$/, '')
  if (first.startsWith('{') || first.includes('-----BEGIN') || /[^\P{Cc}\t]/u.test(first)) return undefined
  const separator = [',', ';', '\t'].find(each => first.includes(each))
  if (separator === undefined) return undefined
  const headings = splitLine(first, separator)
  const below = splitLine(decode(octets.subarray(end + 1)).split(/\r?\n/, 1)[0] ?? '', separator)
  const columns = headings.map((heading, i) => ({ heading, example: below[i] ?? '', role: guess(heading) }))
  return { columns, octets: end + 1, separator }
}

const decode = (octets: Uint8Array) => new TextDecoder('utf-8').decode(octets)

/** One line of CSV (RFC 4180); a cell that goes on below is cut there, which is enough for an example. */
export function splitLine(line: string, separator: string): string[] {
  const cells: string[] = []
  let cell = ''
  let quoted = false
  for (let i = 0; i < line.length; i++) {
    const character = line[i]!
    if (quoted && character === '"' && line[i + 1] === '"') cell += line[++i]
    else if (character === '"' && (quoted || cell === '')) quoted = !quoted
    else if (character === separator && !quoted) {
      cells.push(cell)
      cell = ''
    } else cell += character
  }
  return [...cells, cell]
}

/** Whether the server would read the file as it is. */
export function isUnderstood({ columns }: CsvHead): boolean {
  return columns.some(({ heading }) => guess(heading) === 'serial')
}

/** What keeps the file from being read so; `null` where nothing does. */
export function mappingProblem(columns: readonly Column[]): 'serial' | 'twice' | null {
  const of = (role: ColumnRole) => columns.filter(column => column.role === role).length
  if (of('serial') === 0) return 'serial'
  return (['serial', 'model', 'csr', 'public_key'] as const).some(role => of(role) > 1) ? 'twice' : null
}

/** The file with headings that say what the columns are. */
export function withHeadings(file: Blob, head: CsvHead, columns: readonly Column[]): Blob {
  const cells = columns.map(({ heading, role }) =>
    // A label that is called like one of ours would be taken for it; a column without a heading is left out.
    role === 'ignore' ? '' : role === 'label' ? labelHeading(heading) : role,
  )
  const line = cells.map(cell => (/["\n,;\t]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell))
  return new Blob([`${line.join(head.separator)}\n`, file.slice(head.octets)])
}

const labelHeading = (heading: string) => (guess(heading) === 'label' ? heading : `label_${heading}`)
