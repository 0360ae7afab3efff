'use client'
import { useContext } from 'react'
import { VerdictSign } from '../ui/signs.tsx'
import { TaskContext } from './task-context.ts'

export function TaskMark({ id }: { id: string }) {
  const task = useContext(TaskContext)?.(id)
  if (!task) return null
  return (
    <button type="button" className="task-mark" onClick={task.show} data-state={task.verdict?.state}>
      <VerdictSign state={task.verdict?.state ?? 'not-yet'} />
      <span>{task.title}</span>
      <span className="task-mark-state">{task.state}</span>
    </button>
  )
}
