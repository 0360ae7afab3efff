'use client'
import { useContext } from 'react'
import { ErrorWordsContext } from '../ui/error-words.tsx'

/** A page that could not be drawn. */
export default function PageError({ error, reset }: { error: Error & { digest?: string }; reset: () => void }) {
  const words = useContext(ErrorWordsContext)
  return (
    <main id="main" className="page page-narrow">
      <h1 className="page-title">{words?.title}</h1>
      <p className="sign-lead">{words?.text}</p>
      {error.digest ? <p className="label">{error.digest}</p> : null}
      <p className="mt-6">
        <button type="button" className="button button-primary" onClick={reset}>
          {words?.again}
        </button>
      </p>
    </main>
  )
}
