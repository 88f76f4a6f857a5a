// Before something is done that others will feel: what exactly will happen, in a list, and for what cannot be undone a word to type.
import { Button, Modal, TextInput } from '@mantine/core'
import { type ReactNode, useEffect, useState } from 'react'
import { texts } from '../texts/texts.ts'
import { ProblemPanel } from './problem-panel.tsx'
import { say } from './toasts.tsx'

export interface ConfirmProps {
  readonly opened: boolean
  readonly title: string
  /** What will happen, one effect a line. */
  readonly effects: readonly ReactNode[]
  /** Wording of the button: the act itself, never "OK". */
  readonly act: string
  readonly tone?: 'normal' | 'destructive'
  /** Has to be typed where the act cannot be undone. */
  readonly word?: string
  readonly children?: ReactNode
  readonly ready?: boolean
  /** Said when it is done. */
  readonly done: string | ((result: unknown) => string)
  readonly onClose: () => void
  readonly run: () => Promise<unknown>
}

export function Confirm(props: ConfirmProps) {
  const { opened, title, effects, act, tone = 'normal', word, children, ready = true, done, onClose, run } = props
  const [typed, setTyped] = useState('')
  const [busy, setBusy] = useState(false)
  const [thrown, setThrown] = useState<unknown>()
  useEffect(() => {
    if (!opened) return
    setTyped('')
    setThrown(undefined)
  }, [opened])

  const submit = async () => {
    setBusy(true)
    setThrown(undefined)
    try {
      const result = await run()
      say(typeof done === 'function' ? done(result) : done)
      onClose()
    } catch (caught) {
      setThrown(caught)
    } finally {
      setBusy(false)
    }
  }

  return (
    <Modal opened={opened} onClose={onClose} title={title} size="lg" centered>
      <form
        onSubmit={event => {
          event.preventDefault()
          void submit()
        }}
      >
        {children}
        {effects.length > 0 && (
          <>
            <p className="tm-confirm-lead">{texts.confirm.effects}</p>
            <ul className="tm-effects">
              {effects.map((effect, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: the list does not change while it is shown
                <li key={index}>{effect}</li>
              ))}
            </ul>
          </>
        )}
        {word !== undefined && (
          <TextInput
            label={texts.confirm.type(word)}
            value={typed}
            onChange={event => setTyped(event.currentTarget.value)}
            autoComplete="off"
            mt="md"
          />
        )}
        {thrown !== undefined && <ProblemPanel thrown={thrown} />}
        <div className="tm-modal-actions">
          <Button variant="default" onClick={onClose}>
            {texts.confirm.cancel}
          </Button>
          <Button
            type="submit"
            color={tone === 'destructive' ? 'red' : 'blue'}
            loading={busy}
            disabled={!ready || (word !== undefined && typed !== word)}
          >
            {act}
          </Button>
        </div>
      </form>
    </Modal>
  )
}
