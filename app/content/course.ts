/** The course as pages ask for it: catalog and compiled content joined, in one language. */
import { catalog } from '../../content/catalog.ts'
import type { Locale } from '../i18n/routing.ts'
import { contentIndex } from './read.ts'
import type { LabPage, LessonPage } from './schema.ts'

export interface CourseLesson {
  /** '<module>/<lesson>', as progress stores it. */
  id: string
  href: string
  page: LessonPage
  labs: { slug: string; title: string }[]
}

export interface CourseModule {
  slug: string
  number: number
  title: string
  goal: string
  lessons: CourseLesson[]
  /** How many of its lessons are not written yet. */
  inPreparation: number
}

export async function course(locale: Locale): Promise<CourseModule[]> {
  const index = await contentIndex()
  return catalog.map((module, position) => {
    const lessons = module.lessons.flatMap((slug): CourseLesson[] => {
      const id = `${module.slug}/${slug}`
      const page = index.lessons[id]?.[locale]
      if (!page) return []
      const labs = page.labs.flatMap((lab) => {
        const found = index.labs[lab]?.[locale]
        return found ? [{ slug: lab, title: found.title }] : []
      })
      return [{ id, href: `/learn/${id}`, page, labs }]
    })
    return {
      slug: module.slug,
      number: position + 1,
      title: module.title[locale],
      goal: module.goal[locale],
      lessons,
      inPreparation: module.lessons.length - lessons.length,
    }
  })
}

/** A lesson with its neighbours in the order of the course; null when there is none of that name. */
export async function lessonPlace(
  locale: Locale,
  id: string,
): Promise<{ module: CourseModule; lesson: CourseLesson; previous: CourseLesson | null; next: CourseLesson | null } | null> {
  const modules = await course(locale)
  const all = modules.flatMap((module) => module.lessons.map((lesson) => ({ module, lesson })))
  const at = all.findIndex((each) => each.lesson.id === id)
  const found = all[at]
  if (!found) return null
  return { ...found, previous: all[at - 1]?.lesson ?? null, next: all[at + 1]?.lesson ?? null }
}

/** A lab's page with the lesson it belongs to (the first that names it). */
export async function labPlace(
  locale: Locale,
  slug: string,
): Promise<{ page: LabPage; lesson: CourseLesson | null; module: CourseModule | null } | null> {
  const index = await contentIndex()
  const page = index.labs[slug]?.[locale]
  if (!page) return null
  for (const module of await course(locale)) {
    const lesson = module.lessons.find((each) => each.page.labs.includes(slug))
    if (lesson) return { page, lesson, module }
  }
  return { page, lesson: null, module: null }
}
