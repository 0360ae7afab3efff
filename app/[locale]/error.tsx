'use client'
import { usePathname } from 'next/navigation'
import en from '../messages/en.json'
import zh from '../messages/zh.json'

/** A page that could not be drawn. Its sentences come along, for nothing can be asked of the server now. */
export default function PageError({ error, reset }: { error: Error & { digest?: string }; reset: () => void }) {
  const words = usePathname().startsWith('/zh') ? zh.error : en.error
  return (
    <main id="main" className="page page-narrow">
      <h1 className="page-title">{words.title}</h1>
      <p className="sign-lead">{words.text}</p>
      {error.digest ? <p className="label">{error.digest}</p> : null}
      <p className="mt-6">
        <button type="button" className="button button-primary" onClick={reset}>
          {words.again}
        </button>
      </p>
    </main>
  )
}
