'use client'
import { useEffect, useRef, useState } from 'react'
import type { Verdict } from '../../platform/model.ts'
import { fill } from '../client/words.ts'
import { VerdictSign } from '../ui/signs.tsx'
import { Criteria, stateWord } from './criteria.tsx'
import { RichText } from './rich-text.tsx'
import type { LabWords } from './words.ts'

export interface ShownTask {
  id: string
  title: string
  maxPoints: number
  /** The hints asked for so far. */
  hints: string[]
  hintCount: number
}

interface Props {
  locale: string
  tasks: ShownTask[]
  verdict: Verdict | null
  words: LabWords
  onHint: (task: string) => Promise<void>
}

/** How each task stands, live. */
export function TasksPanel({ locale, tasks, verdict, words, onHint }: Props) {
  return (
    <>
      <Announcer tasks={tasks} verdict={verdict} words={words} />
      <ol className="tasks">
        {tasks.map((task, index) => {
          const found = verdict?.tasks.find((each) => each.id === task.id)
          const state = found?.state ?? 'waiting'
          return (
            <li key={task.id} id={`task-${task.id}`} className="task" data-state={state}>
              <div className="task-head">
                <VerdictSign state={state} size={22} />
                <h3>
                  {index + 1}. {task.title}
                </h3>
                <p className="task-state">
                  <strong>{found ? stateWord(state, words) : words.notLooked}</strong>
                  <span className="label">
                    {found?.points ?? 0}/{task.maxPoints}
                  </span>
                </p>
              </div>
              {found ? <Criteria criteria={found.criteria} words={words} locale={locale} /> : null}
              <Hints task={task} words={words} locale={locale} onHint={onHint} passed={state === 'pass'} />
            </li>
          )
        })}
      </ol>
    </>
  )
}

function Hints({ task, words, locale, onHint, passed }: Pick<Props, 'words' | 'locale' | 'onHint'> & { task: ShownTask; passed: boolean }) {
  const [busy, setBusy] = useState(false)
  const left = task.hintCount - task.hints.length
  const ask = async () => {
    setBusy(true)
    await onHint(task.id).finally(() => setBusy(false))
  }
  if (task.hintCount === 0) return null
  return (
    <div className="hints" aria-live="polite">
      {task.hints.map((hint, index) => (
        <p key={hint}>
          <span className="label">{fill(words.hint, { number: index + 1, count: task.hintCount })}</span>{' '}
          <RichText text={{ en: hint, zh: hint }} locale={locale} />
        </p>
      ))}
      {left > 0 && !passed ? (
        <button type="button" className="bench-tool" onClick={ask} disabled={busy}>
          {fill(task.hints.length === 0 ? words.askHint : words.askNextHint, { left })}
        </button>
      ) : null}
    </div>
  )
}

/** Says aloud what changed, once the dust has settled: checks come in bursts. */
function Announcer({ tasks, verdict, words }: { tasks: ShownTask[]; verdict: Verdict | null; words: LabWords }) {
  const [said, setSaid] = useState('')
  const before = useRef<Record<string, string>>({})
  useEffect(() => {
    if (!verdict) return
    const timer = setTimeout(() => {
      const changed = verdict.tasks.filter((task) => before.current[task.id] !== undefined && before.current[task.id] !== task.state)
      before.current = Object.fromEntries(verdict.tasks.map((task) => [task.id, task.state]))
      if (changed.length === 0) return
      const title = (id: string) => tasks.find((task) => task.id === id)?.title ?? id
      setSaid(changed.map((task) => fill(words.announce, { task: title(task.id), state: stateWord(task.state, words) })).join(' '))
    }, 400)
    return () => clearTimeout(timer)
  }, [verdict, tasks, words])
  return (
    <p className="sr-only" role="status">
      {said}
    </p>
  )
}
