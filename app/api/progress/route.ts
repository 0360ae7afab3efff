import { services } from '../../../platform/services.ts'
import { answer } from '../answer.ts'

export const GET = answer(async ({ person }) => ({
  lessons: await services().progress.lessons(person),
  labs: await services().progress.labs(person),
}))
