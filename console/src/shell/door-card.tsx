// The frame of everything that is seen before somebody is in.
import { type ReactNode, useEffect } from 'react'
import { texts } from '../texts/texts.ts'
import { ColorSchemeMenu } from './color-scheme-menu.tsx'

export interface DoorCardProps {
  readonly title: string
  readonly lead: string
  readonly children: ReactNode
}

export function DoorCard({ title, lead, children }: DoorCardProps) {
  useEffect(() => {
    document.title = `${title} · ${texts.product}`
  }, [title])
  return (
    <main className="tm-door">
      <div className="tm-door-corner">
        <ColorSchemeMenu />
      </div>
      <div className="tm-door-card">
        <header>
          <img src="/assets/touchmark.svg" alt="" />
          <h1>{title}</h1>
          <p>{lead}</p>
        </header>
        {children}
      </div>
    </main>
  )
}
