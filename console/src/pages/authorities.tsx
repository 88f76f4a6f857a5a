// The hierarchy of authorities: as a picture with its health, and as a table of what each issues.
import { useQuery } from '@tanstack/react-query'
import { call } from '../api/client.ts'
import { HierarchyPicture } from '../charts/hierarchy-picture.tsx'
import { Card } from '../parts/card.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Moment, useNow } from '../parts/moment.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { Link } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'

const t = texts.authorities

export function Authorities() {
  const now = useNow()
  const query = useQuery({ queryKey: ['authorities'], queryFn: () => call('listAuthorities'), refetchInterval: 60_000 })
  return (
    <div className="tm-page">
      <PageHead title={texts.sections.authorities} lead={t.lead} />
      <Loaded query={query} lines={10}>
        {({ items }) => (
          <div className="tm-stack">
            <Card title={t.hierarchy} lead={t.hierarchyLead}>
              <HierarchyPicture authorities={items} now={now} />
            </Card>
            <Card title={t.all} flush>
              <table className="tm-table">
                <thead>
                  <tr>
                    <th>{t.name}</th>
                    <th>{t.state}</th>
                    <th>{t.subject}</th>
                    <th>{t.issues}</th>
                    <th>{t.until}</th>
                  </tr>
                </thead>
                <tbody>
                  {items.map(({ id, kind, state, subject, profiles, notAfter }) => (
                    <tr key={id}>
                      <td>
                        <Link to={`/authorities/${id}`}>{id}</Link>
                        <div className="tm-dim tm-small">{texts.authorityKinds[kind]}</div>
                      </td>
                      <td>
                        <StateBadge tone={state === 'active' ? 'ok' : state === 'retired' ? 'idle' : 'warn'}>
                          {texts.authorityStates[state]}
                        </StateBadge>
                      </td>
                      <td>{subject ?? <span className="tm-dim">–</span>}</td>
                      <td>{profiles.length > 0 ? profiles.join(', ') : <span className="tm-dim">–</span>}</td>
                      <td>{notAfter ? <Moment at={notAfter} show="both" /> : '–'}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </Card>
          </div>
        )}
      </Loaded>
    </div>
  )
}
