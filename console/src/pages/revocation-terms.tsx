// How a revocation is made: the reason of RFC 5280 §5.3.1 in words that say what follows from it, since when the key is suspect (§5.3.2), a time in
// which it can be undone, and why.
import { Select, TextInput } from '@mantine/core'
import { Options } from '../parts/options.tsx'
import { texts } from '../texts/texts.ts'
import { utcOf } from './revocation-question.ts'

const t = texts.revocation

export const REASONS = [
  'keyCompromise',
  'superseded',
  'cessationOfOperation',
  'privilegeWithdrawn',
  'affiliationChanged',
  'unspecified',
  'certificateHold',
] as const
export type Reason = (typeof REASONS)[number]

const UNDO_SECONDS = [0, 3_600, 86_400, 604_800, 2_592_000] as const

export interface Terms {
  readonly reason: Reason
  /** As an `<input type="datetime-local">` has it. */
  readonly suspectSince: string
  readonly undoWithinSeconds: number
  readonly because: string
}

export const FIRST_TERMS: Terms = { reason: 'keyCompromise', suspectSince: '', undoWithinSeconds: 86_400, because: '' }

/** The same as members of the body of a request. */
export function termsBody({ reason, suspectSince, undoWithinSeconds, because }: Terms) {
  const since = utcOf(suspectSince)
  return {
    reason,
    ...(since === undefined ? {} : { suspectSince: since }),
    ...(undoWithinSeconds === 0 || reason === 'certificateHold' ? {} : { undoWithinSeconds }),
    ...(because.trim() === '' ? {} : { because: because.trim() }),
  }
}

interface TermsFormProps {
  readonly terms: Terms
  readonly onChange: (terms: Terms) => void
}

export function TermsForm({ terms, onChange }: TermsFormProps) {
  const set = (change: Partial<Terms>) => onChange({ ...terms, ...change })
  const hold = terms.reason === 'certificateHold'
  return (
    <>
      <fieldset className="tm-fieldset tm-reasons">
        <legend>{t.reason}</legend>
        <Options
          label={t.reason}
          value={terms.reason}
          onChange={reason => set({ reason })}
          options={REASONS.map(value => ({
            value,
            label: (
              <>
                {t.reasons[value].name} <code className="tm-dim">{value}</code>
              </>
            ),
            lead: t.reasons[value].means,
          }))}
        />
      </fieldset>
      <div className="tm-conditions">
        <Select
          label={t.undo.label}
          description={hold ? t.undo.holdHelp : t.undo.help}
          data={UNDO_SECONDS.map(seconds => ({ value: String(seconds), label: t.undo.times[seconds] }))}
          value={hold ? null : String(terms.undoWithinSeconds)}
          onChange={value => set({ undoWithinSeconds: Number(value) })}
          placeholder={t.undo.notNeeded}
          allowDeselect={false}
          disabled={hold}
          inputWrapperOrder={ORDER}
        />
        <TextInput
          type="datetime-local"
          label={t.suspectSince}
          description={t.suspectSinceHelp}
          value={terms.suspectSince}
          onChange={event => set({ suspectSince: event.currentTarget.value })}
          inputWrapperOrder={ORDER}
        />
        <TextInput
          label={texts.acts.because}
          description={texts.acts.becauseHelp}
          value={terms.because}
          maxLength={64}
          onChange={event => set({ because: event.currentTarget.value })}
          inputWrapperOrder={ORDER}
        />
      </div>
    </>
  )
}

/** What explains a field stands below it, so that fields beside each other stand on one line. */
const ORDER: ('label' | 'input' | 'description' | 'error')[] = ['label', 'input', 'description', 'error']
