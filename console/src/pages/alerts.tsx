// Alerts: what is wrong now, with its runbook; taken on by somebody, silenced for a while, or over. And the rules and channels behind them.
import { Button, Select, Tabs, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { call, callVersioned } from '../api/client.ts'
import type { Alert } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { Card } from '../parts/card.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { DocumentEditor } from '../parts/document-editor.tsx'
import { EmptyState } from '../parts/empty-state.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Moment } from '../parts/moment.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { complain, say } from '../parts/toasts.tsx'
import { useSearch } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'

const t = texts.alerts
const TONES = { notice: 'info', warning: 'warn', critical: 'bad' } as const
const HOURS = [1, 8, 24, 168] as const
type Act = { readonly kind: 'acknowledge' | 'silence'; readonly alert: Alert }

export function Alerts() {
  const [search, change] = useSearch()
  const tab = search.get('tab') === 'rules' ? 'rules' : 'alerts'
  return (
    <div className="tm-page">
      <PageHead title={texts.sections.alerts} lead={t.lead} />
      <Tabs
        value={tab}
        onChange={value => change({ tab: value === 'alerts' ? undefined : (value ?? undefined) })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="alerts">{t.tabs.alerts}</Tabs.Tab>
          <Tabs.Tab value="rules">{t.tabs.rules}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="alerts">
          <List />
        </Tabs.Panel>
        <Tabs.Panel value="rules">
          <Rules />
        </Tabs.Panel>
      </Tabs>
    </div>
  )
}

function List() {
  const { permissions } = useSession()
  const queries = useQueryClient()
  const may = permissions.has('alert.write')
  const [act, setAct] = useState<Act>()
  const [note, setNote] = useState('')
  const [hours, setHours] = useState('8')
  const query = useQuery({
    queryKey: ['alerts'],
    queryFn: () => call('listAlerts', { query: { limit: 100 } }),
    refetchInterval: 15_000,
  })
  return (
    <Card flush>
      <Loaded query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState icon="alerts" title={t.none}>
              {t.noneHelp}
            </EmptyState>
          ) : (
            <table className="tm-table">
              <thead>
                <tr>
                  <th>{t.what}</th>
                  <th>{t.severity}</th>
                  <th>{t.state}</th>
                  <th>{t.since}</th>
                  <th>
                    <span className="tm-hidden">{t.acts}</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {items.map(alert => (
                  <tr key={alert.id}>
                    <td>
                      {alert.summary}
                      <div className="tm-dim tm-small">
                        <code>{alert.rule}</code> · {t.runbook} <code>{alert.runbook}</code>
                      </div>
                    </td>
                    <td>
                      <StateBadge tone={alert.state === 'resolved' ? 'idle' : TONES[alert.severity]}>
                        {t.severities[alert.severity]}
                      </StateBadge>
                    </td>
                    <td>
                      {t.states[alert.state]}
                      {alert.silencedUntil && (
                        <div className="tm-dim tm-small">
                          {t.silencedUntil} <Moment at={alert.silencedUntil} />
                        </div>
                      )}
                      {alert.acknowledgement?.note && (
                        <div className="tm-dim tm-small">{alert.acknowledgement.note}</div>
                      )}
                    </td>
                    <td>
                      <Moment at={alert.startedAt} />
                    </td>
                    <td className="tm-right tm-nowrap">
                      {may && alert.state !== 'resolved' && (
                        <span className="tm-actions">
                          {alert.state === 'firing' && (
                            <Button
                              size="xs"
                              onClick={() => {
                                setNote('')
                                setAct({ kind: 'acknowledge', alert })
                              }}
                            >
                              {t.acknowledge}
                            </Button>
                          )}
                          <Button size="xs" variant="default" onClick={() => setAct({ kind: 'silence', alert })}>
                            {t.silence}
                          </Button>
                        </span>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )
        }
      </Loaded>
      {act && (
        <Confirm
          opened
          title={act.alert.summary}
          effects={act.kind === 'acknowledge' ? t.acknowledgeEffects : t.silenceEffects}
          act={act.kind === 'acknowledge' ? t.acknowledge : t.silence}
          done={t.done}
          onClose={() => setAct(undefined)}
          run={async () => {
            const params = { id: act.alert.id }
            const result = await (act.kind === 'acknowledge'
              ? call('acknowledgeAlert', { params, body: note.trim() ? { note: note.trim() } : {} })
              : call('silenceAlert', { params, body: { seconds: Number(hours) * 3600 } }))
            await queries.invalidateQueries({ queryKey: ['alerts'] })
            return result
          }}
        >
          <div className="tm-confirm-form">
            {act.kind === 'acknowledge' ? (
              <TextInput label={t.note} value={note} onChange={event => setNote(event.currentTarget.value)} />
            ) : (
              <Select
                label={t.forHowLong}
                data={HOURS.map(each => ({ value: String(each), label: t.hours(each) }))}
                value={hours}
                onChange={value => value && setHours(value)}
                allowDeselect={false}
              />
            )}
          </div>
        </Confirm>
      )}
    </Card>
  )
}

function Rules() {
  const { permissions } = useSession()
  const queries = useQueryClient()
  const query = useQuery({ queryKey: ['alert-rules'], queryFn: () => callVersioned('showAlertRules') })
  const may = permissions.has('alert.write')
  const test = async (name: string) => {
    try {
      const { taken, message } = await call('testAlertChannel', { params: { name } })
      if (taken) say(t.tested(name))
      else complain(new Error(message ?? t.notTaken(name)))
    } catch (thrown) {
      complain(thrown)
    }
  }
  return (
    <Loaded query={query} lines={10}>
      {({ value, version }) => (
        <div className="tm-grid">
          <Card className="tm-8" title={t.tabs.rules} lead={t.rulesLead}>
            <DocumentEditor
              document={value.document}
              label={t.tabs.rules}
              editable={may}
              rows={28}
              save={async body => {
                await call('putAlertRules', { body, version: version === 0 ? 'new' : version })
                await queries.invalidateQueries({ queryKey: ['alert-rules'] })
                return t.saved
              }}
            />
          </Card>
          <Card className="tm-4" title={t.channels} lead={t.channelsLead}>
            <ul className="tm-plain-list">
              {channelsOf(value.document).map(name => (
                <li key={name}>
                  <span className="tm-grow">{name}</span>
                  {may && (
                    <Button size="xs" variant="default" onClick={() => void test(name)}>
                      {t.test}
                    </Button>
                  )}
                </li>
              ))}
              {channelsOf(value.document).length === 0 && <li className="tm-dim">{t.noChannels}</li>}
            </ul>
          </Card>
        </div>
      )}
    </Loaded>
  )
}

function channelsOf(document: Readonly<Record<string, unknown>>): string[] {
  const channels = document['channels']
  if (!Array.isArray(channels)) return []
  return channels.flatMap((channel: unknown) =>
    typeof channel === 'object' && channel !== null && 'name' in channel ? [String(channel.name)] : [],
  )
}
