// A state as a word with a colour and a shape: the colour alone says nothing.
import type { ReactNode } from 'react'
import { Icon, type IconName } from './icon.tsx'

export type Tone = 'ok' | 'warn' | 'bad' | 'info' | 'idle'

const ICONS: Readonly<Record<Tone, IconName>> = {
  ok: 'check',
  warn: 'warning',
  bad: 'error',
  info: 'info',
  idle: 'dot',
}

export interface StateBadgeProps {
  readonly tone: Tone
  readonly icon?: IconName
  readonly children: ReactNode
}

export function StateBadge({ tone, icon, children }: StateBadgeProps) {
  return (
    <span className={`tm-badge tm-badge-${tone}`}>
      <Icon name={icon ?? ICONS[tone]} size={13} />
      {children}
    </span>
  )
}

const DEVICE: Readonly<Record<string, [Tone, IconName]>> = {
  manufactured: ['idle', 'factory'],
  shipped: ['info', 'chevron'],
  active: ['ok', 'check'],
  suspended: ['warn', 'pause'],
  retired: ['idle', 'close'],
  destroyed: ['idle', 'trash'],
}

const CERTIFICATE: Readonly<Record<string, [Tone, IconName]>> = {
  good: ['ok', 'check'],
  valid: ['ok', 'check'],
  active: ['ok', 'check'],
  held: ['warn', 'pause'],
  hold: ['warn', 'pause'],
  superseded: ['idle', 'campaigns'],
  revoked: ['bad', 'revocation'],
  expired: ['idle', 'clock'],
}

function toneOf(table: Readonly<Record<string, [Tone, IconName]>>, state: string): [Tone, IconName] {
  return table[state] ?? ['idle', 'dot']
}

export function DeviceState({ state, label = state }: { readonly state: string; readonly label?: string }) {
  const [tone, icon] = toneOf(DEVICE, state)
  return (
    <StateBadge tone={tone} icon={icon}>
      {label}
    </StateBadge>
  )
}

export function CertificateState({ state, label = state }: { readonly state: string; readonly label?: string }) {
  const [tone, icon] = toneOf(CERTIFICATE, state)
  return (
    <StateBadge tone={tone} icon={icon}>
      {label}
    </StateBadge>
  )
}
