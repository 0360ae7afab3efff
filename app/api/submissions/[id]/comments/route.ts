import { z } from 'zod'
import { services } from '../../../../../platform/services.ts'
import { answerBody } from '../../../answer.ts'

const shape = z.strictObject({ text: z.string().trim().min(1).max(10_000) })

export const POST = answerBody<z.infer<typeof shape>, { id: string }>(shape, ({ person, params, body }) =>
  services().grading.comment(person, params.id, body.text),
)
