// An authority is made in three questions: who certifies it, what it is, and whether that is what you mean. Under an authority whose key is here
// it is in service at once; otherwise a request goes out, and the page of the authority waits for the certificate.
import { Button, Checkbox, NumberInput, Select, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { call, type Input } from '../api/client.ts'
import type { Authority } from '../api/schema.ts'
import { Card, Facts } from '../parts/card.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Options } from '../parts/options.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { ProblemPanel } from '../parts/problem-panel.tsx'
import { Step, type StepState, Steps } from '../parts/steps.tsx'
import { say } from '../parts/toasts.tsx'
import { navigate, useSearch } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'
import { nextCommonName, nextId } from './authority-names.ts'

const t = texts.makeAuthority

type Plan = NonNullable<Input<'createAuthority'>['body']>
type Algorithm = NonNullable<Plan['algorithm']>

const ALGORITHMS: readonly Algorithm[] = [
  'P-256',
  'P-384',
  'P-521',
  'Ed25519',
  'RSA-3072',
  'RSA-4096',
  'ML-DSA-44',
  'ML-DSA-65',
  'ML-DSA-87',
]
const DAYS_OF_YEAR = 365
const USUAL_YEARS = 15
const ELSEWHERE = '*'

/** Years, for a successor with a life as long. */
function lifeOf({ notBefore, notAfter }: Authority): number {
  const days = (Date.parse(notAfter ?? '') - Date.parse(notBefore ?? '')) / 86_400_000
  return days > 0 && days < 100 * DAYS_OF_YEAR ? Math.round((days / DAYS_OF_YEAR) * 100) / 100 : USUAL_YEARS
}

export function MakeAuthority() {
  const [search] = useSearch()
  const query = useQuery({ queryKey: ['authorities'], queryFn: () => call('listAuthorities') })
  return (
    <div className="tm-page">
      <PageHead title={t.title} lead={t.lead} back={{ to: '/authorities', label: texts.sections.authorities }} />
      <Loaded query={query} lines={10}>
        {({ items }) => <Wizard authorities={items} before={items.find(({ id }) => id === search.get('successor'))} />}
      </Loaded>
    </div>
  )
}

interface WizardProps {
  readonly authorities: readonly Authority[]
  /** Whose next generation it is to be. */
  readonly before: Authority | undefined
}

function Wizard({ authorities, before }: WizardProps) {
  const queries = useQueryClient()
  const issuers = authorities.filter(({ state, kind }) => state === 'active' && kind !== 'issuing')
  const here = issuers.filter(({ keyIsHere }) => keyIsHere)
  const usual = before?.issuer && here.some(({ id }) => id === before.issuer) ? before.issuer : undefined
  const [step, setStep] = useState(0)
  const [issuer, setIssuer] = useState(usual ?? (before ? ELSEWHERE : (here[0]?.id ?? ELSEWHERE)))
  const [kind, setKind] = useState<'issuing' | 'intermediate'>(
    before?.kind === 'intermediate' ? 'intermediate' : 'issuing',
  )
  const [commonName, setCommonName] = useState(
    before ? nextCommonName(before.subject, Number(/\d+$/.exec(nextId(before.id, authorities))?.[0])) : '',
  )
  const [id, setId] = useState(before ? nextId(before.id, authorities) : '')
  const [algorithm, setAlgorithm] = useState<Algorithm>(
    ALGORITHMS.find(each => each === before?.keyAlgorithm) ?? 'P-256',
  )
  const [years, setYears] = useState(before ? lifeOf(before) : USUAL_YEARS)
  const [endless, setEndless] = useState(before?.notAfter?.startsWith('9999-') ?? false)
  const [pathLength, setPathLength] = useState(1)
  const [shards, setShards] = useState(before?.crlShards ?? 1)
  const [busy, setBusy] = useState(false)
  const [thrown, setThrown] = useState<unknown>()

  const stateOf = (at: number): StepState => (at < step ? 'done' : at === step ? 'now' : 'later')
  const taken = authorities.some(each => each.id === id)
  const next = (event: FormEvent) => {
    event.preventDefault()
    setStep(step + 1)
  }
  const make = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    setThrown(undefined)
    try {
      const made = await call('createAuthority', {
        body: {
          id,
          commonName: commonName.trim(),
          kind,
          algorithm,
          ...(endless ? { noExpiry: true } : { days: Math.round(years * DAYS_OF_YEAR) }),
          ...(kind === 'intermediate' ? { pathLength } : {}),
          crlShards: shards,
          ...(issuer === ELSEWHERE ? {} : { issuer }),
        },
      })
      await queries.invalidateQueries()
      if (made.outcome === 'waiting') {
        say(texts.guarded.waiting)
        navigate('/approvals')
      } else {
        say(made.result?.request ? t.madeWaiting(id) : t.made(id))
        navigate(`/authorities/${id}`)
      }
    } catch (caught) {
      setThrown(caught)
    } finally {
      setBusy(false)
    }
  }

  return (
    <Card className="tm-narrow">
      <Steps label={t.title}>
        <Step state={stateOf(0)} title={t.who.title} lead={step > 0 ? whoText(issuer) : t.who.lead}>
          {step === 0 && (
            <form className="tm-form" onSubmit={next}>
              <Options
                label={t.who.title}
                value={issuer}
                onChange={setIssuer}
                options={[
                  ...issuers.map(each => ({
                    value: each.id,
                    label: each.id,
                    lead: each.keyIsHere ? t.who.here(each.subject ?? '') : t.who.notHere,
                    disabled: !each.keyIsHere,
                  })),
                  { value: ELSEWHERE, label: t.who.elsewhere, lead: t.who.elsewhereLead },
                ]}
              />
              <div>
                <Button type="submit">{t.next}</Button>
              </div>
            </form>
          )}
        </Step>
        <Step state={stateOf(1)} title={t.what.title} lead={step > 1 ? `${id}, ${commonName}` : t.what.lead}>
          {step === 1 && (
            <form className="tm-form" onSubmit={next}>
              <Options
                label={t.what.kind}
                value={kind}
                onChange={setKind}
                options={[
                  { value: 'issuing', label: t.what.issuing, lead: t.what.issuingLead },
                  { value: 'intermediate', label: t.what.intermediate, lead: t.what.intermediateLead },
                ]}
              />
              <div className="tm-form-row">
                <TextInput
                  label={t.what.commonName}
                  description={t.what.commonNameHelp}
                  required
                  withAsterisk={false}
                  maxLength={64}
                  value={commonName}
                  onChange={event => setCommonName(event.currentTarget.value)}
                />
                <TextInput
                  label={t.what.id}
                  description={t.what.idHelp}
                  placeholder={t.what.idExample}
                  required
                  withAsterisk={false}
                  pattern="[a-z0-9][a-z0-9.\-]{0,40}-[0-9]{1,4}"
                  maxLength={48}
                  error={taken ? t.what.taken : undefined}
                  value={id}
                  onChange={event => setId(event.currentTarget.value)}
                />
              </div>
              <div className="tm-form-row">
                <Select
                  label={t.what.algorithm}
                  data={[...ALGORITHMS]}
                  value={algorithm}
                  onChange={value => value && setAlgorithm(value as Algorithm)}
                  allowDeselect={false}
                />
                <NumberInput
                  label={t.what.years}
                  min={0.01}
                  max={100}
                  decimalScale={2}
                  disabled={endless}
                  value={years}
                  onChange={value => setYears(Number(value) || USUAL_YEARS)}
                  hideControls
                />
                <NumberInput
                  label={t.what.shards}
                  description={t.what.shardsHelp}
                  min={1}
                  max={1024}
                  allowDecimal={false}
                  value={shards}
                  onChange={value => setShards(Number(value) || 1)}
                  hideControls
                />
                {kind === 'intermediate' && (
                  <NumberInput
                    label={t.what.pathLength}
                    description={t.what.pathLengthHelp}
                    min={1}
                    max={8}
                    allowDecimal={false}
                    value={pathLength}
                    onChange={value => setPathLength(Number(value) || 1)}
                    hideControls
                  />
                )}
              </div>
              <Checkbox
                label={t.what.endless}
                description={t.what.endlessHelp}
                checked={endless}
                onChange={event => setEndless(event.currentTarget.checked)}
              />
              <div className="tm-actions">
                <Button type="submit" disabled={taken}>
                  {t.next}
                </Button>
                <Button variant="default" onClick={() => setStep(0)}>
                  {t.back}
                </Button>
              </div>
            </form>
          )}
        </Step>
        <Step state={stateOf(2)} title={t.check.title} lead={t.check.lead}>
          {step === 2 && (
            <form className="tm-form" onSubmit={event => void make(event)}>
              <div className="tm-panel">
                <Facts
                  rows={[
                    [t.what.id, <code key="i">{id}</code>],
                    [t.what.commonName, commonName],
                    [t.what.kind, kind === 'issuing' ? t.what.issuing : t.what.intermediate],
                    [t.who.title, whoText(issuer)],
                    [t.what.algorithm, algorithm],
                    [t.what.validity, endless ? t.what.endless : t.what.lives(years)],
                    [t.what.shards, shards],
                    [t.what.pathLength, kind === 'intermediate' ? pathLength : null],
                  ]}
                />
              </div>
              <div>
                <p className="tm-confirm-lead">{texts.confirm.effects}</p>
                <ul className="tm-effects">
                  <li>{t.check.key(algorithm)}</li>
                  <li>{issuer === ELSEWHERE ? t.check.request : t.check.certified(issuer)}</li>
                  {before && <li>{t.check.beside(before.id)}</li>}
                  <li>{t.check.fourEyes}</li>
                </ul>
              </div>
              {thrown !== undefined && <ProblemPanel thrown={thrown} />}
              <div className="tm-actions">
                <Button type="submit" loading={busy}>
                  {issuer === ELSEWHERE ? t.check.makeRequest : t.check.make}
                </Button>
                <Button variant="default" onClick={() => setStep(1)}>
                  {t.back}
                </Button>
              </div>
            </form>
          )}
        </Step>
      </Steps>
    </Card>
  )
}

function whoText(issuer: string): string {
  return issuer === ELSEWHERE ? t.who.elsewhere : issuer
}
