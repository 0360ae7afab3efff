'use client'
import { useRouter } from 'next/navigation'
import { useState, useTransition } from 'react'
import { call } from '../../../../client/call.ts'

export function StartLab({ lab, words }: { lab: string; words: { start: string; starting: string } }) {
  const router = useRouter()
  const [pending, startTransition] = useTransition()
  const [fault, setFault] = useState('')
  const start = () =>
    startTransition(async () => {
      setFault('')
      try {
        await call('POST', '/api/attempts', { lab })
        router.refresh()
      } catch (error) {
        setFault(error instanceof Error ? error.message : String(error))
      }
    })
  return (
    <>
      <button type="button" className="button button-primary" onClick={start} disabled={pending}>
        {pending ? words.starting : words.start}
      </button>
      <p role="alert" className="mt-3">
        {fault}
      </p>
    </>
  )
}
