// Whom a revocation would hit, while it is being asked for: how many, of which models and owners, what stops working, and until when those that
// nobody reaches are believed.
import type { ReactNode } from 'react'
import type { RevocationPreview } from '../api/schema.ts'
import { Icon } from '../parts/icon.tsx'
import { Moment } from '../parts/moment.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { Link } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'

const t = texts.revocation.hits
const MOST = 5

export function Hits({ preview }: { readonly preview: RevocationPreview }) {
  const { certificates, devices, left, contact, campaigns, sample } = preview
  const { models, owners, withoutOwner } = preview.others
  return (
    <div className="tm-hits">
      <dl className="tm-hits-figures">
        <Figure name={t.certificates} value={certificates} />
        <Figure name={t.devices} value={devices} />
        <Figure name={t.stop} value={left.none} tone={left.none > 0 ? 'bad' : 'ok'} />
      </dl>
      {preview.sampled !== null && <p className="tm-dim tm-small">{t.sampled(preview.sampled)}</p>}
      <ul className="tm-effects">
        {left.none > 0 && <li>{t.stops(left.none)}</li>}
        {left.some > 0 && <li>{t.keep(left.some)}</li>}
        <li>{t.contact(contact.recent, contact.silent, contact.never)}</li>
        {preview.lastExpiry && (
          <li>
            {preview.lastExpiry.startsWith('9999-') ? (
              t.believedForEver
            ) : (
              <>
                {t.believed} <Moment at={preview.lastExpiry} show="both" />
              </>
            )}
          </li>
        )}
      </ul>
      {campaigns.length > 0 && (
        <p className="tm-campaigns-cut">
          <StateBadge tone="warn">{t.campaigns}</StateBadge>{' '}
          {campaigns.map(({ id, name, devices: n }) => (
            <span key={id}>
              <Link to={`/campaigns/${name}`}>{name}</Link> <span className="tm-dim">({texts.number(n)})</span>{' '}
            </span>
          ))}
        </p>
      )}
      <div className="tm-hits-parts">
        <Part title={t.byModel} of={preview.byModel} rest={models} />
        <Part
          title={t.byOwner}
          of={withoutOwner > 0 ? [...preview.byOwner, { name: t.noOwner, count: withoutOwner }] : preview.byOwner}
          rest={owners}
        />
        <Part title={t.byProfile} of={tallied(preview.byProfile)} />
        <Part title={t.byAuthority} of={tallied(preview.byAuthority)} />
      </div>
      {sample.length > 0 && (
        <details className="tm-details">
          <summary>{t.sample(sample.length)}</summary>
          <ul className="tm-plain-list">
            {sample.map(({ issuer, serialNumber, profile, notAfter, device }) => (
              <li key={`${issuer}/${serialNumber}`}>
                <Icon name="certificates" size={15} />
                <span className="tm-grow">
                  <Link to={`/certificates/${issuer}/${serialNumber}`}>
                    {device.model} {device.serialNumber}
                  </Link>{' '}
                  <span className="tm-dim tm-small">
                    {profile}, {t.ends} <Moment at={notAfter} />
                  </span>
                </span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  )
}

interface FigureProps {
  readonly name: string
  readonly value: number
  readonly tone?: 'ok' | 'bad'
}

function Figure({ name, value, tone }: FigureProps) {
  return (
    <div>
      <dt className="tm-figure-name">{name}</dt>
      <dd className={`tm-figure-value ${tone ? `tm-tone-${tone}` : ''}`}>{texts.number(value)}</dd>
    </div>
  )
}

interface Counted {
  readonly name: string
  readonly count: number
}

const tallied = (of: Readonly<Record<string, number>>): readonly Counted[] =>
  Object.entries(of)
    .map(([name, count]) => ({ name, count }))
    .sort((a, b) => b.count - a.count)

/** The most frequent, with bars; the others as one line. */
function Part({
  title,
  of,
  rest = 0,
}: {
  readonly title: ReactNode
  readonly of: readonly Counted[]
  readonly rest?: number
}) {
  const most = of.slice(0, MOST)
  const others = of.slice(MOST).reduce((sum, { count }) => sum + count, 0) + rest
  const largest = Math.max(1, ...most.map(({ count }) => count))
  if (most.length === 0) return null
  return (
    <section>
      <h3 className="tm-subhead">{title}</h3>
      <ul className="tm-hits-bars">
        {most.map(({ name, count }) => (
          <li key={name}>
            <span className="tm-clip">{name}</span>
            <span className="tm-num">{texts.number(count)}</span>
            <span className="tm-bar">
              <span className="tm-fill-info" style={{ width: `${(100 * count) / largest}%` }} />
            </span>
          </li>
        ))}
        {others > 0 && (
          <li className="tm-dim">
            <span>{t.others}</span>
            <span className="tm-num">{texts.number(others)}</span>
          </li>
        )}
      </ul>
    </section>
  )
}
