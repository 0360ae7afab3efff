import { z } from 'zod'
import { services } from '../../../platform/services.ts'
import { answerBody } from '../answer.ts'

const engine = z.string().max(20).optional()
const what = z.union([z.strictObject({ lab: z.string().max(100), engine }), z.strictObject({ lesson: z.string().max(100), engine })])

export const POST = answerBody(what, ({ person, body }) => services().attempts.start(person, body))
