// The chain of a certificate, drawn from the root down: every link leads to its authority.
import { useQuery } from '@tanstack/react-query'
import { call } from '../api/client.ts'
import type { Authority } from '../api/schema.ts'
import { Link } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'
import { Icon } from './icon.tsx'
import { Loaded } from './loading.tsx'
import { Moment } from './moment.tsx'

export interface ChainProps {
  readonly issuer: string
  /** What the certificate at the end is called. */
  readonly leaf: string
}

/** From the root to `id`; an authority that somebody else certified is where our knowledge begins. */
function pathTo(id: string, authorities: readonly Authority[]): Authority[] {
  const path: Authority[] = []
  for (let at = authorities.find(each => each.id === id); at && !path.includes(at); ) {
    path.unshift(at)
    const above: string | null = at.issuer
    at = authorities.find(each => each.id === above)
  }
  return path
}

export function Chain({ issuer, leaf }: ChainProps) {
  const query = useQuery({ queryKey: ['authorities'], queryFn: () => call('listAuthorities') })
  return (
    <Loaded query={query} lines={3}>
      {({ items }) => (
        <ol className="tm-chain">
          {pathTo(issuer, items).map(({ id, kind, notAfter }) => (
            <li key={id}>
              <Icon name={kind === 'root' ? 'shield' : 'authorities'} size={16} />
              <Link to={`/authorities/${id}`}>{id}</Link>
              <span className="tm-dim tm-small">{texts.authorityKinds[kind]}</span>
              <span className="tm-dim tm-small">{notAfter && <Moment at={notAfter} />}</span>
            </li>
          ))}
          <li>
            <Icon name="certificates" size={16} />
            <strong>{texts.certificate.this}</strong>
            <span className="tm-dim tm-small">{leaf}</span>
          </li>
        </ol>
      )}
    </Loaded>
  )
}
