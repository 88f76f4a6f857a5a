// A progress bar for what takes longer than two seconds, on a terminal that somebody watches. Elsewhere nothing is drawn.
import type { Output } from './output.ts'

export interface ProgressBar {
  update(done: number, total: number): void
  stop(): void
}

const QUIET_MS = 2000
const REDRAW_MS = 100

/** `unit` is what is counted, in the plural. */
export function progressBar(out: Output, unit: string): ProgressBar {
  if (!out.interactive) return { update: () => undefined, stop: () => undefined }
  const started = performance.now()
  let drawn = 0
  let bar: import('cli-progress').SingleBar | undefined
  let stopped = false
  const rate = (done: number) => Math.round((done * 1000) / (performance.now() - started))
  return {
    update(done, total) {
      const now = performance.now()
      if (stopped || now - started < QUIET_MS || now - drawn < REDRAW_MS) return
      drawn = now
      if (bar) {
        bar.setTotal(total)
        bar.update(done, { rate: rate(done) })
        return
      }
      void import('cli-progress').then(({ default: { SingleBar, Presets } }) => {
        if (stopped || bar) return
        const format = ` {bar} {value}/{total} ${unit}  {rate}/s  {eta_formatted} left`
        bar = new SingleBar(
          { format, stream: process.stderr, hideCursor: true, clearOnComplete: true },
          Presets.shades_classic,
        )
        bar.start(total, done, { rate: rate(done) })
      })
    },
    stop() {
      stopped = true
      bar?.stop()
    },
  }
}
