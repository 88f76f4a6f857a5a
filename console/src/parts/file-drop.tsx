// A place to drop files, and a button that does the same with the keyboard.
import { Button } from '@mantine/core'
import { type ReactNode, useRef, useState } from 'react'
import { Icon } from './icon.tsx'

export interface FileDropProps {
  /** What is to be dropped here, or what was. */
  readonly children: ReactNode
  /** Wording of the button. */
  readonly choose: string
  readonly accept?: string
  readonly multiple?: boolean
  readonly busy?: boolean
  /** Never called with an empty list. */
  readonly onFiles: (files: readonly File[]) => void
}

export function FileDrop({ children, choose, accept, multiple = false, busy = false, onFiles }: FileDropProps) {
  const input = useRef<HTMLInputElement>(null)
  const [over, setOver] = useState(false)
  const take = (files: FileList | null) => {
    const given = [...(files ?? [])].slice(0, multiple ? undefined : 1)
    if (given.length > 0) onFiles(given)
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the button inside does the same with the keyboard
    <div
      className="tm-drop"
      data-over={over}
      onDragOver={event => {
        event.preventDefault()
        setOver(true)
      }}
      onDragLeave={() => setOver(false)}
      onDrop={event => {
        event.preventDefault()
        setOver(false)
        take(event.dataTransfer.files)
      }}
    >
      <Icon name="upload" size={24} />
      <span>{children}</span>
      <Button variant="default" size="xs" loading={busy} onClick={() => input.current?.click()}>
        {choose}
      </Button>
      <input
        ref={input}
        type="file"
        hidden
        aria-label={choose}
        multiple={multiple}
        {...(accept === undefined ? {} : { accept })}
        onChange={event => {
          take(event.currentTarget.files)
          // The same file again is a change again.
          event.currentTarget.value = ''
        }}
      />
    </div>
  )
}
