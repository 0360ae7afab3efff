import { services } from '../../../../platform/services.ts'
import { answer } from '../../answer.ts'

export const GET = answer<{ id: string }>(({ person, params }) => services().grading.submission(person, params.id))
