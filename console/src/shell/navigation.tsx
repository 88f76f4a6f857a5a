// The way around: every section with its icon, what is open marked, and how much waits for somebody.
import type { Section } from '../pages.ts'
import { Icon } from '../parts/icon.tsx'
import { texts } from '../texts/texts.ts'
import { Link } from './address.tsx'

export interface NavigationProps {
  readonly sections: readonly Section[]
  readonly current: string
  readonly counts: Readonly<Record<string, number>>
  readonly open: boolean
  readonly onFollow: () => void
}

export function Navigation({ sections, current, counts, open, onFollow }: NavigationProps) {
  const groups = Map.groupBy(sections, section => section.group)
  return (
    <div className="tm-sidebar" data-open={open}>
      <Link to="/" className="tm-brand" onClick={onFollow}>
        <img src="/assets/touchmark.svg" alt="" /> {texts.product}
      </Link>
      <nav aria-label={texts.shell.navigation}>
        {[...groups].map(([group, members]) => (
          <div key={group} className="tm-nav-group">
            <h2>{texts.groups[group]}</h2>
            <ul>
              {members.map(section => (
                <li key={section.id}>
                  <Link
                    to={section.path}
                    className="tm-nav-link"
                    onClick={onFollow}
                    {...(section.id === current ? { 'aria-current': 'page' as const } : {})}
                  >
                    <Icon name={section.icon} />
                    {texts.sections[section.id]}
                    {(counts[section.id] ?? 0) > 0 && (
                      <span className="tm-nav-count">
                        {counts[section.id]}
                        <span className="tm-hidden"> {texts.shell.waiting}</span>
                      </span>
                    )}
                  </Link>
                </li>
              ))}
            </ul>
          </div>
        ))}
      </nav>
    </div>
  )
}
