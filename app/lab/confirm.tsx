'use client'
import { AlertDialog } from 'radix-ui'
import type { ReactNode } from 'react'

interface Props {
  /** The button that asks for it. */
  children: ReactNode
  title: string
  /** What will happen. */
  text: ReactNode
  yes: string
  no: string
  onYes: () => void
}

/** Asks before what cannot be undone. */
export function Confirm({ children, title, text, yes, no, onYes }: Props) {
  return (
    <AlertDialog.Root>
      <AlertDialog.Trigger asChild>{children}</AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="dialog-veil" />
        <AlertDialog.Content className="dialog">
          <AlertDialog.Title className="dialog-title">{title}</AlertDialog.Title>
          <AlertDialog.Description asChild>
            <div className="dialog-text">{text}</div>
          </AlertDialog.Description>
          <div className="dialog-actions">
            <AlertDialog.Cancel asChild>
              <button type="button" className="button">
                {no}
              </button>
            </AlertDialog.Cancel>
            <AlertDialog.Action asChild>
              <button type="button" className="button button-primary" onClick={onYes}>
                {yes}
              </button>
            </AlertDialog.Action>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}
