// What can be done with an authority: its next generation, and its end in three steps that cannot be undone, each confirmed by its name.
import { Button, Menu, Select, TextInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../api/client.ts'
import type { Authority } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { Confirm } from '../parts/confirm.tsx'
import { Icon } from '../parts/icon.tsx'
import { navigate } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'
import { RetireAuthority } from './retire-authority.tsx'

const t = texts.authority

const REASONS = ['cACompromise', 'keyCompromise', 'superseded', 'cessationOfOperation', 'unspecified'] as const
type Act = 'retire' | 'revoke' | 'destroyKey'

export function AuthorityActions({ authority }: { readonly authority: Authority }) {
  const { permissions } = useSession()
  const queries = useQueryClient()
  const [act, setAct] = useState<Act>()
  const { id, kind, state, keyIsHere } = authority
  const mayWrite = permissions.has('authority.write')
  const acts: readonly Act[] = [
    ...(mayWrite && state === 'active' ? (['retire'] as const) : []),
    ...(mayWrite && state !== 'awaiting_certificate' && kind !== 'root' ? (['revoke'] as const) : []),
    ...(permissions.has('key.destroy') && state === 'retired' && keyIsHere ? (['destroyKey'] as const) : []),
  ]
  const close = () => setAct(undefined)
  const refresh = () => void queries.invalidateQueries()
  return (
    <>
      {acts.length > 0 && (
        <Menu position="bottom-end" withArrow>
          <Menu.Target>
            <Button variant="default" rightSection={<Icon name="down" size={14} />}>
              {texts.acts.menu}
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            {acts.map(each => (
              <Menu.Item key={each} color="red" onClick={() => setAct(each)}>
                {t[each]}…
              </Menu.Item>
            ))}
          </Menu.Dropdown>
        </Menu>
      )}
      {mayWrite && kind !== 'root' && state !== 'awaiting_certificate' && (
        <Button onClick={() => navigate(`/authorities/${id}/rollover`)}>{t.rollover}</Button>
      )}
      {act === 'retire' && <RetireAuthority id={id} onClose={close} onDone={refresh} />}
      {act === 'revoke' && <RevokeAuthority id={id} onClose={close} onDone={refresh} />}
      {act === 'destroyKey' && (
        <Confirm
          opened
          title={t.destroyKeyTitle(id)}
          effects={t.destroyKeyEffects}
          act={t.destroyKey}
          tone="destructive"
          word={id}
          done={result => texts.guarded[(result as { outcome: 'done' | 'waiting' }).outcome]}
          onClose={close}
          run={async () => {
            const result = await call('destroyAuthorityKey', { params: { id } })
            refresh()
            return result
          }}
        />
      )}
    </>
  )
}

interface RevokeAuthorityProps {
  readonly id: string
  readonly onClose: () => void
  readonly onDone: () => void
}

function RevokeAuthority({ id, onClose, onDone }: RevokeAuthorityProps) {
  const [reason, setReason] = useState<(typeof REASONS)[number]>('cACompromise')
  const [because, setBecause] = useState('')
  return (
    <Confirm
      opened
      title={t.revokeTitle(id)}
      effects={t.revokeEffects}
      act={t.revoke}
      tone="destructive"
      word={id}
      done={result => texts.guarded[(result as { outcome: 'done' | 'waiting' }).outcome]}
      onClose={onClose}
      run={async () => {
        const why = because.trim() === '' ? {} : { because: because.trim() }
        const result = await call('revokeAuthority', { params: { id }, body: { reason, ...why } })
        onDone()
        return result
      }}
    >
      <div className="tm-form tm-confirm-form">
        <Select
          label={texts.acts.reason}
          data={REASONS.map(value => ({ value, label: t.reasons[value] }))}
          value={reason}
          onChange={value => value && setReason(value as typeof reason)}
          allowDeselect={false}
        />
        <TextInput
          label={texts.acts.because}
          description={texts.acts.becauseHelp}
          maxLength={64}
          value={because}
          onChange={event => setBecause(event.currentTarget.value)}
        />
      </div>
    </Confirm>
  )
}
