// What an authority publishes of revocation: its lists, deltas and status artefact, to be fetched, and the schedule that they come by.
import { useQuery } from '@tanstack/react-query'
import { call } from '../api/client.ts'
import type { CrlSchedule } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { Card, Facts } from '../parts/card.tsx'
import { EmptyState } from '../parts/empty-state.tsx'
import { Loaded } from '../parts/loading.tsx'
import { texts } from '../texts/texts.ts'
import { artefactPath, crlPath, PublishedFileText } from './revocation-publication.tsx'

const t = texts.authority.publication

interface AuthorityPublicationProps {
  readonly id: string
  readonly schedule: CrlSchedule | null
}

export function AuthorityPublication({ id, schedule }: AuthorityPublicationProps) {
  const { permissions } = useSession()
  return (
    <Card title={t.title} lead={t.lead}>
      {permissions.has('certificate.read') && <Published id={id} />}
      {schedule && <Schedule schedule={schedule} />}
    </Card>
  )
}

function Published({ id }: { readonly id: string }) {
  const query = useQuery({
    queryKey: ['revocation-publication', id],
    queryFn: () => call('revocationPublication', { query: { authority: id } }),
    refetchInterval: 10_000,
  })
  return (
    <Loaded query={query} lines={3}>
      {({ items: [published] }) => {
        if (published === undefined) return <EmptyState icon="revocation" title={texts.revocation.published.none} />
        const { shards, artefact } = published
        const shardOf = (shard: number) => (shards.length > 1 ? ` ${t.shard(shard)}` : '')
        return (
          <Facts
            rows={[
              ...shards.flatMap(({ shard, full, delta }) => [
                [
                  texts.revocation.published.full + shardOf(shard),
                  full && (
                    <PublishedFileText
                      key="f"
                      file={full}
                      number={texts.revocation.published.number(full.number)}
                      href={crlPath(id, shard, 'full')}
                    />
                  ),
                ] as const,
                [
                  texts.revocation.published.delta + shardOf(shard),
                  delta && (
                    <PublishedFileText
                      key="d"
                      file={delta}
                      number={texts.revocation.published.number(delta.number)}
                      href={crlPath(id, shard, 'delta')}
                    />
                  ),
                ] as const,
              ]),
              [
                texts.revocation.published.artefact,
                artefact && (
                  <PublishedFileText
                    key="a"
                    file={artefact}
                    number={texts.revocation.published.epoch(artefact.number)}
                    href={artefactPath(id)}
                  />
                ),
              ],
            ]}
          />
        )
      }}
    </Loaded>
  )
}

function Schedule({ schedule }: { readonly schedule: CrlSchedule }) {
  const { lifetimeSeconds, renewBeforeSeconds, keepExpiredSeconds, delta } = schedule
  return (
    <>
      <h3 className="tm-subhead">{t.schedule}</h3>
      <Facts
        rows={[
          [t.lifetime, t.time(lifetimeSeconds / HOUR)],
          [t.renewed, t.before(renewBeforeSeconds / HOUR)],
          [t.expired, t.stays(keepExpiredSeconds / HOUR)],
          [
            texts.revocation.published.delta,
            delta === null ? t.noDelta : t.delta(delta.lifetimeSeconds / HOUR, delta.fromEntries),
          ],
        ]}
      />
    </>
  )
}

const HOUR = 3600
