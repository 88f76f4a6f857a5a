// The head of a page: where one is, what one sees here in a sentence, and what can be done.
import { type ReactNode, useEffect } from 'react'
import { Link } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'
import { Icon } from './icon.tsx'

export interface PageHeadProps {
  readonly title: string
  /** Beside the title: a state. */
  readonly mark?: ReactNode
  readonly lead?: ReactNode
  /** The page above this one. */
  readonly back?: { readonly to: string; readonly label: string }
  readonly actions?: ReactNode
}

export function PageHead({ title, mark, lead, back, actions }: PageHeadProps) {
  useEffect(() => {
    document.title = `${title} · ${texts.product}`
  }, [title])
  return (
    <header className="tm-page-head">
      <div>
        {back && (
          <Link to={back.to} className="tm-back">
            <Icon name="back" size={15} /> {back.label}
          </Link>
        )}
        <div className="tm-title-row">
          <h1 tabIndex={-1} id="page-title">
            {title}
          </h1>
          {mark}
        </div>
        {lead && <p className="tm-lead">{lead}</p>}
      </div>
      {actions && <div className="tm-actions">{actions}</div>}
    </header>
  )
}
