import { z } from 'zod'
import { services } from '../../../platform/services.ts'
import { answerBody } from '../answer.ts'

const what = z.union([z.strictObject({ lab: z.string().max(100) }), z.strictObject({ lesson: z.string().max(100) })])

export const POST = answerBody(what, ({ person, body }) => services().attempts.start(person, body))
