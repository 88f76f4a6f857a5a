// Whether somebody is at the screen. What a page asks by itself while nobody is there says so, and keeps no session alive.

/** Longer than one looks at a chart without touching anything. */
const ATTENDED_MS = 5 * 60_000

let touchedAt = Date.now()

/** From now on notices who moves, types or scrolls. */
export function watchAttendance(): void {
  const touched = () => {
    touchedAt = Date.now()
  }
  for (const event of ['pointermove', 'pointerdown', 'keydown', 'wheel', 'touchstart'])
    addEventListener(event, touched, { capture: true, passive: true })
}

export const isAttended = (): boolean => Date.now() - touchedAt < ATTENDED_MS
