'use client'
import { usePathname } from 'next/navigation'

/** The same page in the other language. A plain link: the language is the whole document's. */
export function LocaleSwitch({ locale }: { locale: string }) {
  const pathname = usePathname()
  const other = locale === 'zh' ? 'en' : 'zh'
  return (
    <a className="masthead-tool" href={`/${other}${pathname.replace(/^\/(en|zh)(?=\/|$)/, '')}`} hrefLang={other} lang={other}>
      {other === 'zh' ? '中文' : 'English'}
    </a>
  )
}
