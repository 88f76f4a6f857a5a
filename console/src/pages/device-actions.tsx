// The acts on a device page: a menu of what its state allows, and a confirmation that says what will happen to this very device.
import { Button, Checkbox, Menu, Select, Textarea, TextInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../api/client.ts'
import type { DeviceDetail } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { Confirm } from '../parts/confirm.tsx'
import { Icon, type IconName } from '../parts/icon.tsx'
import { texts } from '../texts/texts.ts'
import { type Act, actsFor, effectsOf, FINAL } from './device-acts.ts'

const t = texts.acts

const ICONS: Readonly<Record<Act, IconName>> = {
  ship: 'chevron',
  suspend: 'pause',
  resume: 'play',
  renew: 'campaigns',
  revoke: 'revocation',
  retire: 'close',
  destroy: 'trash',
}

const REASONS = [
  'keyCompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'privilegeWithdrawn',
  'unspecified',
] as const

export function DeviceActions({ detail }: { readonly detail: DeviceDetail }) {
  const { permissions } = useSession()
  const queries = useQueryClient()
  const [act, setAct] = useState<Act>()
  const [because, setBecause] = useState('')
  const [reason, setReason] = useState<(typeof REASONS)[number]>('keyCompromise')
  const [erase, setErase] = useState(false)
  const [newKey, setNewKey] = useState(true)
  const [witness, setWitness] = useState('')
  const acts = actsFor(detail.device.state, permissions)
  if (acts.length === 0) return null

  const id = detail.device.id
  const perform = async (chosen: Act) => {
    const why = because.trim() === '' ? {} : { because: because.trim() }
    const params = { id }
    switch (chosen) {
      case 'ship':
        return call('shipDevice', { params, body: why })
      case 'suspend':
        return call('suspendDevice', { params, body: why })
      case 'resume':
        return call('resumeDevice', { params, body: why })
      case 'retire':
        return call('retireDevice', { params, body: why })
      case 'destroy':
        return call('destroyDevice', {
          params,
          body: { ...why, erase, ...(witness.trim() ? { witness: witness.trim() } : {}) },
        })
      case 'revoke':
        return call('revokeDevice', { params, body: { reason } })
      case 'renew':
        return call('orderRenewal', { params, body: { newKey, profile: detail.credentials[0]?.profile ?? 'ldevid' } })
      default:
        return chosen satisfies never
    }
  }
  const open = (chosen: Act) => {
    setBecause('')
    setErase(false)
    setWitness('')
    setAct(chosen)
  }
  const [first] = acts.filter(each => !FINAL.has(each))

  return (
    <>
      {first && (
        <Button variant="default" leftSection={<Icon name={ICONS[first]} size={16} />} onClick={() => open(first)}>
          {t.names[first]}
        </Button>
      )}
      <Menu position="bottom-end" withArrow>
        <Menu.Target>
          <Button variant="default" rightSection={<Icon name="down" size={14} />}>
            {t.menu}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {acts.map(each => (
            <Menu.Item
              key={each}
              leftSection={<Icon name={ICONS[each]} size={16} />}
              {...(FINAL.has(each) ? { color: 'red' } : {})}
              onClick={() => open(each)}
            >
              {t.names[each]}…
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      {act && (
        <Confirm
          opened
          title={t.title(t.names[act], detail.device.serialNumber)}
          effects={effectsOf(act, detail)}
          act={t.names[act]}
          tone={FINAL.has(act) ? 'destructive' : 'normal'}
          {...(FINAL.has(act) ? { word: detail.device.serialNumber } : {})}
          done={t.done(t.names[act], detail.device.serialNumber)}
          onClose={() => setAct(undefined)}
          run={async () => {
            const result = await perform(act)
            await queries.invalidateQueries()
            return result
          }}
        >
          <div className="tm-form tm-confirm-form">
            {act === 'revoke' ? (
              <Select
                label={t.reason}
                data={REASONS.map(value => ({ value, label: t.reasons[value] }))}
                value={reason}
                onChange={value => value && setReason(value as typeof reason)}
                allowDeselect={false}
              />
            ) : act === 'renew' ? (
              <Checkbox label={t.newKey} checked={newKey} onChange={event => setNewKey(event.currentTarget.checked)} />
            ) : (
              <TextInput
                label={t.because}
                description={t.becauseHelp}
                value={because}
                maxLength={64}
                onChange={event => setBecause(event.currentTarget.value)}
              />
            )}
            {act === 'destroy' && (
              <Textarea
                label={t.witness}
                description={t.witnessHelp}
                rows={3}
                maxLength={4000}
                value={witness}
                onChange={event => setWitness(event.currentTarget.value)}
              />
            )}
            {act === 'destroy' && (
              <Checkbox label={t.erase} checked={erase} onChange={event => setErase(event.currentTarget.checked)} />
            )}
          </div>
        </Confirm>
      )}
    </>
  )
}
