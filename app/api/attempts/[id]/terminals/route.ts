import { z } from 'zod'
import { services } from '../../../../../platform/services.ts'
import { answerBody } from '../../../answer.ts'

const shape = z.strictObject({ node: z.string().max(253).nullable().default(null) })

export const POST = answerBody<z.infer<typeof shape>, { id: string }>(shape, ({ person, params, body }) =>
  services().attempts.openTerminal(person, params.id, body.node),
)
