// A document in versions, edited as JSON: what changed since it was read is noticed by its version, and nothing of a colleague's is overwritten.
import { Button, Textarea } from '@mantine/core'
import { type ReactNode, useEffect, useState } from 'react'
import { texts } from '../texts/texts.ts'
import { ProblemPanel } from './problem-panel.tsx'
import { say } from './toasts.tsx'

const t = texts.editor

export interface DocumentEditorProps {
  readonly document: Readonly<Record<string, unknown>>
  /** Takes the place of what stands in the field, each time that it is another one: filled in by something beside the editor. */
  readonly filled?: Readonly<Record<string, unknown>> | undefined
  /** Nothing of it is stored yet: it may be saved as it is. */
  readonly isNew?: boolean
  readonly label: string
  readonly editable: boolean
  readonly rows?: number
  /** Called with what stands in the field, each time that it is JSON. */
  readonly onDraft?: (draft: Record<string, unknown> | undefined) => void
  readonly save: (draft: Record<string, unknown>) => Promise<string>
  readonly aside?: ReactNode
}

export function DocumentEditor(props: DocumentEditorProps) {
  const { document, filled, isNew = false, label, editable, rows = 22, onDraft, save, aside } = props
  const stored = JSON.stringify(document, null, 2)
  const [text, setText] = useState(stored)
  const [busy, setBusy] = useState(false)
  const [thrown, setThrown] = useState<unknown>()
  useEffect(() => setText(stored), [stored])
  useEffect(() => {
    if (filled) setText(JSON.stringify(filled, null, 2))
  }, [filled])
  const draft = parse(text)
  // biome-ignore lint/correctness/useExhaustiveDependencies: the draft follows from the text
  useEffect(() => onDraft?.(draft), [text])

  const submit = async () => {
    if (!draft) return
    setBusy(true)
    setThrown(undefined)
    try {
      say(await save(draft))
    } catch (caught) {
      setThrown(caught)
    } finally {
      setBusy(false)
    }
  }
  return (
    <div className="tm-form">
      <Textarea
        aria-label={label}
        className="tm-mono-input"
        value={text}
        rows={rows}
        readOnly={!editable}
        spellCheck={false}
        onChange={event => setText(event.currentTarget.value)}
        error={draft ? undefined : t.notJson}
      />
      {thrown !== undefined && <ProblemPanel thrown={thrown} />}
      {(editable || aside) && (
        <div className="tm-actions">
          {editable && (
            <>
              <Button onClick={() => void submit()} loading={busy} disabled={!draft || (!isNew && text === stored)}>
                {t.save}
              </Button>
              <Button variant="default" onClick={() => setText(stored)} disabled={text === stored}>
                {t.undo}
              </Button>
            </>
          )}
          {aside}
        </div>
      )}
    </div>
  )
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
