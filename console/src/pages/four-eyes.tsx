// Which acts take a second person, how many of them, and how long a request waits.
import { Button, Checkbox, NumberInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { call, callVersioned } from '../api/client.ts'
import type { AccessSettings } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { Card } from '../parts/card.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Options } from '../parts/options.tsx'
import { ProblemPanel } from '../parts/problem-panel.tsx'
import { useSubmit } from '../parts/use-submit.ts'
import { texts } from '../texts/texts.ts'

const t = texts.operators.fourEyes
const HOUR = 3600
const ACTS = Object.keys(t.names) as AccessSettings['fourEyes']['acts'][number][]

export const accessSettingsQuery = {
  queryKey: ['access-settings'],
  queryFn: () => callVersioned('showAccessSettings'),
  retry: false,
}

export function FourEyes() {
  const query = useQuery(accessSettingsQuery)
  return (
    <Card title={t.title} lead={t.lead} className="tm-narrow">
      <Loaded query={query}>{({ value, version }) => <Form key={version} settings={value} version={version} />}</Loaded>
    </Card>
  )
}

function Form({ settings, version }: { readonly settings: AccessSettings; readonly version: number }) {
  const { permissions } = useSession()
  const may = permissions.has('role.write')
  const [acts, setActs] = useState(settings.fourEyes.acts)
  const [quorum, setQuorum] = useState(settings.fourEyes.quorum)
  const [when, setWhen] = useState(settings.fourEyes.when)
  const [hours, setHours] = useState(settings.fourEyes.expirySeconds / HOUR)
  const [many, setMany] = useState(settings.fourEyes.revokeManyAbove)
  const { busy, thrown, submit } = useSubmit(async () => {
    const fourEyes = { acts, quorum, when, expirySeconds: Math.round(hours * HOUR), revokeManyAbove: many }
    const { outcome } = await call('setAccessSettings', { version, body: { ...settings, fourEyes } })
    return texts.guarded[outcome]
  })
  return (
    <form className="tm-form" onSubmit={submit}>
      <fieldset className="tm-fieldset" disabled={!may}>
        <legend>{t.acts}</legend>
        <div className="tm-checks">
          {ACTS.map(act => (
            <Checkbox
              key={act}
              size="sm"
              label={t.names[act]}
              checked={acts.includes(act)}
              disabled={!may}
              onChange={event =>
                setActs(event.currentTarget.checked ? [...acts, act] : acts.filter(each => each !== act))
              }
            />
          ))}
        </div>
      </fieldset>
      <div className="tm-form-row">
        <NumberInput
          label={t.quorum}
          min={1}
          max={10}
          allowDecimal={false}
          readOnly={!may}
          value={quorum}
          onChange={value => setQuorum(Number(value) || 1)}
        />
        <NumberInput
          label={t.expiry}
          suffix={t.hoursSuffix}
          min={1}
          max={720}
          readOnly={!may}
          value={hours}
          onChange={value => setHours(Number(value) || 1)}
        />
        <NumberInput
          label={t.many}
          suffix={t.devicesSuffix}
          min={1}
          max={1_000_000}
          allowDecimal={false}
          thousandSeparator=","
          readOnly={!may}
          value={many}
          onChange={value => setMany(Number(value) || 1)}
        />
      </div>
      <Options
        label={t.when}
        value={when}
        onChange={setWhen}
        options={(['possible', 'always'] as const).map(value => ({
          value,
          label: t.whens[value],
          lead: t.whenLeads[value],
          disabled: !may,
        }))}
      />
      {thrown !== undefined && <ProblemPanel thrown={thrown} />}
      {may && (
        <div>
          <Button type="submit" loading={busy}>
            {texts.editor.save}
          </Button>
        </div>
      )}
    </form>
  )
}
