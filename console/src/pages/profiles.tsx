// Certificate profiles: what an authority puts into the certificates that it issues.
import { useQuery } from '@tanstack/react-query'
import { call } from '../api/client.ts'
import { Card } from '../parts/card.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Moment } from '../parts/moment.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { Link } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'

const t = texts.profiles

export function Profiles() {
  const query = useQuery({ queryKey: ['profiles'], queryFn: () => call('listProfiles') })
  return (
    <div className="tm-page">
      <PageHead title={texts.sections.profiles} lead={t.lead} />
      <Card flush>
        <Loaded query={query} lines={8}>
          {({ items }) => (
            <table className="tm-table">
              <thead>
                <tr>
                  <th>{t.name}</th>
                  <th>{t.holder}</th>
                  <th>{t.authority}</th>
                  <th>{t.lifetime}</th>
                  <th>{t.keys}</th>
                  <th>{t.version}</th>
                </tr>
              </thead>
              <tbody>
                {items.map(({ name, version, changedAt, document }) => (
                  <tr key={name}>
                    <td>
                      <Link to={`/profiles/${encodeURIComponent(name)}`}>{name}</Link>
                    </td>
                    <td>{textOf(document['holder'])}</td>
                    <td>{textOf(document['authority'])}</td>
                    <td>{textOf(document['lifetime'] ?? document['validity'] ?? document['lifetimeSeconds'])}</td>
                    <td>{Array.isArray(document['keyAlgorithms']) ? document['keyAlgorithms'].join(', ') : '–'}</td>
                    <td>
                      {texts.number(version)}{' '}
                      <span className="tm-dim tm-small">
                        · <Moment at={changedAt} />
                      </span>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </Loaded>
      </Card>
    </div>
  )
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return '–'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
