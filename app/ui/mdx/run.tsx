import { getTranslations } from 'next-intl/server'
import type { ReactNode } from 'react'
import { RunButton } from './run-button.tsx'

/** A command of the text that a click runs in the reader's terminal, or in one on `node` (or copies, while none is open). */
export async function Run({ command, node, children }: { command: string; node?: string; children: ReactNode }) {
  const t = await getTranslations('run')
  return (
    <div className="run">
      {children}
      <RunButton
        command={command}
        node={node ?? null}
        words={{ run: t('run'), copy: t('copy'), ran: t('ran'), copied: t('copied'), failed: t('failed') }}
      />
    </div>
  )
}
