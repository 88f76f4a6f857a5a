// One certificate of ours: what it says, its status and who decided it, where it hangs, and what can be done about it.
import { Button, Select } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../api/client.ts'
import { useSession } from '../api/session.ts'
import { stateOf } from '../charts/lineage.tsx'
import type { PageProps } from '../pages.ts'
import { Card, Facts } from '../parts/card.tsx'
import { CertificateText } from '../parts/certificate-text.tsx'
import { Chain } from '../parts/chain.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { Commands } from '../parts/copyable.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Moment } from '../parts/moment.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { CertificateState } from '../parts/state-badge.tsx'
import { Link } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'
import { VerdictText } from './certificate-verdict.tsx'

const t = texts.certificate
const REASONS = [
  'keyCompromise',
  'superseded',
  'cessationOfOperation',
  'privilegeWithdrawn',
  'affiliationChanged',
  'unspecified',
  'certificateHold',
] as const

export function Certificate({ params }: PageProps) {
  const { issuer = '', serialNumber = '' } = params
  const { permissions } = useSession()
  const queries = useQueryClient()
  const [act, setAct] = useState<'revoke' | 'release'>()
  const [reason, setReason] = useState<(typeof REASONS)[number]>('keyCompromise')
  const query = useQuery({
    queryKey: ['certificate', issuer, serialNumber],
    queryFn: ({ signal }) => call('showCertificate', { params: { issuer, serialNumber }, signal }),
  })
  return (
    <div className="tm-page">
      <Loaded query={query} lines={12}>
        {({ registered, certificate }) => {
          const state = stateOf(registered)
          const may = permissions.has('certificate.revoke')
          return (
            <>
              <PageHead
                title={t.title(registered.profile, serialNumber.slice(-8))}
                mark={<CertificateState state={state} label={texts.certificateStates[state]} />}
                lead={certificate.subject}
                back={
                  registered.deviceId
                    ? { to: `/devices/${registered.deviceId}`, label: t.device }
                    : { to: '/certificates', label: texts.sections.certificates }
                }
                actions={
                  may && (
                    <>
                      {state === 'held' && (
                        <Button variant="default" onClick={() => setAct('release')}>
                          {t.release}
                        </Button>
                      )}
                      {(state === 'good' || state === 'held') && (
                        <Button color="red" variant="light" onClick={() => setAct('revoke')}>
                          {t.revoke}
                        </Button>
                      )}
                    </>
                  )
                }
              />
              <div className="tm-grid">
                <div className="tm-7 tm-stack">
                  <Judged pem={certificate.pem} />
                  <Card title={t.says}>
                    <CertificateText certificate={certificate} />
                  </Card>
                </div>
                <div className="tm-5 tm-stack">
                  <Card title={t.registry}>
                    <Facts
                      rows={[
                        [t.status, <CertificateState key="s" state={state} label={texts.certificateStates[state]} />],
                        [
                          t.since,
                          registered.statusChangedAt && <Moment key="c" at={registered.statusChangedAt} show="both" />,
                        ],
                        [t.reason, registered.reason],
                        [
                          t.authority,
                          <Link key="a" to="/authorities">
                            {registered.issuer}
                          </Link>,
                        ],
                        [t.profile, `${registered.profile}, ${t.version(registered.profileVersion)}`],
                        [
                          t.holder,
                          registered.deviceId && (
                            <Link to={`/devices/${registered.deviceId}`}>
                              <code>{registered.deviceId.slice(0, 12)}…</code>
                            </Link>
                          ),
                        ],
                        [
                          t.replaces,
                          registered.replaces && (
                            <Link
                              to={`/certificates/${registered.replaces.issuer}/${registered.replaces.serialNumber}`}
                            >
                              <code>…{registered.replaces.serialNumber.slice(-12)}</code>
                            </Link>
                          ),
                        ],
                        [t.shard, registered.crlShard],
                        [
                          t.entry,
                          <Link key="e" to={`/audit/${registered.auditIndex}`}>
                            {texts.number(registered.auditIndex)}
                          </Link>,
                        ],
                      ]}
                    />
                  </Card>
                  {permissions.has('authority.read') && (
                    <Card title={t.chain} lead={t.chainLead}>
                      <Chain issuer={issuer} leaf={registered.profile} />
                    </Card>
                  )}
                  <Card title={t.commands}>
                    <Commands
                      label={t.commands}
                      text={[
                        `touchmark certificate show ${serialNumber} --pem > certificate.pem`,
                        'openssl x509 -in certificate.pem -noout -text',
                        'curl -s "$(openssl x509 -in certificate.pem -noout -ext crlDistributionPoints | sed -n \'s/.*URI://p\')" |',
                        '  openssl crl -inform DER -noout -lastupdate -nextupdate',
                      ].join('\n')}
                    />
                  </Card>
                </div>
              </div>
              {act && (
                <Confirm
                  opened
                  title={act === 'revoke' ? t.revokeTitle : t.releaseTitle}
                  effects={
                    act === 'release'
                      ? t.releaseEffects
                      : reason === 'certificateHold'
                        ? t.holdEffects
                        : t.revokeEffects
                  }
                  act={act === 'revoke' ? t.revoke : t.release}
                  tone={act === 'revoke' ? 'destructive' : 'normal'}
                  done={act === 'revoke' ? t.revoked : t.released}
                  onClose={() => setAct(undefined)}
                  run={async () => {
                    const target = { params: { issuer, serialNumber } }
                    const result = await (act === 'revoke'
                      ? call('revokeCertificate', { ...target, body: { reason } })
                      : call('releaseCertificate', target))
                    await queries.invalidateQueries()
                    return result
                  }}
                >
                  {act === 'revoke' && (
                    <Select
                      label={texts.acts.reason}
                      data={REASONS.map(value => ({ value, label: texts.acts.reasons[value] }))}
                      value={reason}
                      onChange={value => value && setReason(value as typeof reason)}
                      allowDeselect={false}
                      mb="md"
                    />
                  )}
                </Confirm>
              )}
            </>
          )
        }}
      </Loaded>
    </div>
  )
}

/** Whether it is good now, by everything that is known here. */
function Judged({ pem }: { readonly pem: string }) {
  const query = useQuery({
    queryKey: ['verdict', 'own', pem],
    queryFn: ({ signal }) => call('reachVerdict', { body: { certificate: pem }, signal }),
  })
  return (
    <Card title={texts.verdict.title} lead={texts.verdict.ownLead}>
      <Loaded query={query}>{verdict => <VerdictText verdict={verdict} />}</Loaded>
    </Card>
  )
}
