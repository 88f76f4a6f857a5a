// A framed part of a page, with a title that says what it answers.
import type { ReactNode } from 'react'

export interface CardProps {
  readonly title?: ReactNode
  readonly lead?: ReactNode
  readonly aside?: ReactNode
  readonly children: ReactNode
  readonly flush?: boolean
  readonly className?: string
}

export function Card({ title, lead, aside, children, flush, className }: CardProps) {
  return (
    <section className={`tm-card ${className ?? ''}`}>
      {(title || aside) && (
        <header className="tm-card-head">
          <div>
            {title && <h2>{title}</h2>}
            {lead && <p className="tm-dim">{lead}</p>}
          </div>
          {aside && <div className="tm-card-aside">{aside}</div>}
        </header>
      )}
      <div className={flush ? 'tm-card-flush' : 'tm-card-body'}>{children}</div>
    </section>
  )
}

/** Names and values, as a definition list. */
export function Facts({ rows }: { readonly rows: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="tm-facts">
      {rows
        .filter(([, value]) => value !== null && value !== undefined && value !== '')
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  )
}
