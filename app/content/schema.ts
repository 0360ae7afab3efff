/** What front matter may say, and the shape of compiled content in .cache/content. */
import { z } from 'zod'

export const lessonMatter = z.strictObject({
  title: z.string().min(1),
  summary: z.string().min(1),
  minutes: z.number().int().positive(),
  labs: z.array(z.string()).default([]),
})

export const labMatter = z.strictObject({
  title: z.string().min(1),
  summary: z.string().min(1),
  tasks: z.record(z.string().regex(/^t\d+$/), z.strictObject({ title: z.string().min(1), hints: z.array(z.string().min(1)).default([]) })),
})

export interface Heading {
  id: string
  text: string
  depth: 2 | 3
}

/** What is known of a page without its body. */
export interface PageSummary {
  /** Name of its body in the cache. */
  hash: string
  title: string
  summary: string
  headings: Heading[]
  /** By the length of the text; lessons say their own minutes with the work included. */
  readingMinutes: number
}

export interface LessonPage extends PageSummary {
  minutes: number
  labs: string[]
}

export interface LabPage extends PageSummary {
  tasks: Record<string, { title: string; hints: string[] }>
}

export interface ContentIndex {
  /** By '<module>/<lesson>', then by language. */
  lessons: Record<string, { en: LessonPage; zh: LessonPage }>
  labs: Record<string, { en: LabPage; zh: LabPage }>
}
