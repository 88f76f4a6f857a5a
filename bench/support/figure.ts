// One figure as one JSON line, with the limit that it is to be read against.
export interface Figure {
  readonly figure: string
  readonly value: number
  readonly unit: string
  /** What the machine, or the bare library, does in the same run. */
  readonly limit?: { readonly what: string; readonly value: number; readonly unit: string }
  /** Anything that a reader needs to measure the same again. */
  readonly [detail: string]: unknown
}

export function report(figure: Figure): void {
  const { limit } = figure
  const ratio = limit ? { ratio: Number((figure.value / limit.value).toFixed(3)) } : {}
  console.log(JSON.stringify({ ...figure, ...ratio }))
}

/** Words for whoever waits. */
export function say(text: string): void {
  console.error(text)
}
