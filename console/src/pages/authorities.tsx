// The hierarchy of authorities: as a picture with its health, and as a table of what each issues.
import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { call } from '../api/client.ts'
import type { Authority } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { HierarchyPicture } from '../charts/hierarchy-picture.tsx'
import { Card } from '../parts/card.tsx'
import { Icon } from '../parts/icon.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Moment, useNow } from '../parts/moment.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { StateBadge, type Tone } from '../parts/state-badge.tsx'
import { Link, navigate } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'

const t = texts.authorities

export const AUTHORITY_TONES: Readonly<Record<Authority['state'], Tone>> = {
  active: 'ok',
  awaiting_certificate: 'warn',
  retired: 'idle',
}

export function Authorities() {
  const { permissions } = useSession()
  const now = useNow()
  const query = useQuery({ queryKey: ['authorities'], queryFn: () => call('listAuthorities'), refetchInterval: 60_000 })
  return (
    <div className="tm-page">
      <PageHead
        title={texts.sections.authorities}
        lead={t.lead}
        actions={
          permissions.has('authority.write') && (
            <Button leftSection={<Icon name="plus" size={16} />} onClick={() => navigate('/authorities/new')}>
              {t.make}
            </Button>
          )
        }
      />
      <Loaded query={query} lines={10}>
        {({ items }) => (
          <div className="tm-stack">
            <Waiting authorities={items.filter(({ state }) => state === 'awaiting_certificate')} />
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
                        <StateBadge tone={AUTHORITY_TONES[state]}>{texts.authorityStates[state]}</StateBadge>
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

/** Those that are only half made. */
function Waiting({ authorities }: { readonly authorities: readonly Authority[] }) {
  if (authorities.length === 0) return null
  return (
    <Card title={t.waiting} lead={t.waitingLead}>
      <ul className="tm-plain-list">
        {authorities.map(({ id }) => (
          <li key={id}>
            <Icon name="clock" />
            <strong className="tm-grow">{id}</strong>
            <Link to={`/authorities/${id}`}>{t.goOn}</Link>
          </li>
        ))}
      </ul>
    </Card>
  )
}
