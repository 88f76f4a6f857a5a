// One act on many chosen devices: first what it means for how many of them, then device after device with progress; it can be stopped between
// two, and what failed is listed with its reason.
import { Button, Modal, Select } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useRef, useState } from 'react'
import { call } from '../api/client.ts'
import { asProblem } from '../api/problem.ts'
import type { ListedDevice } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { ProgressBar } from '../parts/progress-bar.tsx'
import { texts } from '../texts/texts.ts'
import { actsFor } from './device-acts.ts'

const t = texts.bulk
const BULK = ['suspend', 'resume', 'ship', 'renew', 'retire'] as const
type BulkAct = (typeof BULK)[number]

interface Failure {
  readonly device: ListedDevice
  readonly message: string
}

export interface BulkActionsProps {
  readonly chosen: readonly ListedDevice[]
  readonly onClear: () => void
}

export function BulkActions({ chosen, onClear }: BulkActionsProps) {
  const { permissions } = useSession()
  const queries = useQueryClient()
  const [act, setAct] = useState<BulkAct | null>(null)
  const [opened, setOpened] = useState(false)
  const [done, setDone] = useState<number>()
  const [failures, setFailures] = useState<readonly Failure[]>([])
  const stop = useRef(false)
  const may = BULK.filter(each => chosen.some(({ state }) => actsFor(state, permissions).includes(each)))
  const fits = act ? chosen.filter(({ state }) => actsFor(state, permissions).includes(act)) : []
  const running = done !== undefined && done < fits.length && !stop.current

  const start = async () => {
    if (!act) return
    stop.current = false
    setFailures([])
    for (const [i, device] of fits.entries()) {
      setDone(i)
      if (stop.current) return
      try {
        await perform(act, device.id)
      } catch (thrown) {
        setFailures(before => [...before, { device, message: asProblem(thrown).message }])
      }
    }
    setDone(fits.length)
    await queries.invalidateQueries()
  }
  const close = () => {
    stop.current = true
    setOpened(false)
    if (done !== undefined) onClear()
    setDone(undefined)
  }

  return (
    <div className="tm-selection" role="status">
      <strong>{t.chosen(chosen.length)}</strong>
      <Button
        size="xs"
        disabled={may.length === 0}
        onClick={() => {
          setAct(null)
          setOpened(true)
        }}
      >
        {t.act}
      </Button>
      <Button size="xs" variant="default" onClick={onClear}>
        {t.clear}
      </Button>
      <Modal opened={opened} onClose={close} title={t.title(chosen.length)} size="lg" centered>
        <Select
          label={t.what}
          placeholder={t.pick}
          data={may.map(value => ({ value, label: texts.acts.names[value] }))}
          value={act}
          onChange={value => setAct(value as BulkAct | null)}
          disabled={done !== undefined}
        />
        {act && (
          <>
            <ul className="tm-effects tm-gap-top">
              <li>{t.touches(fits.length, t.meanings[act])}</li>
              {chosen.length > fits.length && <li>{t.leaves(chosen.length - fits.length)}</li>}
              <li>{t.logged}</li>
            </ul>
            {done !== undefined && <ProgressBar done={done} of={fits.length} label={texts.acts.names[act]} />}
            {failures.length > 0 && (
              <ul className="tm-effects">
                {failures.map(({ device, message }) => (
                  <li key={device.id}>
                    <code>{device.serialNumber}</code>: {message}
                  </li>
                ))}
              </ul>
            )}
          </>
        )}
        <div className="tm-modal-actions">
          <Button variant="default" onClick={close}>
            {running ? t.stop : done === undefined ? texts.confirm.cancel : t.close}
          </Button>
          {done === undefined && (
            <Button
              color={act === 'retire' ? 'red' : 'blue'}
              disabled={!act || fits.length === 0}
              onClick={() => void start()}
            >
              {act ? t.run(texts.acts.names[act], fits.length) : t.act}
            </Button>
          )}
        </div>
      </Modal>
    </div>
  )
}

function perform(act: BulkAct, id: string): Promise<unknown> {
  const params = { id }
  switch (act) {
    case 'ship':
      return call('shipDevice', { params, body: {} })
    case 'suspend':
      return call('suspendDevice', { params, body: {} })
    case 'resume':
      return call('resumeDevice', { params, body: {} })
    case 'retire':
      return call('retireDevice', { params, body: {} })
    case 'renew':
      return call('orderRenewal', { params, body: {} })
    default:
      return act satisfies never
  }
}
