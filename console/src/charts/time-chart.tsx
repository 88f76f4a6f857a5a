// Numbers over time, drawn by uPlot on a canvas in the colours of the theme. What the picture shows is said in words beside it: a canvas
// says nothing to those who do not see it.
import { useComputedColorScheme, useMantineColorScheme } from '@mantine/core'
import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { texts } from '../texts/texts.ts'

export interface Series {
  readonly label: string
  /** Custom property of theme.css. */
  readonly color: `--tm-${string}`
  readonly kind: 'bars' | 'line' | 'area'
  readonly values: readonly number[]
}

export interface TimeChartProps {
  /** Whole seconds since 1970, rising. */
  readonly times: readonly number[]
  readonly series: readonly Series[]
  readonly height?: number
  /** What one sees, in a sentence. */
  readonly description: string
  /** A line at this moment. */
  readonly now?: number
}

function colorOf(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim()
}

export function TimeChart({ times, series, height = 220, description, now }: TimeChartProps) {
  const place = useRef<HTMLDivElement>(null)
  const scheme = useComputedColorScheme('light')
  const { colorScheme } = useMantineColorScheme()

  // biome-ignore lint/correctness/useExhaustiveDependencies: the colours are read from the document, and change with the scheme
  useEffect(() => {
    const node = place.current
    if (!node) return
    const axis = {
      stroke: colorOf('--tm-dim'),
      grid: { stroke: colorOf('--tm-border'), width: 1 },
      ticks: { show: false },
      font: `11px ${colorOf('--tm-font')}`,
    }
    const plot = new uPlot(
      {
        width: node.clientWidth,
        height,
        padding: [10, 4, 0, 0],
        cursor: { points: { size: 6 }, drag: { x: false, y: false } },
        legend: { show: true, live: true },
        scales: { y: { range: (_, __, most) => [0, Math.max(4, most * 1.08)] } },
        axes: [
          { ...axis, grid: { show: false }, size: 30 },
          { ...axis, size: 46, incrs: COUNTS, values: (_, splits) => splits.map(split => texts.number(split)) },
        ],
        series: [
          { label: texts.charts.time },
          ...series.map(({ label, color, kind }) => ({
            label,
            stroke: colorOf(color),
            width: kind === 'bars' ? 0 : 2,
            points: { show: false },
            ...(kind === 'line' ? {} : { fill: kind === 'bars' ? colorOf(color) : `${colorOf(color)}26` }),
            ...(kind === 'bars' ? { paths: uPlot.paths.bars!({ size: [0.8, 24, 2] }) } : {}),
          })),
        ],
        hooks: {
          draw: [
            chart => {
              if (now === undefined) return
              const x = Math.round(chart.valToPos(now, 'x', true))
              chart.ctx.save()
              chart.ctx.strokeStyle = colorOf('--tm-link')
              chart.ctx.setLineDash([4, 4])
              chart.ctx.beginPath()
              chart.ctx.moveTo(x, chart.bbox.top)
              chart.ctx.lineTo(x, chart.bbox.top + chart.bbox.height)
              chart.ctx.stroke()
              chart.ctx.restore()
            },
          ],
        },
      },
      [[...times], ...series.map(({ values }) => [...values])] as uPlot.AlignedData,
      node,
    )
    const observer = new ResizeObserver(() => plot.setSize({ width: node.clientWidth, height }))
    observer.observe(node)
    return () => {
      observer.disconnect()
      plot.destroy()
    }
  }, [times, series, height, now, scheme, colorScheme])

  return (
    <figure className="tm-chart">
      <div ref={place} aria-hidden="true" />
      <figcaption className="tm-hidden">{description}</figcaption>
    </figure>
  )
}

/** Steps of an axis that counts things: never a part of one. */
const COUNTS = [1, 2, 5]
  .flatMap(step => Array.from({ length: 9 }, (_, power) => step * 10 ** power))
  .sort((a, b) => a - b)
