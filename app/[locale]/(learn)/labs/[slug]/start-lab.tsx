'use client'
import { useRouter } from 'next/navigation'
import { useState, useTransition } from 'react'
import { call } from '../../../../client/call.ts'

interface Props {
  lab: string
  /** Those that it can run on here, the usual one first. */
  engines: { name: string; text: string }[]
  words: { start: string; starting: string; runsOn: string; runsOnLead: string }
}

export function StartLab({ lab, engines, words }: Props) {
  const router = useRouter()
  const [pending, startTransition] = useTransition()
  const [fault, setFault] = useState('')
  const [engine, setEngine] = useState(engines[0]?.name)
  const start = () =>
    startTransition(async () => {
      setFault('')
      try {
        await call('POST', '/api/attempts', engine ? { lab, engine } : { lab })
        router.refresh()
      } catch (error) {
        setFault(error instanceof Error ? error.message : String(error))
      }
    })
  return (
    <>
      {engines.length > 1 ? (
        <fieldset className="engine-choice">
          <legend className="label">{words.runsOn}</legend>
          {engines.map(({ name, text }) => (
            <label key={name}>
              <input type="radio" name="engine" value={name} checked={name === engine} onChange={() => setEngine(name)} />
              <span>{text}</span>
            </label>
          ))}
          <p className="label">{words.runsOnLead}</p>
        </fieldset>
      ) : null}
      <button type="button" className="button button-primary" onClick={start} disabled={pending}>
        {pending ? words.starting : words.start}
      </button>
      <p role="alert" className="mt-3">
        {fault}
      </p>
    </>
  )
}
