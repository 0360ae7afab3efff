'use client'
import { createContext } from 'react'
import type { TaskVerdict } from '../../platform/model.ts'

export interface TaskInText {
  title: string
  verdict: TaskVerdict | undefined
  /** The word for its state. */
  state: string
  show: () => void
}

/** How each task stands, for the marks in the lab's text. Null outside a workspace. */
export const TaskContext = createContext<((id: string) => TaskInText | null) | null>(null)
