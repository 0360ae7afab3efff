import { services } from '../../../../../platform/services.ts'
import { answer } from '../../../answer.ts'

export const GET = answer<{ slug: string }>(({ person, params }) => services().grading.mine(person, params.slug))
