// The conditions of a revocation by query: on the certificates, and on the devices that hold them.
import { Select, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { call } from '../api/client.ts'
import { useSession } from '../api/session.ts'
import { texts } from '../texts/texts.ts'
import { STATES } from './device-query.ts'
import { DEVICE_FIELDS, type Question, TIME_FIELDS } from './revocation-question.ts'

const t = texts.revocation
const KEY_ALGORITHMS = [
  'P-256',
  'P-384',
  'P-521',
  'Ed25519',
  'RSA-2048',
  'RSA-3072',
  'RSA-4096',
  'ML-DSA-44',
  'ML-DSA-65',
  'ML-DSA-87',
]

interface ConditionsProps {
  readonly question: Question
  readonly onChange: (question: Question) => void
}

export function Conditions({ question, onChange }: ConditionsProps) {
  const { permissions } = useSession()
  const authorities = useQuery({
    queryKey: ['authorities'],
    queryFn: () => call('listAuthorities'),
    enabled: permissions.has('authority.read'),
  })
  const profiles = useQuery({
    queryKey: ['profiles'],
    queryFn: () => call('listProfiles'),
    enabled: permissions.has('profile.read'),
  })
  const set = (name: keyof Question, value: string | null) => onChange({ ...question, [name]: value ?? '' })
  const pick = (name: 'authority' | 'profile' | 'keyAlgorithm' | 'state', data: readonly Choice[]) => (
    <Select
      key={name}
      label={t.fields[name]}
      placeholder={t.any}
      data={[...data]}
      value={question[name] || null}
      onChange={value => set(name, value)}
      clearable
      searchable
    />
  )
  const type = (name: 'batch' | Exclude<(typeof DEVICE_FIELDS)[number], 'state'>) => (
    <TextInput
      key={name}
      label={t.fields[name]}
      placeholder={t.any}
      value={question[name] ?? ''}
      onChange={event => set(name, event.currentTarget.value)}
    />
  )
  return (
    <>
      <fieldset className="tm-fieldset">
        <legend>{t.which}</legend>
        <div className="tm-conditions">
          {pick(
            'authority',
            (authorities.data?.items ?? []).map(({ id }) => id),
          )}
          {pick(
            'profile',
            (profiles.data?.items ?? []).map(({ name }) => name),
          )}
          {pick('keyAlgorithm', KEY_ALGORITHMS)}
          {type('batch')}
          {TIME_FIELDS.map(name => (
            <TextInput
              key={name}
              type="datetime-local"
              label={t.fields[name]}
              value={question[name] ?? ''}
              onChange={event => set(name, event.currentTarget.value)}
            />
          ))}
        </div>
      </fieldset>
      <fieldset className="tm-fieldset">
        <legend>{t.ofWhich}</legend>
        <div className="tm-conditions">
          {DEVICE_FIELDS.map(name =>
            name === 'state'
              ? pick(
                  name,
                  STATES.map(value => ({ value, label: texts.deviceStates[value] })),
                )
              : type(name),
          )}
        </div>
      </fieldset>
    </>
  )
}

type Choice = string | { readonly value: string; readonly label: string }
