// Where revocations are out: what relying parties get at this moment, by authority and in each of the three forms, and what none of them knows yet.
import { useQuery } from '@tanstack/react-query'
import { call } from '../api/client.ts'
import type { RevocationPublication } from '../api/schema.ts'
import { Card } from '../parts/card.tsx'
import { EmptyState } from '../parts/empty-state.tsx'
import { Icon } from '../parts/icon.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Moment, useNow } from '../parts/moment.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { Link } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'

const t = texts.revocation.published
type Shard = RevocationPublication['shards'][number]
type PublishedFile = NonNullable<Shard['full']>

export function Publication() {
  const query = useQuery({
    queryKey: ['revocation-publication'],
    queryFn: () => call('revocationPublication', { query: { limit: 100 } }),
    refetchInterval: 10_000,
  })
  return (
    <Card title={t.title} lead={t.lead} flush>
      <Loaded query={query}>
        {({ items }) => {
          const rows = items.filter(
            ({ shards, artefact }) => artefact !== null || shards.some(({ full }) => full !== null),
          )
          if (rows.length === 0) return <EmptyState icon="revocation" title={t.none} />
          return (
            <div className="tm-scroll-x">
              <table className="tm-table">
                <thead>
                  <tr>
                    <th>{texts.authorities.name}</th>
                    <th>{t.full}</th>
                    <th>{t.delta}</th>
                    <th>{t.ocsp}</th>
                    <th>{t.artefact}</th>
                    <th>{t.state}</th>
                  </tr>
                </thead>
                <tbody>
                  {rows.map(row => (
                    <AuthorityRow key={row.issuer} published={row} />
                  ))}
                </tbody>
              </table>
            </div>
          )
        }}
      </Loaded>
    </Card>
  )
}

/** Files of an authority over the address that its certificates name. */
export const crlPath = (issuer: string, shard: number, kind: 'full' | 'delta') =>
  `/crl/${issuer}/${shard}${kind === 'delta' ? '-delta' : ''}.crl`
export const artefactPath = (issuer: string) => `/status/${issuer}.tms`

function AuthorityRow({ published }: { readonly published: RevocationPublication }) {
  const now = useNow()
  const { issuer, shards, artefact } = published
  const behind = Math.max(artefact?.behind ?? 0, ...shards.map(shard => shard.behind))
  const files = [...shards.flatMap(({ full, delta }) => [full, delta]), artefact].filter(file => file !== null)
  const overdue = files.some(({ nextUpdate }) => Date.parse(nextUpdate) < now)
  return (
    <tr>
      <td>
        <Link to={`/authorities/${issuer}`}>{issuer}</Link>
        {shards.length > 1 && <div className="tm-dim tm-small">{t.shards(shards.length)}</div>}
      </td>
      <td>
        <Files shards={shards} kind="full" issuer={issuer} />
      </td>
      <td>
        <Files shards={shards} kind="delta" issuer={issuer} />
      </td>
      <td>
        <span className="tm-nowrap">{t.atOnce}</span>
      </td>
      <td>
        {artefact ? (
          <PublishedFileText file={artefact} href={artefactPath(issuer)} number={t.epoch(artefact.number)} />
        ) : (
          <None />
        )}
      </td>
      <td>
        <StateBadge tone={overdue ? 'bad' : behind > 0 ? 'info' : 'ok'}>
          {overdue ? t.overdue : behind > 0 ? t.behind(behind) : t.out}
        </StateBadge>
      </td>
    </tr>
  )
}

interface FilesProps {
  readonly shards: readonly Shard[]
  readonly kind: 'full' | 'delta'
  readonly issuer: string
}

/** Of many shards, the one that ends first speaks for all; each is had at the authority. */
function Files({ shards, kind, issuer }: FilesProps) {
  const lists = shards.flatMap(shard => (shard[kind] ? [{ shard: shard.shard, file: shard[kind] }] : []))
  const [first] = lists.toSorted((a, b) => Date.parse(a.file.nextUpdate) - Date.parse(b.file.nextUpdate))
  if (first === undefined) return <None />
  const octets = lists.reduce((sum, { file }) => sum + file.octets, 0)
  return (
    <PublishedFileText
      file={{ ...first.file, octets }}
      number={t.number(first.file.number)}
      {...(lists.length === 1 ? { href: crlPath(issuer, first.shard, kind) } : {})}
    />
  )
}

interface FileProps {
  readonly file: Pick<PublishedFile, 'thisUpdate' | 'nextUpdate' | 'octets'>
  readonly number: string
  readonly href?: string
}

export function PublishedFileText({ file, number, href }: FileProps) {
  return (
    <>
      <span className="tm-nowrap">
        {href ? (
          <a href={href} download>
            {number} <Icon name="download" size={13} />
          </a>
        ) : (
          number
        )}{' '}
        <span className="tm-dim tm-num">{texts.octets(file.octets)}</span>
      </span>
      <div className="tm-dim tm-small">
        {t.made} <Moment at={file.thisUpdate} />, {t.next} <Moment at={file.nextUpdate} />
      </div>
    </>
  )
}

function None() {
  return (
    <span className="tm-dim">
      –<span className="tm-hidden"> {texts.nothing}</span>
    </span>
  )
}
