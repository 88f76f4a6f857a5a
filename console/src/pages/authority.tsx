// One authority: its certificate in words, the chain above, its revocation lists, and its end.
import { Button } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../api/client.ts'
import { useSession } from '../api/session.ts'
import type { PageProps } from '../pages.ts'
import { Card, Facts } from '../parts/card.tsx'
import { CertificateText } from '../parts/certificate-text.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { Commands } from '../parts/copyable.tsx'
import { EmptyState } from '../parts/empty-state.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Moment } from '../parts/moment.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { Link } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'

const t = texts.authority

export function Authority({ params }: PageProps) {
  const id = params['id'] ?? ''
  const { permissions } = useSession()
  const queries = useQueryClient()
  const [retiring, setRetiring] = useState(false)
  const query = useQuery({ queryKey: ['authority', id], queryFn: () => call('showAuthority', { params: { id } }) })
  return (
    <div className="tm-page">
      <Loaded query={query} lines={10}>
        {({ authority, certificate, chain }) => (
          <>
            <PageHead
              title={id}
              mark={
                <StateBadge
                  tone={authority.state === 'active' ? 'ok' : authority.state === 'retired' ? 'idle' : 'warn'}
                >
                  {texts.authorityStates[authority.state]}
                </StateBadge>
              }
              lead={authority.subject ?? t.waits}
              back={{ to: '/authorities', label: texts.sections.authorities }}
              actions={
                authority.state === 'active' &&
                permissions.has('authority.write') && (
                  <Button variant="light" color="red" onClick={() => setRetiring(true)}>
                    {t.retire}
                  </Button>
                )
              }
            />
            <div className="tm-grid">
              <Card className="tm-7" title={t.certificate}>
                {certificate ? (
                  <CertificateText certificate={certificate} />
                ) : (
                  <EmptyState icon="certificates" title={t.waits}>
                    {t.waitsHelp}
                  </EmptyState>
                )}
              </Card>
              <div className="tm-5 tm-stack">
                <Card title={t.registry}>
                  <Facts
                    rows={[
                      [t.kind, texts.authorityKinds[authority.kind]],
                      [
                        t.issuer,
                        authority.issuer && authority.issuer !== id ? (
                          <Link key="i" to={`/authorities/${authority.issuer}`}>
                            {authority.issuer}
                          </Link>
                        ) : (
                          authority.issuerName
                        ),
                      ],
                      [t.key, <code key="k">{authority.keyUri}</code>],
                      [t.generation, authority.generation],
                      [t.created, <Moment key="c" at={authority.createdAt} show="both" />],
                      [t.shards, authority.crlShards],
                      [
                        t.crl,
                        authority.crl && (
                          <>
                            {t.number(authority.crl.number)}, {t.next} <Moment at={authority.crl.nextUpdate} />{' '}
                            <StateBadge tone={authority.crl.fresh ? 'ok' : 'bad'}>
                              {authority.crl.fresh ? t.fresh : t.overdue}
                            </StateBadge>
                          </>
                        ),
                      ],
                      [
                        t.profiles,
                        authority.profiles.length > 0
                          ? authority.profiles.map(name => (
                              <div key={name}>
                                <Link to={`/profiles/${name}`}>{name}</Link>
                              </div>
                            ))
                          : null,
                      ],
                    ]}
                  />
                </Card>
                {chain.length > 0 && (
                  <Card title={t.chain} lead={t.chainLead(chain.length)}>
                    <Commands text={chain.join('').trim()} label={t.chain} />
                  </Card>
                )}
              </div>
            </div>
            <Confirm
              opened={retiring}
              title={t.retireTitle(id)}
              effects={t.retireEffects}
              act={t.retire}
              tone="destructive"
              word={id}
              done={result => texts.guarded[(result as { outcome: 'done' | 'waiting' }).outcome]}
              onClose={() => setRetiring(false)}
              run={async () => {
                const result = await call('retireAuthority', { params: { id } })
                await queries.invalidateQueries()
                return result
              }}
            />
          </>
        )}
      </Loaded>
    </div>
  )
}
