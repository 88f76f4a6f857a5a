// One field that goes anywhere: sections, acts, and devices by serial number. Arrow keys choose, Enter goes.
import { Modal } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { type KeyboardEvent, useEffect, useId, useMemo, useState } from 'react'
import type { Section } from '../pages.ts'
import { Icon, type IconName } from '../parts/icon.tsx'
import { texts } from '../texts/texts.ts'
import { navigate } from './address.tsx'

export interface PaletteOption {
  readonly id: string
  readonly group: string
  readonly icon: IconName
  readonly label: string
  readonly note?: string
  run(): void
}

export interface CommandPaletteProps {
  readonly opened: boolean
  readonly sections: readonly Section[]
  readonly acts: readonly PaletteOption[]
  /** Devices whose serial number begins so; aborted when the text changes. */
  readonly find: (text: string, signal: AbortSignal) => Promise<readonly PaletteOption[]>
  readonly onClose: () => void
}

export function CommandPalette({ opened, sections, acts, find, onClose }: CommandPaletteProps) {
  return (
    <Modal.Root opened={opened} onClose={onClose} size={620} yOffset="12vh">
      <Modal.Overlay />
      <Modal.Content aria-label={texts.palette.title}>
        <Modal.Body p={0}>
          <Palette sections={sections} acts={acts} find={find} onClose={onClose} />
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  )
}

function Palette({ sections, acts, find, onClose }: Omit<CommandPaletteProps, 'opened'>) {
  const [text, setText] = useState('')
  const [chosen, setChosen] = useState(0)
  const [found, setFound] = useState<readonly PaletteOption[]>([])
  const [settled] = useDebouncedValue(text.trim(), 120)
  const id = useId()

  useEffect(() => {
    setFound([])
    if (settled.length < 2) return
    const abort = new AbortController()
    // What cannot be searched is not offered; the page of devices says why.
    find(settled, abort.signal).then(setFound, () => undefined)
    return () => abort.abort()
  }, [settled, find])

  const options = useMemo(() => {
    const wanted = text.trim().toLowerCase()
    const pages = sections.map(
      (section): PaletteOption => ({
        id: `page-${section.id}`,
        group: texts.palette.pages,
        icon: section.icon,
        label: texts.sections[section.id],
        ...(section.key ? { note: `g ${section.key}` } : {}),
        run: () => navigate(section.path),
      }),
    )
    const fits = (option: PaletteOption) => option.label.toLowerCase().includes(wanted)
    return [...found, ...[...pages, ...acts].filter(fits)]
  }, [text, found, sections, acts])
  const at = Math.min(chosen, Math.max(0, options.length - 1))

  const run = (option: PaletteOption | undefined) => {
    if (!option) return
    onClose()
    option.run()
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step !== undefined && options.length > 0) {
      event.preventDefault()
      const next = (at + step + options.length) % options.length
      setChosen(next)
      document.getElementById(`${id}-${next}`)?.scrollIntoView({ block: 'nearest' })
    } else if (event.key === 'Enter') {
      event.preventDefault()
      run(options[at])
    }
  }

  return (
    <>
      <div className="tm-palette-input">
        <Icon name="search" />
        <input
          role="combobox"
          aria-label={texts.palette.title}
          aria-expanded="true"
          aria-controls={`${id}-list`}
          aria-activedescendant={options.length > 0 ? `${id}-${at}` : undefined}
          placeholder={texts.palette.placeholder}
          value={text}
          onChange={event => {
            setText(event.currentTarget.value)
            setChosen(0)
          }}
          onKeyDown={onKeyDown}
          data-autofocus
          autoComplete="off"
          spellCheck={false}
        />
        <kbd>Esc</kbd>
      </div>
      <div role="listbox" id={`${id}-list`} className="tm-palette-list" aria-label={texts.palette.title}>
        {options.map((option, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys belong to the combobox, which keeps the focus
          <div
            key={option.id}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === at}
            className="tm-palette-option"
            onClick={() => run(option)}
            onMouseMove={() => setChosen(index)}
          >
            <Icon name={option.icon} />
            <span>{option.label}</span>
            <span className="tm-palette-note">{option.note ?? option.group}</span>
          </div>
        ))}
        {options.length === 0 && <div className="tm-palette-group">{texts.palette.nothing}</div>}
      </div>
    </>
  )
}
