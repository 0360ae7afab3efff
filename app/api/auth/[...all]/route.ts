import { services } from '../../../../platform/services.ts'
import { answerAnybody } from '../../answer.ts'

export const GET = answerAnybody((request) => services().people.handler(request))
export const POST = GET
