// What truly differs between the engines: how a placeholder is spelled, how a list becomes rows, how rows are locked, which words
// name the column types. Everything else is one SQL.
import type { Query, Row, Value } from './sql.ts'

export interface Engine {
  readonly name: 'sqlite' | 'postgres'
  /** The engine's wording of a statement. */
  render(text: string): string
  /** The engine's wording of a CREATE statement: TEXT, BIGINT, BYTES, and CLUSTERED for rows that lie in order of their key. */
  renderSchema(text: string): string
}

/** Answers questions, outside of any transaction. */
export interface Queries {
  readonly engine: Engine
  all(query: Query, values: readonly Value[]): Promise<readonly Row[]>
}

/** One row or none. */
export async function first(queries: Queries, query: Query, values: readonly Value[]): Promise<Row | undefined> {
  return (await queries.all(query, values))[0]
}

export const SQLITE: Engine = {
  name: 'sqlite',
  render: text =>
    text
      .replaceAll('{textList}', '(SELECT value FROM json_each(?))')
      .replaceAll('{bytesList}', '(SELECT unhex(value) AS item FROM json_each(?))')
      .replaceAll('{textPairs}', 'json_each(?)')
      .replaceAll('{labelsWith}', 'json_patch(labels, json_object(?, ?))')
      .replaceAll('{bytes}', 'BLOB')
      .replaceAll(/\{hex ([\w.]+)\}/g, 'lower(hex($1))')
      .replaceAll(/\{joined ([\w.]+)\}/g, 'group_concat($1)')
      // Rows come into an aggregate as the subquery below it gives them. Octets are strung together as they are, and called a blob again.
      .replaceAll(/\{octetsInOrder ([\w.]+) [\w.]+\}/g, "CAST(string_agg($1, '') AS BLOB)")
      .replaceAll(/\{inOrderOf [\w.]+\}/g, '')
      .replaceAll('{skipLocked}', ''),
  renderSchema: text => {
    const words = text.replaceAll(/\bBIGINT\b/g, 'INTEGER').replaceAll(/\bBYTES\b/g, 'BLOB')
    if (!words.startsWith('CREATE TABLE')) return words
    return words.endsWith(' CLUSTERED')
      ? `${words.slice(0, -' CLUSTERED'.length)} STRICT, WITHOUT ROWID`
      : `${words} STRICT`
  },
}

export const POSTGRES: Engine = {
  name: 'postgres',
  render: text => {
    let count = 0
    return text
      .replaceAll('{textList}', '(SELECT * FROM json_array_elements_text(CAST(? AS json)))')
      .replaceAll(
        '{bytesList}',
        "(SELECT decode(value, 'hex') AS item FROM json_array_elements_text(CAST(? AS json)) AS list(value))",
      )
      .replaceAll('{textPairs}', 'json_each_text(CAST(? AS json))')
      .replaceAll(
        '{labelsWith}',
        `CAST(jsonb_strip_nulls(
          CAST(labels AS jsonb) || jsonb_build_object(CAST(? AS TEXT), CAST(? AS TEXT))) AS TEXT)`,
      )
      .replaceAll('{bytes}', 'BYTEA')
      .replaceAll(/\{hex ([\w.]+)\}/g, "encode($1, 'hex')")
      .replaceAll(/\{octetsInOrder ([\w.]+) ([\w.]+)\}/g, "string_agg($1, CAST('' AS BYTEA) ORDER BY $2)")
      .replaceAll(/\{joined ([\w.]+)\}/g, "string_agg(CAST($1 AS TEXT), ',')")
      .replaceAll(/\{inOrderOf ([\w.]+)\}/g, 'ORDER BY $1')
      .replaceAll('{skipLocked}', 'FOR UPDATE SKIP LOCKED')
      .replaceAll('?', () => `$${++count}`)
  },
  // Text is ordered by its octets, as SQLite does: an order that no update of the system's locales can change under an index.
  renderSchema: text =>
    text
      .replaceAll(/\bBYTES\b/g, 'BYTEA')
      .replaceAll(/\bTEXT\b/g, 'TEXT COLLATE "C"')
      .replace(/ CLUSTERED$/, ''),
}
