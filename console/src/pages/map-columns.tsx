// Which column of the file is what, with an example from its first row: for files whose headings are not ours.
import { Select } from '@mantine/core'
import { texts } from '../texts/texts.ts'
import { type Column, type ColumnRole, ROLES } from './csv-columns.ts'

const t = texts.factory.map

export interface MapColumnsProps {
  readonly columns: readonly Column[]
  readonly onChange: (columns: readonly Column[]) => void
}

export function MapColumns({ columns, onChange }: MapColumnsProps) {
  return (
    <table className="tm-table tm-map">
      <caption className="tm-hidden">{t.title}</caption>
      <thead>
        <tr>
          <th>{t.heading}</th>
          <th>{t.example}</th>
          <th>{t.is}</th>
        </tr>
      </thead>
      <tbody>
        {columns.map((column, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a column is its place in the file
          <tr key={at}>
            <td>
              <strong>{column.heading || t.unnamed}</strong>
            </td>
            <td>
              <code className="tm-clip" title={column.example}>
                {column.example.slice(0, 60)}
              </code>
            </td>
            <td>
              <Select
                size="xs"
                aria-label={t.isWhat(column.heading)}
                data={ROLES.map(value => ({ value, label: t.roles[value] }))}
                value={column.role}
                onChange={role =>
                  role && onChange(columns.map((each, i) => (i === at ? { ...each, role: role as ColumnRole } : each)))
                }
                allowDeselect={false}
              />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
