import type { Metadata } from 'next'
import Link from 'next/link'
import { notFound } from 'next/navigation'
import { getMessages, getTranslations, setRequestLocale } from 'next-intl/server'
import { type AttemptView, services } from '../../../../../platform/services.ts'
import { labPlace } from '../../../../content/course.ts'
import { pageBody } from '../../../../content/read.ts'
import { type Locale, localised } from '../../../../i18n/routing.ts'
import { Workspace } from '../../../../lab/workspace.tsx'
import { viewer } from '../../../../session.ts'
import { mdxComponents } from '../../../../ui/mdx/components.tsx'
import { LabDoor } from './lab-door.tsx'

interface Props {
  params: Promise<{ locale: Locale; slug: string }>
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { locale, slug } = await params
  const place = await labPlace(locale, slug)
  return place ? { title: place.page.title, description: place.page.summary } : {}
}

export default async function LabPage({ params }: Props) {
  const { locale, slug } = await params
  setRequestLocale(locale)
  const place = await labPlace(locale, slug)
  const lab = services().labs.get(slug)
  if (!place || !lab) notFound()
  const person = await viewer()
  const attempt = person ? await services().attempts.open(person, { lab: slug }) : null
  if (!attempt) {
    const mine = person ? await services().grading.mine(person, slug) : []
    const choices = person ? await services().attempts.engines(person, { lab: slug }) : []
    return <LabDoor locale={locale} place={place} lab={lab} person={person} mine={mine} choices={choices} />
  }
  const [t, messages, Body, health] = await Promise.all([
    getTranslations('lab'),
    getMessages(),
    pageBody(place.page.hash),
    services().health(),
  ])
  const copying = Object.entries(health.engines).flatMap(([name, { capabilities }]) => (capabilities['fork'] === true ? [name] : []))
  return (
    <Workspace
      locale={locale}
      attempt={attempt}
      title={place.page.title}
      tasks={lab.tasks.map((task) => tasksAsShown(task, place.page.tasks[task.id], attempt))}
      maxPoints={lab.maxPoints}
      trials={lab.trials}
      copying={copying}
      submissionHref={localised(locale, '/me/submissions')}
      words={{ lab: messages.lab, lease: messages.lease, clock: messages.clock, terminal: messages.terminal, cluster: messages.cluster }}
    >
      <article className="lab-text">
        <p className="label">
          {place.lesson ? (
            <Link href={localised(locale, place.lesson.href)}>{t('lessonOf', { title: place.lesson.page.title })}</Link>
          ) : (
            t('name')
          )}
        </p>
        <p className="lab-title">{place.page.title}</p>
        <p className="lesson-goal">{place.page.summary}</p>
        <div className="prose">
          <Body components={mdxComponents({ locale, lesson: null, signedIn: true, answers: {} })} />
        </div>
      </article>
    </Workspace>
  )
}

/** A task with the text of those hints that were asked for; the others stay on the server. */
function tasksAsShown(task: { id: string; maxPoints: number }, text: { title: string; hints: string[] } | undefined, attempt: AttemptView) {
  const hints = text?.hints ?? []
  return {
    id: task.id,
    maxPoints: task.maxPoints,
    title: text?.title ?? task.id,
    hints: hints.slice(0, attempt.hints[task.id] ?? 0),
    hintCount: hints.length,
  }
}
