import { getTranslations } from 'next-intl/server'
import type { ReactNode } from 'react'

type Kind = 'note' | 'warning' | 'fact'

/** A remark in the margin's voice. What it is stands in a word, not in a colour. */
export async function Callout({ kind = 'note', title, children }: { kind?: Kind; title?: string; children: ReactNode }) {
  const t = await getTranslations('callout')
  return (
    <aside className="callout" data-kind={kind}>
      <p className="callout-title">
        <span className="label">{t(kind)}</span>
        {title ? <strong>{title}</strong> : null}
      </p>
      {children}
    </aside>
  )
}
