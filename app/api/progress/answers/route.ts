import { z } from 'zod'
import { services } from '../../../../platform/services.ts'
import { answerBody } from '../../answer.ts'

const shape = z.strictObject({
  lesson: z.string().max(100),
  question: z.string().max(100),
  choice: z.number().int().min(0).max(20),
  right: z.boolean(),
})

export const PUT = answerBody(shape, ({ person, body }) =>
  services().progress.answerQuiz(person, body.lesson, body.question, body.choice, body.right),
)
