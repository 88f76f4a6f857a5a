// The authorities as a tree: who certifies whom, how long each has still to live, and whether its revocation lists are fresh.
import { useElementSize } from '@mantine/hooks'
import { type HierarchyPointNode, hierarchy, tree } from 'd3-hierarchy'
import type { Authority } from '../api/schema.ts'
import { dayText, relativeText } from '../parts/moment.tsx'
import { navigate } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'

const t = texts.authorities
const NODE_HEIGHT = 104
const GAP_X = 56
const GAP_Y = 22

interface Node {
  readonly authority: Authority | null
  readonly children: Node[]
}

function treeOf(authorities: readonly Authority[]): Node {
  const nodes = new Map(authorities.map(authority => [authority.id, { authority, children: [] as Node[] }]))
  const roots: Node[] = []
  for (const node of nodes.values()) {
    const above =
      node.authority.issuer === null || node.authority.issuer === node.authority.id
        ? undefined
        : nodes.get(node.authority.issuer)
    if (above) above.children.push(node)
    else roots.push(node)
  }
  return { authority: null, children: roots }
}

export interface HierarchyPictureProps {
  readonly authorities: readonly Authority[]
  /** Milliseconds since 1970. */
  readonly now: number
}

export function HierarchyPicture({ authorities, now }: HierarchyPictureProps) {
  const { ref, width: room } = useElementSize()
  const root = hierarchy(treeOf(authorities))
  const levels = root.height
  const nodeWidth = Math.max(220, Math.min(470, (Math.max(room, 640) - GAP_X * (levels - 1)) / Math.max(levels, 1) - 2))
  // Drawn from left to right: the tree's depth is our x.
  const placed = tree<Node>().nodeSize([NODE_HEIGHT + GAP_Y, nodeWidth + GAP_X])(root)
  const shown = placed.descendants().filter(({ data }) => data.authority !== null)
  const top = Math.min(...shown.map(({ x }) => x))
  const height = Math.max(...shown.map(({ x }) => x)) - top + NODE_HEIGHT + 4
  const width = levels * nodeWidth + (levels - 1) * GAP_X + 4
  const at = (node: HierarchyPointNode<Node>) => ({
    x: (node.depth - 1) * (nodeWidth + GAP_X) + 2,
    y: node.x - top + 2,
  })
  return (
    <div className="tm-picture-scroll" ref={ref}>
      <svg className="tm-picture" width={width} height={height} role="group" aria-label={t.picture(authorities.length)}>
        {placed
          .links()
          .filter(({ source }) => source.data.authority !== null)
          .map(({ source, target }) => {
            const from = at(source)
            const to = at(target)
            const y1 = from.y + NODE_HEIGHT / 2
            const y2 = to.y + NODE_HEIGHT / 2
            const middle = from.x + nodeWidth + GAP_X / 2
            return (
              <path
                key={target.data.authority!.id}
                d={`M${from.x + nodeWidth} ${y1} C${middle} ${y1} ${middle} ${y2} ${to.x} ${y2}`}
                fill="none"
                stroke="var(--tm-border-strong)"
                strokeWidth={1.5}
              />
            )
          })}
        {shown.map(node => {
          const { x, y } = at(node)
          return (
            <Box
              key={node.data.authority!.id}
              authority={node.data.authority!}
              x={x}
              y={y}
              width={nodeWidth}
              now={now}
            />
          )
        })}
      </svg>
    </div>
  )
}

interface BoxProps {
  readonly authority: Authority
  readonly x: number
  readonly y: number
  readonly width: number
  readonly now: number
}

function Box({ authority, x, y, width, now }: BoxProps) {
  const { id, kind, state, keyAlgorithm, notBefore, notAfter, crl } = authority
  const begin = notBefore ? Date.parse(notBefore) : 0
  const end = notAfter ? Date.parse(notAfter) : 0
  const share = end > begin ? Math.min(1, Math.max(0, (now - begin) / (end - begin))) : 0
  const tone =
    state === 'retired'
      ? 'idle'
      : state !== 'active'
        ? 'warn'
        : end <= now || crl?.fresh === false
          ? 'bad'
          : share > 0.9
            ? 'warn'
            : 'ok'
  const endless = notAfter?.startsWith('9999') ?? false
  const bar = width - 28
  const to = `/authorities/${encodeURIComponent(id)}`
  return (
    <a
      href={to}
      onClick={event => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return
        event.preventDefault()
        navigate(to)
      }}
      className="tm-node"
    >
      <rect x={x} y={y} width={width} height={NODE_HEIGHT} rx={9} fill="var(--tm-surface)" stroke="var(--tm-border)" />
      <rect x={x} y={y} width={4} height={NODE_HEIGHT} rx={2} fill={`var(--tm-${tone})`} />
      <text x={x + 16} y={y + 24} fontWeight={650} style={{ fontSize: 14 }}>
        {id}
      </text>
      <text x={x + width - 14} y={y + 24} textAnchor="end" className="tm-picture-dim">
        {texts.authorityKinds[kind]}
      </text>
      <text x={x + 16} y={y + 44} className="tm-picture-dim">
        {[
          keyAlgorithm,
          crl ? t.crl(crl.number, crl.fresh) : null,
          state === 'active' ? null : texts.authorityStates[state],
        ]
          .filter(Boolean)
          .join(' · ')}
      </text>
      {notAfter && (
        <>
          <rect x={x + 14} y={y + 58} width={bar} height={7} rx={3.5} fill="var(--tm-idle-soft)" />
          <rect
            x={x + 14}
            y={y + 58}
            width={endless ? bar : Math.max(3, bar * share)}
            height={7}
            rx={3.5}
            fill={`var(--tm-${tone})`}
            opacity={endless ? 0.35 : 1}
          />
          <text x={x + 14} y={y + 86} className="tm-picture-dim">
            {endless ? t.endless : `${t.ends} ${relativeText(end, now)}`}
          </text>
          {!endless && (
            <text x={x + width - 14} y={y + 86} textAnchor="end" className="tm-picture-dim">
              {dayText(end)}
            </text>
          )}
        </>
      )}
    </a>
  )
}
