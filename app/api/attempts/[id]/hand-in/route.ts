import { services } from '../../../../../platform/services.ts'
import { answer } from '../../../answer.ts'

export const POST = answer<{ id: string }>(({ person, params }) => services().attempts.handIn(person, params.id))
