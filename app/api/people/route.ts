import { services } from '../../../platform/services.ts'
import { answer } from '../answer.ts'

export const GET = answer(({ person }) => services().people.list(person))
