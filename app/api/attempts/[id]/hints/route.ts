import { z } from 'zod'
import { services } from '../../../../../platform/services.ts'
import { answerBody } from '../../../answer.ts'

const shape = z.strictObject({ task: z.string().max(20) })

export const POST = answerBody<z.infer<typeof shape>, { id: string }>(shape, ({ person, params, body }) =>
  services().attempts.hint(person, params.id, body.task),
)
