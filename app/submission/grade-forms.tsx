'use client'
import { useRouter } from 'next/navigation'
import { type FormEvent, useState } from 'react'
import { call } from '../client/call.ts'

/** Sends a form and draws the page anew with what came of it. */
function useSend(path: string): { busy: boolean; fault: string; send: (form: HTMLFormElement, body: unknown) => Promise<void> } {
  const router = useRouter()
  const [busy, setBusy] = useState(false)
  const [fault, setFault] = useState('')
  const send = async (form: HTMLFormElement, body: unknown) => {
    setBusy(true)
    setFault('')
    try {
      await call('POST', path, body)
      form.reset()
      form.closest('details')?.removeAttribute('open')
      router.refresh()
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error))
    } finally {
      setBusy(false)
    }
  }
  return { busy, fault, send }
}

interface OverrideProps {
  submission: string
  /** null: the whole submission. */
  task: string | null
  points: number
  maxPoints: number
  words: { summary: string; points: string; reason: string; save: string }
}

/** Other points than the checks gave, with the reason that the learner will read. */
export function OverrideForm({ submission, task, points, maxPoints, words }: OverrideProps) {
  const { busy, fault, send } = useSend(`/api/submissions/${submission}/override`)
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const data = new FormData(event.currentTarget)
    void send(event.currentTarget, { task, points: Number(data.get('points')), reason: String(data.get('reason')) })
  }
  return (
    <details className="grade-form">
      <summary className="bench-tool">{words.summary}</summary>
      <form onSubmit={submit}>
        <label>
          {words.points}
          <input className="field" type="number" name="points" min={0} max={maxPoints} step="0.5" defaultValue={points} required />
        </label>
        <label>
          {words.reason}
          <input className="field" name="reason" required maxLength={2000} />
        </label>
        <button type="submit" className="button" disabled={busy}>
          {words.save}
        </button>
        <p role="alert">{fault}</p>
      </form>
    </details>
  )
}

export function CommentForm({ submission, words }: { submission: string; words: { label: string; send: string } }) {
  const { busy, fault, send } = useSend(`/api/submissions/${submission}/comments`)
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    void send(event.currentTarget, { text: String(new FormData(event.currentTarget).get('text')) })
  }
  return (
    <form onSubmit={submit} className="comment-form">
      <label>
        {words.label}
        <textarea className="field" name="text" rows={4} required maxLength={10_000} />
      </label>
      <button type="submit" className="button button-primary" disabled={busy}>
        {words.send}
      </button>
      <p role="alert">{fault}</p>
    </form>
  )
}
