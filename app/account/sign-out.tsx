'use client'
import { useState } from 'react'
import { call } from '../client/call.ts'

export function SignOut({ to, words }: { to: string; words: { out: string } }) {
  const [fault, setFault] = useState('')
  const out = () =>
    call('POST', '/api/auth/sign-out', {}).then(
      () => location.assign(to),
      (error: Error) => setFault(error.message),
    )
  return (
    <>
      <button type="button" className="button" onClick={out}>
        {words.out}
      </button>
      <span role="alert">{fault}</span>
    </>
  )
}
