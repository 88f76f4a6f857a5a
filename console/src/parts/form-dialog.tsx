// A form in a dialog, with what went wrong above its buttons. It closes when it is done.
import { Button, Modal } from '@mantine/core'
import type { ReactNode } from 'react'
import { texts } from '../texts/texts.ts'
import { ProblemPanel } from './problem-panel.tsx'
import { useSubmit } from './use-submit.ts'

export interface FormDialogProps {
  readonly title: string
  /** Wording of the button: the act itself. */
  readonly act: string
  readonly ready?: boolean
  readonly size?: 'md' | 'lg' | 'xl'
  readonly children: ReactNode
  /** Answers what is to be said. */
  readonly run: () => Promise<string>
  readonly onClose: () => void
}

export function FormDialog({ title, act, ready = true, size = 'lg', children, run, onClose }: FormDialogProps) {
  const { busy, thrown, submit } = useSubmit(async () => {
    const said = await run()
    onClose()
    return said
  })
  return (
    <Modal opened onClose={onClose} title={title} size={size} centered>
      <form className="tm-form" onSubmit={submit}>
        {children}
        {thrown !== undefined && <ProblemPanel thrown={thrown} />}
        <div className="tm-modal-actions">
          <Button variant="default" onClick={onClose}>
            {texts.confirm.cancel}
          </Button>
          <Button type="submit" loading={busy} disabled={!ready}>
            {act}
          </Button>
        </div>
      </form>
    </Modal>
  )
}
