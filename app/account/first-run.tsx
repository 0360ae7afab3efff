'use client'
import { useEffect, useState } from 'react'
import { call } from '../client/call.ts'
import { SignForm, type SignWords } from './sign-form.tsx'

const kept = 'first-run'

interface Props {
  /** Whether someone with an account is here. */
  account: boolean
  here: string
  done: string
  words: { lead: string; missing: string; claim: string; busy: string; sign: SignWords }
}

/**
 * Uses up the link that the server printed. Its token stands in the fragment, which never reaches a log; it is kept for this
 * tab while the account is made.
 */
export function FirstRun({ account, here, done, words }: Props) {
  const [token, setToken] = useState<string | null>()
  const [fault, setFault] = useState('')
  const [busy, setBusy] = useState(false)

  useEffect(() => {
    const given = location.hash.slice(1)
    if (given) {
      sessionStorage.setItem(kept, given)
      history.replaceState(null, '', location.pathname)
    }
    setToken(given || sessionStorage.getItem(kept))
  }, [])

  const claim = async () => {
    setBusy(true)
    setFault('')
    try {
      await call('POST', '/api/first-run', { token })
      sessionStorage.removeItem(kept)
      location.assign(done)
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error))
      setBusy(false)
    }
  }

  if (token === undefined) return <p className="sign-lead">{words.lead}</p>
  if (token === null) return <p className="sign-lead">{words.missing}</p>
  return (
    <>
      <p className="sign-lead">{words.lead}</p>
      {account ? (
        <button type="button" className="button button-primary sign-wide" disabled={busy} onClick={claim}>
          {busy ? words.busy : words.claim}
        </button>
      ) : (
        <SignForm mode="up" next={here} guest={false} words={words.sign} />
      )}
      <p role="alert">{fault}</p>
    </>
  )
}
