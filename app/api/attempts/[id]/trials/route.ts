import { services } from '../../../../../platform/services.ts'
import { answer } from '../../../answer.ts'

export const POST = answer<{ id: string }>(({ person, params }) => services().attempts.tryNow(person, params.id))
