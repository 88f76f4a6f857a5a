// One device: who it is, what it holds, what ever happened to it, what can be done with it.
import { Button, Tabs } from '@mantine/core'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { call } from '../api/client.ts'
import type { AuditEntry, DeviceDetail } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { Lineage, stateOf } from '../charts/lineage.tsx'
import type { PageProps } from '../pages.ts'
import { Card, Facts } from '../parts/card.tsx'
import { Commands, Identifier } from '../parts/copyable.tsx'
import { EmptyState } from '../parts/empty-state.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Moment, useNow } from '../parts/moment.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { CertificateState, DeviceState, StateBadge, type Tone } from '../parts/state-badge.tsx'
import { Link, useSearch } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'
import { DeviceActions } from './device-actions.tsx'
import { deviceCommands } from './device-commands.ts'
import { DeviceOwnership } from './device-ownership.tsx'
import { DeviceProperties } from './device-properties.tsx'
import { DeviceTokens } from './device-tokens.tsx'

const t = texts.device

export function Device({ params }: PageProps) {
  const id = params['id']!
  const device = useQuery({
    queryKey: ['device', id],
    queryFn: ({ signal }) => call('showDevice', { params: { id }, signal }),
    refetchInterval: 20_000,
  })
  return (
    <div className="tm-page">
      <Loaded query={device} lines={12}>
        {detail => <Shown detail={detail} />}
      </Loaded>
    </div>
  )
}

const TABS = ['overview', 'timeline', 'keys', 'commands'] as const

