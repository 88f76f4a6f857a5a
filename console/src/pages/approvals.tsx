// What waits for a person: requests of devices that a rule sent here, and acts of colleagues that need a second pair of eyes.
import { Button, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../api/client.ts'
import type { Approval, Enrolment } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { Card, Facts } from '../parts/card.tsx'
import { Extensions } from '../parts/certificate-text.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { EmptyState } from '../parts/empty-state.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Moment } from '../parts/moment.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { complain, say } from '../parts/toasts.tsx'
import { Link } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'

const t = texts.approvals

export function Approvals() {
  const { permissions } = useSession()
  return (
    <div className="tm-page">
      <PageHead title={texts.sections.approvals} lead={t.lead} />
      <div className="tm-stack">
        {permissions.has('enrolment.read') && <Requests />}
        {permissions.has('approval.read') && <Acts />}
      </div>
    </div>
  )
}

function Requests() {
  const query = useQuery({
    queryKey: ['enrolments', 'pending'],
    queryFn: () => call('listEnrolments', { query: { state: 'pending', limit: 100 } }),
    refetchInterval: 15_000,
  })
  const [opened, setOpened] = useState<string>()
  return (
    <Card title={t.requests.title} lead={t.requests.lead} flush>
      <Loaded query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState icon="approvals" title={t.requests.none}>
              {t.requests.noneHelp}
            </EmptyState>
          ) : (
            <table className="tm-table">
              <thead>
                <tr>
                  <th>{t.requests.claimed}</th>
                  <th>{t.requests.profile}</th>
                  <th>{t.requests.rule}</th>
                  <th>{t.requests.protocol}</th>
                  <th>{t.requests.since}</th>
                  <th>
                    <span className="tm-hidden">{t.requests.decide}</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {items.map(request => (
                  <tr key={request.digest}>
                    <td>
                      <code>{request.serialNumberClaimed}</code>
                      {request.deviceId && (
                        <div className="tm-small">
                          <Link to={`/devices/${request.deviceId}`}>{t.requests.known}</Link>
                        </div>
                      )}
                    </td>
                    <td>{request.profile}</td>
                    <td>{request.rule}</td>
                    <td>{request.protocol}</td>
                    <td>
                      <Moment at={request.createdAt} />
                    </td>
                    <td className="tm-right">
                      <Button size="xs" variant="default" onClick={() => setOpened(request.digest)}>
                        {t.requests.look}
                      </Button>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )
        }
      </Loaded>
      {opened && <Decide digest={opened} onClose={() => setOpened(undefined)} />}
    </Card>
  )
}

function Decide({ digest, onClose }: { readonly digest: string; readonly onClose: () => void }) {
  const { permissions } = useSession()
  const queries = useQueryClient()
  const [reason, setReason] = useState('')
  const [rejecting, setRejecting] = useState(false)
  const query = useQuery({
    queryKey: ['enrolment', digest],
    queryFn: () => call('showEnrolment', { params: { digest } }),
  })
  const may = permissions.has('enrolment.decide')
  return (
    <Confirm
      opened
      title={t.decide.title}
      effects={rejecting ? t.decide.rejectEffects : t.decide.approveEffects}
      act={rejecting ? t.decide.reject : t.decide.approve}
      tone={rejecting ? 'destructive' : 'normal'}
      ready={may && query.data !== undefined && (!rejecting || reason.trim() !== '')}
      done={rejecting ? t.decide.rejected : t.decide.approved}
      onClose={onClose}
      run={async () => {
        const params = { digest }
        const result: Enrolment = rejecting
          ? await call('rejectEnrolment', { params, body: { reason: reason.trim() } })
          : await call('approveEnrolment', { params })
        await queries.invalidateQueries()
        return result
      }}
    >
      <Loaded query={query}>
        {({ enrolment, device, request }) => (
          <>
            <Facts
              rows={[
                [t.decide.claimed, <code key="c">{enrolment.serialNumberClaimed}</code>],
                [t.decide.device, device ? `${device.serialNumber}, ${device.model}` : t.decide.unknown],
                [t.decide.profile, enrolment.profile],
                [t.decide.rule, enrolment.rule],
                [t.decide.subject, request?.subject],
                [t.decide.key, request?.keyAlgorithm],
                [
                  t.decide.signature,
                  request && (
                    <StateBadge tone={request.signature === 'valid' ? 'ok' : 'warn'}>
                      {texts.certificates.signatures[request.signature as 'valid']}
                    </StateBadge>
                  ),
                ],
              ]}
            />
            {request && <Extensions extensions={request.extensions} />}
          </>
        )}
      </Loaded>
      <div className="tm-chips tm-gap-top tm-gap-bottom" role="group" aria-label={t.decide.title}>
        <button type="button" className="tm-chip" aria-pressed={!rejecting} onClick={() => setRejecting(false)}>
          {t.decide.approve}
        </button>
        <button type="button" className="tm-chip" aria-pressed={rejecting} onClick={() => setRejecting(true)}>
          {t.decide.reject}
        </button>
      </div>
      {rejecting && (
        <TextInput
          label={t.decide.reason}
          description={t.decide.reasonHelp}
          value={reason}
          maxLength={500}
          onChange={event => setReason(event.currentTarget.value)}
          mb="md"
        />
      )}
    </Confirm>
  )
}

function Acts() {
  const { id: me, permissions } = useSession()
  const queries = useQueryClient()
  const operators = useQuery({
    queryKey: ['operators'],
    queryFn: () => call('listOperators', { query: { limit: 200 } }),
    enabled: permissions.has('operator.read'),
  })
  const nameOf = (id: string) => operators.data?.items.find(each => each.id === id)?.name || id
  const query = useQuery({
    queryKey: ['approvals'],
    queryFn: () => call('listApprovals', { query: { limit: 50 } }),
    refetchInterval: 15_000,
  })
  const decide = async (approval: Approval, how: 'approve' | 'reject' | 'withdraw') => {
    try {
      await call(how, { params: { id: approval.id } })
      say(t.acts.decided[how])
    } catch (thrown) {
      complain(thrown)
    }
    await queries.invalidateQueries()
  }
  return (
    <Card title={t.acts.title} lead={t.acts.lead} flush>
      <Loaded query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState icon="operators" title={t.acts.none}>
              {t.acts.noneHelp}
            </EmptyState>
          ) : (
            <table className="tm-table">
              <thead>
                <tr>
                  <th>{t.acts.what}</th>
                  <th>{t.acts.state}</th>
                  <th>{t.acts.asked}</th>
                  <th>{t.acts.until}</th>
                  <th>
                    <span className="tm-hidden">{t.acts.decide}</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {items.map(approval => (
                  <tr key={approval.id}>
                    <td>
                      {approval.summary}
                      <div className="tm-dim tm-small">
                        <code>{approval.act}</code>
                      </div>
                    </td>
                    <td>
                      <StateBadge tone={TONE[approval.state]}>{t.acts.states[approval.state]}</StateBadge>
                      <div className="tm-dim tm-small">{t.acts.quorum(approval.approvals.length, approval.quorum)}</div>
                    </td>
                    <td>
                      <Moment at={approval.requestedAt} />
                      <div className="tm-dim tm-small">
                        {approval.requestedBy === me ? t.acts.you : nameOf(approval.requestedBy)}
                      </div>
                    </td>
                    <td>
                      <Moment at={approval.expiresAt} />
                    </td>
                    <td className="tm-right tm-nowrap">
                      {approval.state === 'waiting' && (
                        <span className="tm-actions">
                          {approval.requestedBy === me ? (
                            <Button size="xs" variant="default" onClick={() => void decide(approval, 'withdraw')}>
                              {t.acts.withdraw}
                            </Button>
                          ) : (
                            <>
                              <Button size="xs" onClick={() => void decide(approval, 'approve')}>
                                {t.acts.approve}
                              </Button>
                              <Button size="xs" variant="default" onClick={() => void decide(approval, 'reject')}>
                                {t.acts.reject}
                              </Button>
                            </>
                          )}
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
    </Card>
  )
}

const TONE = {
  waiting: 'warn',
  executing: 'info',
  executed: 'ok',
  failed: 'bad',
  rejected: 'bad',
  withdrawn: 'idle',
  expired: 'idle',
} as const
