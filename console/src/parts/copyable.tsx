// Text to take along: an identifier, or commands for a terminal.
import { ActionIcon, Tooltip } from '@mantine/core'
import { useState } from 'react'
import { texts } from '../texts/texts.ts'
import { Icon } from './icon.tsx'

function useCopy(text: string): [boolean, () => void] {
  const [done, setDone] = useState(false)
  const copy = () => {
    void navigator.clipboard.writeText(text).then(() => {
      setDone(true)
      setTimeout(() => setDone(false), 1500)
    })
  }
  return [done, copy]
}

export function CopyButton({ text, label }: { readonly text: string; readonly label: string }) {
  const [done, copy] = useCopy(text)
  return (
    <Tooltip label={done ? texts.copy.done : texts.copy.offer(label)} withArrow>
      <ActionIcon variant="subtle" color="gray" size="sm" onClick={copy} aria-label={texts.copy.offer(label)}>
        <Icon name={done ? 'check' : 'copy'} size={14} />
      </ActionIcon>
    </Tooltip>
  )
}

/** An identifier in a fixed-width face; a long one is shortened in the middle, and copied whole. */
export function Identifier({
  text,
  label,
  keep,
}: {
  readonly text: string
  readonly label: string
  readonly keep?: number
}) {
  const short = keep && text.length > keep * 2 + 1 ? `${text.slice(0, keep)}…${text.slice(-keep)}` : text
  return (
    <span className="tm-identifier">
      <code title={text}>{short}</code>
      <CopyButton text={text} label={label} />
    </span>
  )
}

export interface CommandsProps {
  readonly text: string
  readonly label: string
  /** Long lines go on below instead of out of sight. */
  readonly wrap?: boolean
}

export function Commands({ text, label, wrap }: CommandsProps) {
  return (
    <div className={wrap ? 'tm-commands tm-wrap' : 'tm-commands'}>
      <CopyButton text={text} label={label} />
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard */}
      <pre tabIndex={0} role="region" aria-label={label}>
        {text}
      </pre>
    </div>
  )
}
