'use client'
import { createContext, type ReactNode } from 'react'

export interface ErrorWords {
  title: string
  text: string
  again: string
}

/** What the error page says. Sent along with every page, for nothing can be asked of the server once it has failed. */
export const ErrorWordsContext = createContext<ErrorWords | null>(null)

export function ErrorWordsProvider({ words, children }: { words: ErrorWords; children: ReactNode }) {
  return <ErrorWordsContext value={words}>{children}</ErrorWordsContext>
}
