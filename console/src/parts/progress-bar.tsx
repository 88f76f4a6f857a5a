// How far something long is, as a bar and in numbers.
import { texts } from '../texts/texts.ts'

export interface ProgressBarProps {
  readonly done: number
  readonly of: number
  readonly label: string
}

export function ProgressBar({ done, of, label }: ProgressBarProps) {
  const share = of === 0 ? 1 : done / of
  return (
    <div className="tm-progress">
      <div
        className="tm-bar"
        role="progressbar"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={of}
        aria-valuenow={done}
      >
        <span className="tm-fill-info" style={{ width: `${100 * share}%` }} />
      </div>
      <span className="tm-dim tm-small tm-num">{texts.progress(done, of)}</span>
    </div>
  )
}
