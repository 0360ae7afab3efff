import type { Metadata } from 'next'
import './globals.css'
import en from './messages/en.json'
import zh from './messages/zh.json'
import { Mark } from './ui/mark.tsx'

export const metadata: Metadata = { title: '404 · Labernetes' }

/**
 * For addresses that match nothing: outside every layout, so in both languages. (A catch-all page below [locale] would do it in
 * one, but would also match /ws/terminal, and Next ends a WebSocket whose address matches a page.)
 */
export default function GlobalNotFound() {
  return (
    <html lang="en">
      <body>
        <main id="main" className="page page-narrow">
          <p>
            <Mark size={40} />
          </p>
          {[
            { lang: 'en', path: '/en', words: en.notFound },
            { lang: 'zh-Hans', path: '/zh', words: zh.notFound },
          ].map(({ lang, path, words }, index) => (
            <section key={lang} lang={lang} className="mt-10">
              {index === 0 ? <h1 className="page-title">{words.title}</h1> : <h2 className="page-title">{words.title}</h2>}
              <p className="sign-lead">{words.text}</p>
              <a className="button" href={path}>
                {words.home}
              </a>
            </section>
          ))}
        </main>
      </body>
    </html>
  )
}
