'use client'
import { type FormEvent, useState } from 'react'
import { call } from '../client/call.ts'

export interface SignWords {
  name: string
  email: string
  password: string
  passwordRule: string
  submit: string
  busy: string
  guest: string
  or: string
}

interface Props {
  mode: 'in' | 'up'
  next: string
  /** Whether a guest may come in from here. */
  guest: boolean
  words: SignWords
}

/** Signing in or up. Ends with a whole new page: who is here changes everything on it. */
export function SignForm({ mode, next, guest, words }: Props) {
  const [fault, setFault] = useState('')
  const [busy, setBusy] = useState(false)
  const go = async (path: string, body: unknown) => {
    setFault('')
    setBusy(true)
    try {
      await call('POST', `/api/auth/${path}`, body)
      location.assign(next)
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error))
      setBusy(false)
    }
  }
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    void go(`sign-${mode}/email`, Object.fromEntries(new FormData(event.currentTarget)))
  }
  return (
    <>
      {guest ? (
        <>
          <button type="button" className="button button-primary sign-wide" disabled={busy} onClick={() => go('sign-in/anonymous', {})}>
            {words.guest}
          </button>
          <p className="sign-or label">{words.or}</p>
        </>
      ) : null}
      <form onSubmit={submit} className="sign-form">
        {mode === 'up' ? (
          <label>
            {words.name}
            <input className="field" name="name" autoComplete="name" required maxLength={100} />
          </label>
        ) : null}
        <label>
          {words.email}
          <input className="field" type="email" name="email" autoComplete="email" required />
        </label>
        <label>
          {words.password}
          <input
            className="field"
            type="password"
            name="password"
            minLength={8}
            maxLength={256}
            autoComplete={mode === 'up' ? 'new-password' : 'current-password'}
            required
            aria-describedby={mode === 'up' ? 'password-rule' : undefined}
          />
        </label>
        {mode === 'up' ? (
          <p id="password-rule" className="label">
            {words.passwordRule}
          </p>
        ) : null}
        <button type="submit" className={guest ? 'button sign-wide' : 'button button-primary sign-wide'} disabled={busy}>
          {busy ? words.busy : words.submit}
        </button>
        <p role="alert">{fault}</p>
      </form>
    </>
  )
}
