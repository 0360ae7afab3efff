import { z } from 'zod'
import { services } from '../../../../platform/services.ts'
import { answerBody } from '../../answer.ts'

const shape = z.strictObject({ role: z.enum(['learner', 'instructor', 'admin']) })

export const PATCH = answerBody<z.infer<typeof shape>, { id: string }>(shape, ({ person, params, body }) =>
  services().people.setRole(person, params.id, body.role),
)
