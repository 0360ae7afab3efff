import { z } from 'zod'
import { services } from '../../../platform/services.ts'
import { answerBody } from '../answer.ts'

const shape = z.strictObject({ token: z.string().min(1).max(200) })

export const POST = answerBody(shape, ({ person, body }) => services().people.claimFirstRun(person, body.token))
