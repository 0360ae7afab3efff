import type { Metadata } from 'next'
import { getTranslations, setRequestLocale } from 'next-intl/server'
import { SignPage } from '../../../account/sign-page.tsx'

interface Props {
  params: Promise<{ locale: string }>
  searchParams: Promise<{ next?: string | string[] }>
}

export async function generateMetadata(): Promise<Metadata> {
  return { title: (await getTranslations('sign'))('upTitle') }
}

export default async function SignUpPage({ params, searchParams }: Props) {
  const { locale } = await params
  setRequestLocale(locale)
  return <SignPage locale={locale} mode="up" next={(await searchParams).next} />
}
