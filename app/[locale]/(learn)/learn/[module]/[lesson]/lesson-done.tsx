'use client'
import { useRouter } from 'next/navigation'
import { useState } from 'react'
import { call } from '../../../../../client/call.ts'
import { LessonSign } from '../../../../../ui/signs.tsx'

export function LessonDone({
  lesson,
  start,
  words,
}: {
  lesson: string
  start: boolean
  words: { mark: string; done: string; undo: string; fault: string }
}) {
  const [done, setDone] = useState(start)
  const [fault, setFault] = useState('')
  const router = useRouter()
  const set = async (next: boolean) => {
    setDone(next)
    setFault('')
    try {
      await call('PUT', '/api/progress/lessons', { lesson, done: next })
      router.refresh()
    } catch (error) {
      setDone(!next)
      setFault(`${words.fault} ${error instanceof Error ? error.message : ''}`)
    }
  }
  return (
    <div className="lesson-done">
      <button type="button" className={done ? 'button' : 'button button-primary'} aria-pressed={done} onClick={() => set(!done)}>
        <LessonSign done={done} />
        {done ? words.done : words.mark}
      </button>
      <span role="status">{fault}</span>
    </div>
  )
}
