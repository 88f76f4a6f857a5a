// The picture of a simulated fleet: renewals a day as bars, their mean, the limit, and failed attempts below. An SVG file that any browser
// opens, light or dark, and that says in words what it shows.

export interface PlotOptions {
  readonly title: string
  /** One element a day. */
  readonly renewals: ArrayLike<number>
  readonly failures: ArrayLike<number>
  /** Multiple of the mean that is drawn as the limit. */
  readonly limitOverMean: number
}

const WIDTH = 1200
const HEIGHT = 520
const LEFT = 84
const RIGHT = 24
const TOP = 64
const BOTTOM = 56
const FAILURE_HEIGHT = 72
const GAP = 28
const PLOT_WIDTH = WIDTH - LEFT - RIGHT
const PLOT_HEIGHT = HEIGHT - TOP - BOTTOM - FAILURE_HEIGHT - GAP
const YEAR = 365

/** The plot as SVG text. */
export function plotFleet({ title, renewals, failures, limitOverMean }: PlotOptions): string {
  const days = renewals.length
  const total = sum(renewals)
  const mean = days === 0 ? 0 : total / days
  const limit = mean * limitOverMean
  const top = niceCeiling(Math.max(max(renewals), limit))
  const x = (day: number) => LEFT + (day * PLOT_WIDTH) / Math.max(days, 1)
  const y = (value: number) => TOP + PLOT_HEIGHT - (value * PLOT_HEIGHT) / top
  const failureTop = niceCeiling(Math.max(max(failures), 1))
  const failureBase = TOP + PLOT_HEIGHT + GAP + FAILURE_HEIGHT
  const failureY = (value: number) => failureBase - (value * FAILURE_HEIGHT) / failureTop
  const line = (value: number, className: string, label: string) =>
    value === 0
      ? ''
      : `<line class="${className}" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at(y(value))}" y2="${at(y(value))}"/>` +
        `<text x="${LEFT + 8}" y="${at(y(value) - 6)}">${label}</text>`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="title desc" font-family="system-ui, sans-serif">
<title id="title">${escaped(title)}</title>
<desc id="desc">${number(total)} renewals in ${days} days: ${number(Math.round(mean))} a day on average, ${number(max(renewals))} on the busiest day.</desc>
<style>
  svg { background: #fff; color: #1f2933 }
  text { fill: currentColor; font-size: 13px }
  .title { font-size: 18px; font-weight: 600 }
  .grid { stroke: #d5dbe1; stroke-width: 1 }
  .bars { fill: #3b7dd8 }
  .failures { fill: #d1495b }
  line.mean { stroke: #1f2933; stroke-dasharray: 6 4 }
  line.limit { stroke: #d1495b; stroke-dasharray: 2 3; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    svg { background: #14181d; color: #e4e7eb }
    .grid { stroke: #333b45 }
    .bars { fill: #6ca6f0 }
    .failures { fill: #ef7f8d }
    line.mean { stroke: #e4e7eb }
    line.limit { stroke: #ef7f8d }
  }
</style>
<text class="title" x="${LEFT}" y="32">${escaped(title)}</text>
${ticks(top)
  .map(
    value =>
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at(y(value))}" y2="${at(y(value))}"/>` +
      `<text x="${LEFT - 10}" y="${at(y(value) + 4)}" text-anchor="end">${number(value)}</text>`,
  )
  .join('\n')}
<path class="bars" d="${bars(renewals, x, y)}"/>
${line(limit, 'limit', `${limitOverMean} × the mean`)}
${line(mean, 'mean', `mean ${number(Math.round(mean))}`)}
<text x="${LEFT}" y="${TOP - 12}">renewals a day</text>
<path class="failures" d="${bars(failures, x, failureY)}"/>
<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${failureBase}" y2="${failureBase}"/>
<text x="${LEFT}" y="${failureBase - FAILURE_HEIGHT - 8}">failed attempts a day, at most ${number(max(failures))}</text>
${yearMarks(days)
  .map(
    ({ day, label }) =>
      `<line class="grid" x1="${at(x(day))}" x2="${at(x(day))}" y1="${TOP}" y2="${failureBase}"/>` +
      `<text x="${at(x(day))}" y="${failureBase + 22}" text-anchor="${anchor(day, days)}">${label}</text>`,
  )
  .join('\n')}
</svg>
`
}

/** All bars as one path: years of days stay one small element. */
function bars(values: ArrayLike<number>, x: (day: number) => number, y: (value: number) => number): string {
  let path = ''
  for (let day = 0; day < values.length; day++) {
    const value = values[day]!
    if (value > 0) path += `M${at(x(day))} ${at(y(0))}V${at(y(value))}H${at(x(day + 1))}V${at(y(0))}Z`
  }
  return path
}

function yearMarks(days: number): { readonly day: number; readonly label: string }[] {
  if (days <= YEAR / 4) {
    return [0, Math.floor(days / 2), days].map(day => ({ day, label: `day ${day}` }))
  }
  const step = days > 8 * YEAR ? YEAR : days > 3 * YEAR ? YEAR / 2 : YEAR / 4
  const marks = []
  for (let day = 0; day <= days; day += step) {
    const years = day / YEAR
    marks.push({ day, label: years === 0 ? 'birth' : `${Number(years.toFixed(2))} ${years === 1 ? 'year' : 'years'}` })
  }
  return marks
}

function anchor(day: number, days: number): 'start' | 'middle' | 'end' {
  if (day === 0) return 'start'
  return day > days - YEAR / 16 ? 'end' : 'middle'
}

/** The next round number. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)))
  return [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map(step => step * power).find(step => step >= value)!
}

function ticks(top: number): number[] {
  return [0, 1, 2, 3, 4, 5].map(i => (top * i) / 5).filter(Number.isInteger)
}

const max = (values: ArrayLike<number>) =>
  Array.prototype.reduce.call(values, (a, b) => Math.max(a as number, b as number), 0) as number
const sum = (values: ArrayLike<number>) =>
  Array.prototype.reduce.call(values, (a, b) => (a as number) + (b as number), 0) as number
const at = (value: number) => String(Math.round(value * 10) / 10)
const number = (value: number) => value.toLocaleString('en')
const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
