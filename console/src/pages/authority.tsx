// One authority: its certificate in words, the chain above, its revocation lists, and its end.
import { useQuery } from '@tanstack/react-query'
import { call } from '../api/client.ts'
import type { PageProps } from '../pages.ts'
import { Card, Facts } from '../parts/card.tsx'
import { CertificateText } from '../parts/certificate-text.tsx'
import { Commands } from '../parts/copyable.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Moment } from '../parts/moment.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { Link } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'
import { AUTHORITY_TONES } from './authorities.tsx'
import { AuthorityActions } from './authority-actions.tsx'
import { AuthorityPublication } from './authority-publication.tsx'
import { AwaitingAuthority } from './awaiting-authority.tsx'

const t = texts.authority

export function Authority({ params }: PageProps) {
  const id = params['id'] ?? ''
  const query = useQuery({ queryKey: ['authority', id], queryFn: () => call('showAuthority', { params: { id } }) })
  return (
    <div className="tm-page">
      <Loaded query={query} lines={10}>
        {({ authority, certificate, chain, crlSchedule }) => (
          <>
            <PageHead
              title={id}
              mark={
                <StateBadge tone={AUTHORITY_TONES[authority.state]}>
                  {texts.authorityStates[authority.state]}
                </StateBadge>
              }
              lead={authority.subject ?? t.waits}
              back={{ to: '/authorities', label: texts.sections.authorities }}
              actions={<AuthorityActions authority={authority} />}
            />
            <div className="tm-grid">
              <div className="tm-7 tm-stack">
                {certificate ? (
                  <Card title={t.certificate}>
                    <CertificateText certificate={certificate} />
                  </Card>
                ) : (
                  <AwaitingAuthority authority={authority} />
                )}
              </div>
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
                      [
                        t.key,
                        <span key="k">
                          <code>{authority.keyUri}</code>
                          <span className="tm-dim tm-small"> {authority.keyIsHere ? t.keyHere : t.keyAway}</span>
                        </span>,
                      ],
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
                {authority.state !== 'awaiting_certificate' && <AuthorityPublication id={id} schedule={crlSchedule} />}
                {chain.length > 0 && (
                  <Card title={t.chain} lead={t.chainLead(chain.length)}>
                    <Commands text={chain.join('').trim()} label={t.chain} />
                  </Card>
                )}
              </div>
            </div>
          </>
        )}
      </Loaded>
    </div>
  )
}
