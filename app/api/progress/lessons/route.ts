import { z } from 'zod'
import { services } from '../../../../platform/services.ts'
import { answerBody } from '../../answer.ts'

const shape = z.strictObject({ lesson: z.string().max(100), done: z.boolean() })

export const PUT = answerBody(shape, ({ person, body }) => services().progress.setLesson(person, body.lesson, body.done))
