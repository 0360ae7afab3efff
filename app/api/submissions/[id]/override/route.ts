import { z } from 'zod'
import { services } from '../../../../../platform/services.ts'
import { answerBody } from '../../../answer.ts'

const shape = z.strictObject({
  task: z.string().max(20).nullable(),
  points: z.number().min(0).max(1000),
  reason: z.string().trim().min(1).max(2000),
})

export const POST = answerBody<z.infer<typeof shape>, { id: string }>(shape, ({ person, params, body }) =>
  services().grading.override(person, params.id, body),
)
