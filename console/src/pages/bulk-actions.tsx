// One act on many devices, chosen one by one or by the question of the list: first what it means and for how many of them, then a job of the
// server, which goes on when the page is left.
import { Button, Checkbox, Modal, Select, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { call } from '../api/client.ts'
import type { ListedDevice } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { JobProgress } from '../parts/job-progress.tsx'
import { ProblemPanel } from '../parts/problem-panel.tsx'
import { Link } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'
import { FROM, PERMISSION } from './device-acts.ts'
import { STATES, type StandingQuery, type State, withStates } from './device-query.ts'

const t = texts.bulk

const BULK = ['suspend', 'resume', 'ship', 'renew', 'retire', 'properties'] as const
type BulkAct = (typeof BULK)[number]

const LIVING: readonly State[] = STATES.filter(state => state !== 'destroyed')
const statesFor = (act: BulkAct): readonly State[] => (act === 'properties' ? LIVING : FROM[act])
const permissionFor = (act: BulkAct): string => (act === 'properties' ? 'device.write' : PERMISSION[act])

/** Rows that were chosen, or everything that the question means. */
export type BulkTarget = { readonly chosen: readonly ListedDevice[] } | { readonly query: StandingQuery }

export interface SelectionProps {
  readonly chosen: readonly ListedDevice[]
  readonly onClear: () => void
  readonly onAct: () => void
}

/** What is chosen, and that something can be done with it. */
export function Selection({ chosen, onClear, onAct }: SelectionProps) {
  return (
    <div className="tm-selection" role="status">
      <strong>{t.chosen(chosen.length)}</strong>
      <Button size="xs" onClick={onAct}>
        {t.act}
      </Button>
      <Button size="xs" variant="default" onClick={onClear}>
        {t.clear}
      </Button>
    </div>
  )
}

export interface BulkActionsProps {
  readonly target: BulkTarget
  readonly onClose: (done: boolean) => void
}

export function BulkActions({ target, onClose }: BulkActionsProps) {
  const { permissions } = useSession()
  const [act, setAct] = useState<BulkAct | null>(null)
  const [newKey, setNewKey] = useState(true)
  const [property, setProperty] = useState({ kind: 'site', name: '', value: '' })
  const [word, setWord] = useState('')
  const [busy, setBusy] = useState(false)
  const [thrown, setThrown] = useState<unknown>()
  const [job, setJob] = useState<string>()
  const reach = useReach(target, act)
  const may = BULK.filter(each => permissions.has(permissionFor(each)))
  const final = act === 'retire'
  const ready =
    act !== null &&
    reach !== undefined &&
    reach.fits > 0 &&
    (!final || word === String(reach.fits)) &&
    (act !== 'properties' || property.value.trim() !== '')

  const start = async (event: FormEvent) => {
    event.preventDefault()
    if (!act || !reach) return
    setBusy(true)
    setThrown(undefined)
    const { kind, name, value } = property
    const changed = kind === 'label' ? `label:${name.trim()}` : kind
    try {
      const started = await call('actOnDevices', {
        body: {
          act,
          ...reach.meant,
          ...(act === 'renew' ? { newKey } : {}),
          ...(act === 'properties' ? { changes: [{ name: changed, value: value.trim() }] } : {}),
          expectedDevices: reach.fits,
        },
      })
      setJob(started.id)
    } catch (caught) {
      setThrown(caught)
    } finally {
      setBusy(false)
    }
  }

  return (
    <Modal opened onClose={() => onClose(job !== undefined)} title={t.title} size="lg" centered>
      {job ? (
        <>
          <JobProgress id={job} />
          <div className="tm-gap-top">
            <p className="tm-dim tm-plain">
              {t.leave} <Link to="/jobs">{texts.sections.jobs}</Link>.
            </p>
          </div>
          <div className="tm-modal-actions">
            <Button onClick={() => onClose(true)}>{t.close}</Button>
          </div>
        </>
      ) : (
        <form className="tm-form" onSubmit={event => void start(event)}>
          <Select
            label={t.what}
            placeholder={t.pick}
            data={may.map(value => ({ value, label: t.names[value] }))}
            value={act}
            onChange={value => setAct(value as BulkAct | null)}
            data-autofocus
          />
          {act === 'properties' && (
            <div className="tm-form-row">
              <Select
                label={texts.device.properties.kind}
                data={(['owner', 'site', 'label'] as const).map(value => ({
                  value,
                  label: texts.device.properties.kinds[value],
                }))}
                value={property.kind}
                onChange={kind => kind && setProperty({ ...property, kind })}
                allowDeselect={false}
              />
              {property.kind === 'label' && (
                <TextInput
                  label={texts.device.properties.name}
                  required
                  withAsterisk={false}
                  pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
                  maxLength={64}
                  value={property.name}
                  onChange={event => setProperty({ ...property, name: event.currentTarget.value })}
                />
              )}
              <TextInput
                label={texts.device.properties.value}
                required
                withAsterisk={false}
                maxLength={256}
                value={property.value}
                onChange={event => setProperty({ ...property, value: event.currentTarget.value })}
              />
            </div>
          )}
          {act === 'renew' && (
            <Checkbox
              label={texts.acts.newKey}
              checked={newKey}
              onChange={event => setNewKey(event.currentTarget.checked)}
            />
          )}
          {act && reach && (
            <ul className="tm-effects">
              <li>{t.touches(reach.fits, t.meanings[act])}</li>
              {reach.left > 0 && <li>{t.leaves(reach.left)}</li>}
              <li>{t.logged}</li>
            </ul>
          )}
          {act && reach && final && reach.fits > 0 && (
            <TextInput
              label={texts.confirm.type(String(reach.fits))}
              value={word}
              onChange={event => setWord(event.currentTarget.value)}
              autoComplete="off"
            />
          )}
          {(thrown !== undefined || reach?.thrown !== undefined) && <ProblemPanel thrown={thrown ?? reach?.thrown} />}
          <div className="tm-modal-actions">
            <Button variant="default" onClick={() => onClose(false)}>
              {texts.confirm.cancel}
            </Button>
            <Button type="submit" color={final ? 'red' : 'blue'} disabled={!ready} loading={busy}>
              {act && reach ? t.run(t.names[act], reach.fits) : t.start}
            </Button>
          </div>
        </form>
      )}
    </Modal>
  )
}

interface Reach {
  /** Devices whose state allows the act, and those that are left alone. */
  readonly fits: number
  readonly left: number
  readonly meant: { readonly ids: readonly string[] } | { readonly devices: StandingQuery }
  readonly thrown?: unknown
}

/** For how many the act is; `undefined` while it is not known. */
function useReach(target: BulkTarget, act: BulkAct | null): Reach | undefined {
  const query = 'query' in target ? target.query : undefined
  const preview = useQuery({
    queryKey: ['bulk-preview', query],
    queryFn: () => call('previewDevices', { body: { devices: query! } }),
    enabled: query !== undefined,
    retry: false,
  })
  if (act === null) return undefined
  const states = statesFor(act)
  if ('chosen' in target) {
    const fitting = target.chosen.filter(({ state }) => states.includes(state))
    return {
      fits: fitting.length,
      left: target.chosen.length - fitting.length,
      meant: { ids: fitting.map(({ id }) => id) },
    }
  }
  const narrowed = withStates(target.query, states)
  if (preview.error) return { fits: 0, left: 0, meant: { ids: [] }, thrown: preview.error }
  if (!preview.data) return undefined
  const { devices, byState } = preview.data
  const fits = narrowed ? states.reduce((sum, state) => sum + (byState[state] ?? 0), 0) : 0
  return { fits, left: devices - fits, meant: narrowed ? { devices: narrowed } : { ids: [] } }
}
