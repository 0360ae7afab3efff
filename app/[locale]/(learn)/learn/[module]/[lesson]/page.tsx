import type { Metadata } from 'next'
import Link from 'next/link'
import { notFound } from 'next/navigation'
import { getMessages, getTranslations, setRequestLocale } from 'next-intl/server'
import { services } from '../../../../../../platform/services.ts'
import { lessonPlace } from '../../../../../content/course.ts'
import { pageBody } from '../../../../../content/read.ts'
import { type Locale, localised } from '../../../../../i18n/routing.ts'
import { viewer } from '../../../../../session.ts'
import { mdxComponents } from '../../../../../ui/mdx/components.tsx'
import { LessonBench } from './lesson-bench.tsx'
import { LessonDone } from './lesson-done.tsx'
import { TableOfContents } from './table-of-contents.tsx'

interface Props {
  params: Promise<{ locale: Locale; module: string; lesson: string }>
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { locale, module, lesson } = await params
  const place = await lessonPlace(locale, `${module}/${lesson}`)
  return place ? { title: place.lesson.page.title, description: place.lesson.page.summary } : {}
}

export default async function LessonPage({ params }: Props) {
  const { locale, module, lesson } = await params
  setRequestLocale(locale)
  const id = `${module}/${lesson}`
  const place = await lessonPlace(locale, id)
  if (!place) notFound()
  const { page } = place.lesson
  const person = await viewer()
  const [t, messages, Body, answers, progress, attempt] = await Promise.all([
    getTranslations('lesson'),
    getMessages(),
    pageBody(page.hash),
    person ? services().progress.quizzes(person, id) : {},
    person ? services().progress.lessons(person) : ({} as Record<string, { done: boolean }>),
    person ? services().attempts.open(person, { lesson: id }) : null,
  ])
  const to = (path: string) => localised(locale, path)
  const here = to(`/learn/${id}`)
  return (
    <LessonBench
      lesson={id}
      attempt={attempt?.id ?? null}
      signIn={person ? null : `${to('/sign-in')}?next=${encodeURIComponent(here)}`}
      words={messages.bench}
      terminalWords={messages.terminal}
      leaseWords={messages.lease}
      clockWords={messages.clock}
      locale={locale}
    >
      <main id="main" className="lesson">
        <TableOfContents headings={page.headings} label={t('contents')} />
        <article className="lesson-text">
          <header className="lesson-head">
            <p className="label">
              <Link href={to(`/#${place.module.slug}`)}>{t('module', { number: place.module.number, title: place.module.title })}</Link>
              {' · '}
              {t('minutes', { minutes: page.minutes })}
            </p>
            <h1>{page.title}</h1>
            <p className="lesson-goal">{page.summary}</p>
          </header>
          <div className="prose">
            <Body components={mdxComponents({ locale, lesson: id, signedIn: person !== null, answers })} />
          </div>
          <footer className="lesson-foot">
            {person ? (
              <LessonDone
                lesson={id}
                start={progress[id]?.done ?? false}
                words={{ mark: t('mark'), done: t('done'), undo: t('undo'), fault: t('fault') }}
              />
            ) : null}
            <nav aria-label={t('neighbours')} className="lesson-neighbours">
              {place.previous ? (
                <Link href={to(place.previous.href)} rel="prev" prefetch={false}>
                  <span className="label">{t('previous')}</span>
                  {place.previous.page.title}
                </Link>
              ) : (
                <span />
              )}
              {place.next ? (
                <Link href={to(place.next.href)} rel="next" prefetch={false}>
                  <span className="label">{t('next')}</span>
                  {place.next.page.title}
                </Link>
              ) : null}
            </nav>
          </footer>
        </article>
      </main>
    </LessonBench>
  )
}
