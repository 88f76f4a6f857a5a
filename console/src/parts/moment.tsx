// A moment for people: how far away it is, with the exact time and its zone one look away.
import { useSyncExternalStore } from 'react'
import { texts } from '../texts/texts.ts'

const TICK_MS = 20_000
const STEPS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_557_600],
  ['month', 2_629_800],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
]

let tick = Date.now()

function subscribe(listener: () => void): () => void {
  const timer = setInterval(() => {
    tick = Date.now()
    listener()
  }, TICK_MS)
  return () => clearInterval(timer)
}

/** Milliseconds since 1970, as of the last tick. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => tick)
}

const relative = new Intl.RelativeTimeFormat(texts.language, { numeric: 'auto' })
const absolute = new Intl.DateTimeFormat(texts.language, {
  dateStyle: 'medium',
  timeStyle: 'long',
})
const day = new Intl.DateTimeFormat(texts.language, { dateStyle: 'medium' })

/** Never-ending validity (RFC 5280 §4.1.2.5) is no date to count down to. */
const NO_EXPIRATION = '9999-12-31T23:59:59'

export function relativeText(at: number, now: number): string {
  const seconds = Math.round((at - now) / 1000)
  for (const [unit, length] of STEPS) {
    if (Math.abs(seconds) >= length) return relative.format(Math.trunc(seconds / length), unit)
  }
  return Math.abs(seconds) < 20 ? texts.time.now : relative.format(Math.trunc(seconds), 'second')
}

export function absoluteText(at: number): string {
  return absolute.format(at)
}

export function dayText(at: number): string {
  return day.format(at)
}

export interface MomentProps {
  /** RFC 3339. */
  readonly at: string
  /** `both` writes the day beside it. */
  readonly show?: 'relative' | 'both' | 'absolute'
}

export function Moment({ at, show = 'relative' }: MomentProps) {
  const now = useNow()
  if (at.startsWith(NO_EXPIRATION)) return <span>{texts.time.never}</span>
  const milliseconds = Date.parse(at)
  const whole = absoluteText(milliseconds)
  const near = relativeText(milliseconds, now)
  return (
    <time dateTime={at} title={show === 'absolute' ? near : whole} className="tm-moment">
      {show === 'absolute' ? whole : near}
      {show === 'both' && <span className="tm-dim"> · {dayText(milliseconds)}</span>}
    </time>
  )
}
