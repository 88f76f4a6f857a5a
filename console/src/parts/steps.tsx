// Steps one after the other, each with what it is and how far it is.
import type { ReactNode } from 'react'
import { texts } from '../texts/texts.ts'
import { Icon } from './icon.tsx'

export type StepState = 'done' | 'now' | 'later'

export interface StepProps {
  readonly state: StepState
  readonly title: string
  readonly lead?: ReactNode
  readonly children?: ReactNode
}

export function Steps({ label, children }: { readonly label: string; readonly children: ReactNode }) {
  return (
    <ol className="tm-stepper" aria-label={label}>
      {children}
    </ol>
  )
}

export function Step({ state, title, lead, children }: StepProps) {
  return (
    <li className="tm-step" data-state={state} aria-current={state === 'now' ? 'step' : undefined}>
      <span className="tm-step-mark">{state === 'done' && <Icon name="check" size={14} />}</span>
      <div className="tm-step-body">
        <h3>
          {title} <span className="tm-hidden">{texts.steps[state]}</span>
        </h3>
        {lead && <p className="tm-dim">{lead}</p>}
        {children}
      </div>
    </li>
  )
}
