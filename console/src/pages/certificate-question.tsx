// What a verdict is asked for: for which use, at what time, and whom to trust.
import { Select, Textarea, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { call, type Input } from '../api/client.ts'
import { useSession } from '../api/session.ts'
import { texts } from '../texts/texts.ts'
import { utcOf } from './revocation-question.ts'

const t = texts.verdict.question

type Body = NonNullable<Input<'reachVerdict'>['body']>
type Purpose = NonNullable<Body['purpose']>
type NameKind = NonNullable<Body['name']>['kind']

const PURPOSES = ['client', 'server', 'code', 'ocsp'] as const satisfies readonly Purpose[]
const KINDS = ['dns', 'ip', 'email'] as const satisfies readonly NameKind[]

export interface VerdictTerms {
  /** `own`, `given`, or the name of a maker whose anchors are in the registry after `maker:`. */
  readonly trust: string
  readonly anchors: string
  readonly purpose: Purpose | null
  /** As an `<input type="datetime-local">` has it; empty: now. */
  readonly at: string
  readonly nameKind: NameKind
  readonly name: string
}

export const FIRST_VERDICT_TERMS: VerdictTerms = {
  trust: 'own',
  anchors: '',
  purpose: null,
  at: '',
  nameKind: 'dns',
  name: '',
}

const blocks = (text: string, label: string): string[] =>
  text.match(new RegExp(`-----BEGIN ${label}-----[^-]+-----END ${label}-----`, 'g')) ?? []

/**
 * The body of the request about the first of `certificates` (PEM), the others being sent along with it; `undefined` where there is none. Revocation
 * lists that `text` has are evidence.
 */
export function verdictBody(certificates: readonly string[], text: string, terms: VerdictTerms): Body | undefined {
  const [certificate, ...intermediates] = certificates
  if (certificate === undefined) return undefined
  const crls = blocks(text, 'X509 CRL')
  const at = utcOf(terms.at)
  return {
    certificate,
    ...(intermediates.length > 0 ? { intermediates } : {}),
    ...(crls.length > 0 ? { crls } : {}),
    ...(at === undefined ? {} : { at }),
    ...(terms.purpose === null ? {} : { purpose: terms.purpose }),
    ...(terms.name.trim() === '' ? {} : { name: { kind: terms.nameKind, value: terms.name.trim() } }),
    trust: trustOf(terms),
  }
}

function trustOf({ trust, anchors }: VerdictTerms): NonNullable<Body['trust']> {
  if (trust.startsWith('maker:')) return { maker: trust.slice('maker:'.length) }
  const given = blocks(anchors, 'CERTIFICATE')
  // Until some are pasted, nobody else is to be trusted yet.
  return trust === 'given' && given.length > 0 ? { anchors: given } : 'own'
}

interface VerdictFormProps {
  readonly terms: VerdictTerms
  readonly onChange: (terms: VerdictTerms) => void
}

export function VerdictForm({ terms, onChange }: VerdictFormProps) {
  const { permissions } = useSession()
  const makers = useQuery({
    queryKey: ['trust-anchors'],
    queryFn: () => call('listTrustAnchors'),
    enabled: permissions.has('authority.read'),
  })
  const set = (change: Partial<VerdictTerms>) => onChange({ ...terms, ...change })
  return (
    <div className="tm-form">
      <div className="tm-form-row">
        <Select
          label={t.trust}
          data={[
            { value: 'own', label: t.own },
            ...(makers.data?.items ?? []).map(({ name }) => ({ value: `maker:${name}`, label: t.maker(name) })),
            { value: 'given', label: t.given },
          ]}
          value={terms.trust}
          onChange={trust => trust && set({ trust })}
          allowDeselect={false}
        />
        <Select
          label={t.purpose}
          placeholder={t.anyPurpose}
          data={PURPOSES.map(value => ({ value, label: t.purposes[value] }))}
          value={terms.purpose}
          onChange={purpose => set({ purpose: purpose as Purpose | null })}
          clearable
        />
        <TextInput
          type="datetime-local"
          label={t.at}
          value={terms.at}
          onChange={event => set({ at: event.currentTarget.value })}
        />
      </div>
      <div className="tm-form-row">
        <Select
          label={t.nameKind}
          data={KINDS.map(value => ({ value, label: t.nameKinds[value] }))}
          value={terms.nameKind}
          onChange={kind => kind && set({ nameKind: kind as NameKind })}
          allowDeselect={false}
        />
        <TextInput
          label={t.name}
          placeholder={t.anyName}
          value={terms.name}
          maxLength={1024}
          onChange={event => set({ name: event.currentTarget.value })}
        />
      </div>
      {terms.trust === 'given' && (
        <Textarea
          label={t.anchors}
          placeholder="-----BEGIN CERTIFICATE-----"
          value={terms.anchors}
          onChange={event => set({ anchors: event.currentTarget.value })}
          rows={4}
          className="tm-mono-input"
          spellCheck={false}
        />
      )}
    </div>
  )
}
