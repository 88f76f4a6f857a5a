// Which keys do what: opened with `?`.
import { Modal } from '@mantine/core'
import type { Section } from '../pages.ts'
import { texts } from '../texts/texts.ts'

export interface ShortcutsHelpProps {
  readonly opened: boolean
  readonly sections: readonly Section[]
  readonly onClose: () => void
}

export function ShortcutsHelp({ opened, sections, onClose }: ShortcutsHelpProps) {
  const rows: [string, string][] = [
    ['Ctrl K / ⌘ K', texts.shortcuts.palette],
    ['/', texts.shortcuts.search],
    ['?', texts.shortcuts.help],
    ['Esc', texts.shortcuts.close],
    ...sections.flatMap((section): [string, string][] =>
      section.key ? [[`g ${section.key}`, texts.shortcuts.go(texts.sections[section.id])]] : [],
    ),
  ]
  return (
    <Modal opened={opened} onClose={onClose} title={texts.shortcuts.title} size="lg" centered>
      <div className="tm-shortcuts">
        {rows.map(([keys, what]) => (
          <div key={keys}>
            <span>{what}</span>
            <span>
              {keys.split(' ').map(key => (key === '/' && keys !== '/' ? ' / ' : <kbd key={key}>{key}</kbd>))}
            </span>
          </div>
        ))}
      </div>
    </Modal>
  )
}
