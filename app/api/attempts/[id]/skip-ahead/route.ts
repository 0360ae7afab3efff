import { z } from 'zod'
import { services } from '../../../../../platform/services.ts'
import { answer, answerBody } from '../../../answer.ts'

/** null: until something happens. */
const shape = z.strictObject({ seconds: z.number().int().min(1).max(3600).nullable() })

export const POST = answerBody<z.infer<typeof shape>, { id: string }>(shape, ({ person, params, body }) =>
  services().attempts.skipAhead(person, params.id, body.seconds),
)

export const DELETE = answer<{ id: string }>(({ person, params }) => services().attempts.stopSkipping(person, params.id))
