import { services } from '../../../../platform/services.ts'
import { answer } from '../../answer.ts'

export const GET = answer<{ id: string }>(({ person, params }) => services().attempts.get(person, params.id))
export const DELETE = answer<{ id: string }>(({ person, params }) => services().attempts.end(person, params.id))