function Shown({ detail }: { readonly detail: DeviceDetail }) {
  const [search, change] = useSearch()
  const tab = TABS.find(name => name === search.get('tab')) ?? 'overview'
  const { device } = detail
  return (
    <>
      <PageHead
        title={device.serialNumber}
        mark={<DeviceState state={device.state} label={texts.deviceStates[device.state]} />}
        lead={t.lead(device.model, detail.owner)}
        back={{ to: '/devices', label: texts.sections.devices }}
        actions={<DeviceActions detail={detail} />}
      />
      <Tabs
        value={tab}
        onChange={value => change({ tab: value === 'overview' ? undefined : (value ?? undefined) })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          {TABS.map(name => (
            <Tabs.Tab key={name} value={name}>
              {t.tabs[name]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="overview">
          <Identity detail={detail} />
        </Tabs.Panel>
        <Tabs.Panel value="timeline">
          <Card title={t.timeline.title} lead={t.timeline.lead}>
            <Timeline id={device.id} />
          </Card>
        </Tabs.Panel>
        <Tabs.Panel value="keys">
          <Keys detail={detail} />
        </Tabs.Panel>
        <Tabs.Panel value="commands">
          <Card title={t.commands.title} lead={t.commands.lead}>
            {deviceCommands(detail, window.location.origin).map(({ title, text }) => (
              <section key={title} className="tm-command-block">
                <h3>{title}</h3>
                <Commands text={text} label={title} />
              </section>
            ))}
          </Card>
        </Tabs.Panel>
      </Tabs>
    </>
  )
}

function Identity({ detail }: { readonly detail: DeviceDetail }) {
  const { permissions } = useSession()
  const now = useNow()
  const { device, health, credentials } = detail
  return (
    <div className="tm-grid">
      <div className="tm-7 tm-stack">
        <Card title={t.lineage.title} lead={t.lineage.lead}>
          {detail.certificates.length === 0 ? (
            <EmptyState icon="certificates" title={t.lineage.empty}>
              {t.lineage.emptyHelp}
            </EmptyState>
          ) : (
            <Lineage keys={detail.keys} certificates={detail.certificates} now={now} />
          )}
        </Card>
        <Card title={t.credentials.title} lead={t.credentials.lead} flush>
          {credentials.length === 0 ? (
            <EmptyState icon="key" title={t.credentials.empty}>
              {t.credentials.emptyHelp}
            </EmptyState>
          ) : (
            <table className="tm-table">
              <thead>
                <tr>
                  <th>{t.credentials.profile}</th>
                  <th>{t.credentials.certificate}</th>
                  <th>{t.credentials.window}</th>
                  <th>{t.credentials.ends}</th>
                </tr>
              </thead>
              <tbody>
                {credentials.map(credential => (
                  <tr key={credential.profile}>
                    <td>
                      <strong>{credential.profile}</strong>
                      <div className="tm-dim tm-small">{credential.keyAlgorithm}</div>
                      {credential.order && (
                        <StateBadge tone="info">{t.credentials.ordered(credential.order.reason)}</StateBadge>
                      )}
                      {credential.failures > 0 && (
                        <StateBadge tone="bad">
                          {t.credentials.failures(credential.failures, credential.lastFailure?.code ?? '')}
                        </StateBadge>
                      )}
                    </td>
                    <td>
                      <Link to={`/certificates/${credential.issuer}/${credential.serialNumber}`}>
                        <code>…{credential.serialNumber.slice(-12)}</code>
                      </Link>
                      <div className="tm-dim tm-small">{credential.issuer}</div>
                    </td>
                    <td>
                      <Moment at={credential.suggestedWindow.start} show="both" />
                    </td>
                    <td>
                      <Moment at={credential.notAfter} show="both" />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </Card>
      </div>
      <div className="tm-5 tm-stack">
        <Card title={t.identity.title}>
          <Facts
            rows={[
              [
                t.identity.serialNumber,
                <Identifier key="s" text={device.serialNumber} label={t.identity.serialNumber} />,
              ],
              [t.identity.model, device.model],
              [t.identity.id, <Identifier key="i" text={device.id} label={t.identity.id} keep={8} />],
              [t.identity.owner, detail.owner],
              [t.identity.site, detail.site],
              [t.identity.registered, <Moment key="r" at={device.createdAt} show="both" />],
              [t.identity.state, <Moment key="c" at={device.stateChangedAt} show="both" />],
              [
                t.identity.batch,
                device.batch && (
                  <Link key="b" to={`/devices?batch=${device.batch}`}>
                    <code>{device.batch.slice(0, 12)}…</code>
                  </Link>
                ),
              ],
              [
                t.identity.requests,
                detail.waitingRequests > 0 ? (
                  <Link key="w" to="/approvals">
                    {t.identity.waiting(detail.waitingRequests)}
                  </Link>
                ) : null,
              ],
            ]}
          />
        </Card>
        <Card title={t.health.title} lead={t.health.lead}>
          {health ? (
            <Facts
              rows={[
                [t.health.at, <Moment key="a" at={health.at} show="both" />],
                [t.health.firmware, health.firmware],
                [t.health.configuration, health.configuration],
                [t.health.agent, health.agentVersion],
                [t.health.clock, t.health.skew(health.clockSkewSeconds)],
                [t.health.error, health.lastError && <StateBadge tone="bad">{health.lastError}</StateBadge>],
              ]}
            />
          ) : (
            <p className="tm-dim tm-plain">{t.health.never}</p>
          )}
        </Card>
        <DeviceProperties detail={detail} />
        <DeviceOwnership detail={detail} />
        {permissions.has('token.read') && <DeviceTokens detail={detail} />}
      </div>
    </div>
  )
}

function Keys({ detail }: { readonly detail: DeviceDetail }) {
  return (
    <div className="tm-stack">
      <Card title={t.keys.title} lead={t.keys.lead} flush>
        <table className="tm-table">
          <thead>
            <tr>
              <th>{t.keys.id}</th>
              <th>{t.keys.algorithm}</th>
              <th>{t.keys.origin}</th>
              <th>{t.keys.held}</th>
              <th>{t.keys.state}</th>
              <th>{t.keys.since}</th>
            </tr>
          </thead>
          <tbody>
            {detail.keys.map(key => (
              <tr key={key.id}>
                <td>
                  <Identifier text={key.id} label={t.keys.id} keep={10} />
                </td>
                <td>{key.algorithm}</td>
                <td>{texts.keyOrigins[key.origin]}</td>
                <td>
                  {key.holding ? texts.keyPlaces[key.holding.place] : <span className="tm-dim">{t.keys.unknown}</span>}
                </td>
                <td>
                  <StateBadge tone={key.state === 'in_use' ? 'ok' : key.state === 'compromised' ? 'bad' : 'idle'}>
                    {texts.keyStates[key.state]}
                  </StateBadge>
                </td>
                <td>
                  <Moment at={key.stateChangedAt} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Card>
      <Card title={t.certificates.title} lead={t.certificates.lead} flush>
        <table className="tm-table">
          <thead>
            <tr>
              <th>{t.certificates.serialNumber}</th>
              <th>{t.certificates.profile}</th>
              <th>{t.certificates.issuer}</th>
              <th>{t.certificates.status}</th>
              <th>{t.certificates.from}</th>
              <th>{t.certificates.until}</th>
            </tr>
          </thead>
          <tbody>
            {detail.certificates.map(certificate => (
              <tr key={`${certificate.issuer}/${certificate.serialNumber}`}>
                <td>
                  <Link to={`/certificates/${certificate.issuer}/${certificate.serialNumber}`}>
                    <code>{certificate.serialNumber}</code>
                  </Link>
                </td>
                <td>{certificate.profile}</td>
                <td>{certificate.issuer}</td>
                <td>
                  <CertificateState
                    state={stateOf(certificate)}
                    label={texts.certificateStates[stateOf(certificate)]}
                  />
                  {certificate.reason && <div className="tm-dim tm-small">{certificate.reason}</div>}
                </td>
                <td>
                  <Moment at={certificate.notBefore} />
                </td>
                <td>
                  <Moment at={certificate.notAfter} show="both" />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Card>
    </div>
  )
}

/** How an entry of the log weighs for whoever reads the story of a device. */
function toneOf({ action, outcome, detail }: AuditEntry): Tone {
  if (outcome === 'done' && detail['reason'] === 'superseded') return 'info'
  if (outcome === 'refused' || /revoked|compromised|destroyed/.test(action)) return 'bad'
  if (/held|suspended|retired|state_changed/.test(action)) return 'warn'
  if (/issued|granted|released|registered/.test(action)) return 'ok'
  return 'info'
}

export function Timeline({ id }: { readonly id: string }) {
  const timeline = useInfiniteQuery({
    queryKey: ['timeline', id],
    queryFn: ({ pageParam, signal }) =>
      call('showDeviceTimeline', {
        params: { id },
        query: { limit: 50, ...(pageParam ? { after: pageParam } : {}) },
        signal,
      }),
    initialPageParam: '',
    getNextPageParam: last => last.next ?? undefined,
  })
  return (
    <Loaded query={timeline as never} lines={8}>
      {() => (
        <>
          <ol className="tm-timeline">
            {timeline.data?.pages
              .flatMap(({ items }) => items)
              .map(entry => (
                <li key={entry.index} data-tone={toneOf(entry)}>
                  <div className="tm-timeline-head">
                    <span>
                      {entry.meaning || entry.action}
                      {entry.outcome === 'refused' && <StateBadge tone="bad">{entry.code ?? texts.refused}</StateBadge>}
                    </span>
                    <Moment at={entry.at} show="both" />
                  </div>
                  <p>
                    <Link to={`/audit/${entry.index}`}>{t.timeline.entry(entry.index)}</Link> ·{' '}
                    {texts.actors[entry.actor.kind]} <code>{entry.actor.id}</code>
                    {Object.entries(entry.detail).map(([name, value]) => ` · ${name} ${String(value)}`)}
                  </p>
                </li>
              ))}
          </ol>
          {timeline.hasNextPage && (
            <Button
              variant="default"
              mt="md"
              loading={timeline.isFetchingNextPage}
              onClick={() => void timeline.fetchNextPage()}
            >
              {t.timeline.more}
            </Button>
          )}
        </>
      )}
    </Loaded>
  )
}
