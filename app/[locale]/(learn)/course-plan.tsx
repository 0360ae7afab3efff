import Link from 'next/link'
import { getTranslations } from 'next-intl/server'
import type { ProgressService } from '../../../platform/services.ts'
import type { CourseModule } from '../../content/course.ts'
import { localised } from '../../i18n/routing.ts'
import { LabSign, LessonSign } from '../../ui/signs.tsx'

type Lessons = Awaited<ReturnType<ProgressService['lessons']>>
type Labs = Awaited<ReturnType<ProgressService['labs']>>

/** The course as a floor plan: a room a module, doors in the order of the walk, rooms not built yet hatched. */
export async function CoursePlan({
  locale,
  modules,
  lessons,
  labs,
}: {
  locale: string
  modules: CourseModule[]
  lessons: Lessons
  labs: Labs
}) {
  const t = await getTranslations('plan')
  return (
    <section aria-labelledby="plan-title" className="plan-section">
      <div className="plan-head">
        <h2 id="plan-title">{t('title')}</h2>
        <p className="label plan-key">
          <span>
            <LessonSign done={false} /> {t('lesson')}
          </span>
          <span>
            <LabSign state="open" /> {t('lab')}
          </span>
          <span>
            <span className="plan-hatch" aria-hidden="true" /> {t('inPreparation')}
          </span>
        </p>
      </div>
      <ol className="plan">
        {modules.map((module) => (
          <li
            key={module.slug}
            id={module.slug}
            className="room"
            data-room={module.number}
            data-built={module.lessons.length > 0 || undefined}
          >
            <span className="room-door" aria-hidden="true" />
            <p className="room-number" aria-hidden="true">
              {module.number}
            </p>
            <h3>{module.title}</h3>
            <p className="room-goal">{module.goal}</p>
            {module.lessons.length > 0 ? (
              <ul className="room-lessons">
                {module.lessons.map((lesson) => (
                  <li key={lesson.id}>
                    <Link href={localised(locale, lesson.href)} prefetch={false} className="room-lesson">
                      <LessonSign done={lessons[lesson.id]?.done ?? false} label={lessons[lesson.id]?.done ? t('done') : undefined} />
                      <span className="room-lesson-title">{lesson.page.title}</span>
                      <span className="label">{t('minutes', { minutes: lesson.page.minutes })}</span>
                    </Link>
                    {lesson.labs.length > 0 ? (
                      <ul>
                        {lesson.labs.map((lab) => {
                          const state = labs[lab.slug]
                          return (
                            <li key={lab.slug}>
                              <Link href={localised(locale, `/labs/${lab.slug}`)} prefetch={false} className="room-lesson room-lab">
                                <LabSign state={state?.submitted ? 'submitted' : state?.attempt ? 'started' : 'open'} />
                                <span className="room-lesson-title">{lab.title}</span>
                                <span className="label">
                                  {state?.submitted ? t('points', { points: state.bestPoints, max: state.maxPoints }) : t('lab')}
                                </span>
                              </Link>
                            </li>
                          )
                        })}
                      </ul>
                    ) : null}
                  </li>
                ))}
              </ul>
            ) : null}
            {module.inPreparation > 0 ? (
              <p className="label room-later">
                {module.lessons.length > 0 ? t('moreInPreparation', { count: module.inPreparation }) : t('inPreparation')}
              </p>
            ) : null}
          </li>
        ))}
      </ol>
    </section>
  )
}
