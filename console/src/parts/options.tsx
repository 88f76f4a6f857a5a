// One of several, each with a sentence that says what it means: native radio buttons, so that the keyboard works as everywhere.
import { type ReactNode, useId } from 'react'

export interface Option<Value extends string> {
  readonly value: Value
  readonly label: ReactNode
  readonly lead?: ReactNode
  readonly disabled?: boolean
}

export interface OptionsProps<Value extends string> {
  readonly label: string
  readonly options: readonly Option<Value>[]
  readonly value: Value | undefined
  readonly onChange: (value: Value) => void
}

export function Options<Value extends string>({ label, options, value, onChange }: OptionsProps<Value>) {
  const name = useId()
  return (
    <div className="tm-options" role="radiogroup" aria-label={label}>
      {options.map(option => (
        <label key={option.value} className="tm-option">
          <input
            type="radio"
            name={name}
            checked={option.value === value}
            disabled={option.disabled ?? false}
            onChange={() => onChange(option.value)}
          />
          <span>
            <strong>{option.label}</strong>
            {option.lead && <span className="tm-dim tm-small">{option.lead}</span>}
          </span>
        </label>
      ))}
    </div>
  )
}
