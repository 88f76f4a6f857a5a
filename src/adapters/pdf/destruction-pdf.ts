// The certificate of destruction for people: one tagged PDF with the same facts as the JSON, and what it takes to check them. The JSON is
// what is signed; a page cannot vouch for itself, and this one says so.
import PDFDocument from 'pdfkit'
import { sha256Hex } from '../../crypto/digest.ts'
import type { CertificateOfDestruction } from '../../domain/device/certificate-of-destruction.ts'

const MARGIN = 56
const COLUMN = 130
const INK = '#1a1a1a'
const FAINT = '#666666'

export interface PdfFields {
  /** The log's verifier key (C2SP signed-note). */
  readonly verifierKey: string
  /** Names of the files beside it: the signed facts, their signature, the proof. */
  readonly files: { readonly facts: string; readonly signature: string; readonly proof: string }
}

/** The document, whole. Its only time is that of the destruction, so that the same facts give the same page. */
export async function destructionPdf(
  { facts, octets, logEntry }: CertificateOfDestruction,
  { verifierKey, files }: PdfFields,
): Promise<Uint8Array> {
  const { device, keys, certificates, statements } = facts
  const title = `Certificate of destruction: ${device.serialNumber} (${device.model})`
  const document = new PDFDocument({
    size: 'A4',
    margin: MARGIN,
    pdfVersion: '1.7',
    tagged: true,
    lang: 'en',
    displayTitle: true,
    info: { Title: plain(title), Author: plain(facts.organization), CreationDate: new Date(device.destroyedAt) },
  })
  const done = collect(document)
  const write = new Page(document)

  write.heading('Certificate of destruction')
  write.paragraph(
    `${facts.organization} attests that the device below was destroyed, that none of its certificates is valid any ` +
      'more, and that its private keys are beyond use.',
  )
  write.section('Device', [
    ['Serial number', device.serialNumber],
    ['Model', device.model],
    ['Identifier', device.id],
    ['Batch', device.batch ?? 'none'],
    ['Registered', device.registeredAt],
    ['Retired', device.retiredAt],
    ['Destroyed', device.destroyedAt],
    ['Declared by', `${facts.declaredBy.kind} ${facts.declaredBy.id}`],
    [
      'Personal data',
      facts.personalPropertiesErased === 0 ? 'none erased' : `${facts.personalPropertiesErased} erased`,
    ],
  ])
  write.section(
    `Keys (${keys.length})`,
    keys.flatMap(key => [
      ['Key', key.id],
      ['', `${key.algorithm}, made by: ${key.origin}; beyond use since ${key.endedAt}`],
      ['Evidence', key.statementSha256 ?? 'the log alone'],
    ]),
  )
  write.section(
    `Certificates (${certificates.length})`,
    certificates.flatMap(each => [
      ['Certificate', `${each.serialNumber}, issued by ${each.issuer} as ${each.profile}`],
      ['', `${each.ended} ${each.endedAt}${each.reason === null ? '' : `, ${each.reason}`}`],
    ]),
  )
  write.section(
    `Statements (${statements.length})`,
    statements.flatMap(({ kind, sha256, at }) => [
      [kind === 'wipe' ? 'Signed wipe' : 'Witness', `${at}`],
      ['SHA-256', sha256],
    ]),
  )
  write.section('Proof', [
    ['Signed facts', `${files.facts}, SHA-256 ${sha256Hex(octets)}`],
    ['Signature', `${files.signature} (CMS, detached)`],
    ['Log entry', `${logEntry.index} (${files.proof})`],
    ['Checkpoint', logEntry.checkpoint.split('\n').slice(0, 3).join('  ')],
    ['Verifier key', verifierKey],
  ])
  write.small(
    `This page repeats what ${files.facts} says; the signature and the proof are over that file and not over this page. ` +
      `To check: openssl cms -verify -binary -inform DER -in ${files.signature} -content ${files.facts} -CAfile roots.pem ` +
      `-purpose any; then verify ${files.proof} (C2SP tlog-proof) with the verifier key.`,
  )
  document.end()
  return await done
}

/** Headings, paragraphs and facts, one below the other; each with its place in the structure of the document. */
class Page {
  readonly #document: PDFKit.PDFDocument

  constructor(document: PDFKit.PDFDocument) {
    this.#document = document
  }

  heading(text: string): void {
    this.#tag('H1', () => this.#document.font('Helvetica-Bold').fontSize(20).fillColor(INK).text(plain(text)))
    this.#document.moveDown(0.6)
  }

  paragraph(text: string): void {
    this.#tag('P', () => this.#document.font('Helvetica').fontSize(11).fillColor(INK).text(plain(text)))
    this.#document.moveDown(0.6)
  }

  small(text: string): void {
    this.#document.moveDown(0.8)
    this.#tag('P', () => this.#document.font('Helvetica').fontSize(8).fillColor(FAINT).text(plain(text), MARGIN))
  }

  section(title: string, facts: readonly (readonly string[])[]): void {
    const document = this.#document
    document.moveDown(0.6)
    this.#tag('H2', () => document.font('Helvetica-Bold').fontSize(12).fillColor(INK).text(plain(title), MARGIN))
    document.moveDown(0.2)
    for (const [name = '', value = ''] of facts) this.#fact(name, value)
  }

  #fact(name: string, value: string): void {
    const document = this.#document
    const width = document.page.width - 2 * MARGIN - COLUMN
    document.font('Helvetica').fontSize(9)
    const height = document.heightOfString(plain(value), { width })
    if (document.y + height > document.page.height - MARGIN) document.addPage()
    const { y } = document
    this.#tag('P', () => {
      document.fillColor(FAINT).text(plain(name), MARGIN, y, { width: COLUMN })
      document.fillColor(INK).text(plain(value), MARGIN + COLUMN, y, { width })
    })
    document.y = y + height + 2
    document.x = MARGIN
  }

  #tag(type: 'H1' | 'H2' | 'P', draw: () => unknown): void {
    const document = this.#document
    document.addStructure(document.struct(type, {}, [() => void draw()]))
  }
}

/**
 * The standard fonts know Latin letters only (WinAnsiEncoding). What they do not know is spelled by its number, so that no other name is
 * shown than the one that is meant.
 */
function plain(text: string): string {
  return text.replaceAll(
    /[^\x20-\x7e\xa0-\xff]/gu,
    character => `<U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}>`,
  )
}

function collect(document: PDFKit.PDFDocument): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
  const chunks: Uint8Array[] = []
  document.on('data', (chunk: Uint8Array) => chunks.push(chunk))
  document.on('end', () => resolve(new Uint8Array(Buffer.concat(chunks))))
  document.on('error', reject)
  return promise
}
