// Versioned documents (profiles, rules, trust anchors, settings): versions are added, never changed.
import type { DocumentVersion } from '../../../domain/document.ts'
import { first, type Queries } from '../engine.ts'
import { insert, integerOf, query, type Row, type StepSink, storableText, textOf, wordOf } from '../sql.ts'

export const insertDocument = insert('document', {
  kind: 'text',
  name: 'text',
  version: 'integer',
  body: 'text',
  created_at: 'integer',
})

export function putDocument(document: DocumentVersion, out: StepSink): void {
  out
    .begin(insertDocument)
    .text(document.kind)
    .text(document.name)
    .integer(document.version)
    .text(document.body)
    .integer(document.createdAt)
}

const COLUMNS = 'kind, name, version, body, created_at'
const NAMED = query(`SELECT ${COLUMNS} FROM document WHERE kind = ? AND name = ? AND version = ?`)
const IN_FORCE = query(`SELECT ${COLUMNS} FROM document WHERE kind = ? AND name = ? ORDER BY version DESC LIMIT 1`)
const ALL_IN_FORCE = query(
  `SELECT ${COLUMNS} FROM document WHERE kind = ? AND version =
    (SELECT MAX(newest.version) FROM document AS newest WHERE newest.kind = document.kind AND newest.name = document.name)`,
)

export async function readDocument(
  queries: Queries,
  kind: DocumentVersion['kind'],
  name: string,
  version: number | undefined,
): Promise<DocumentVersion | undefined> {
  if (storableText(name) === undefined) return undefined
  const row = await (version === undefined
    ? first(queries, IN_FORCE, [kind, name])
    : first(queries, NAMED, [kind, name, version]))
  return row && documentOf(row)
}

export async function readDocuments(queries: Queries, kind: DocumentVersion['kind']): Promise<DocumentVersion[]> {
  const documents = (await queries.all(ALL_IN_FORCE, [kind])).map(documentOf)
  return documents.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}

function documentOf(row: Row): DocumentVersion {
  return {
    kind: wordOf<DocumentVersion['kind']>(row, 'kind'),
    name: textOf(row, 'name'),
    version: integerOf(row, 'version'),
    body: textOf(row, 'body'),
    createdAt: integerOf(row, 'created_at'),
  }
}
