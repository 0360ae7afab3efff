import { services } from '../../../platform/services.ts'
import { answerAnybody } from '../answer.ts'

export const GET = answerAnybody(() => services().health())
