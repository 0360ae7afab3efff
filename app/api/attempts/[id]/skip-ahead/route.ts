import { z } from 'zod'
import { services } from '../../../../../platform/services.ts'
import { answerBody } from '../../../answer.ts'

const shape = z.strictObject({ seconds: z.number().int().min(1).max(3600) })

export const POST = answerBody<z.infer<typeof shape>, { id: string }>(shape, ({ person, params, body }) =>
  services().attempts.skipAhead(person, params.id, body.seconds),
)
