// The end of an authority, confirmed by its name: what stops, what goes on, and who still depends on it.
import { call } from '../api/client.ts'
import { Confirm } from '../parts/confirm.tsx'
import { texts } from '../texts/texts.ts'

const t = texts.authority

export interface RetireAuthorityProps {
  readonly id: string
  /** How many still hold something of it, where that is known. */
  readonly devices?: number | undefined
  readonly onClose: () => void
  readonly onDone: () => void
}

export function RetireAuthority({ id, devices, onClose, onDone }: RetireAuthorityProps) {
  return (
    <Confirm
      opened
      title={t.retireTitle(id)}
      effects={[...(devices ? [t.retireLeaves(devices)] : []), ...t.retireEffects]}
      act={t.retire}
      tone="destructive"
      word={id}
      done={result => texts.guarded[(result as { outcome: 'done' | 'waiting' }).outcome]}
      onClose={onClose}
      run={async () => {
        const result = await call('retireAuthority', { params: { id } })
        onDone()
        return result
      }}
    />
  )
}
