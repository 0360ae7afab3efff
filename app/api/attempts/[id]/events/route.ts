import { services } from '../../../../../platform/services.ts'
import { answer } from '../../../answer.ts'
import { eventStream } from '../../../event-stream.ts'

export const GET = answer<{ id: string }>(({ person, params, request }) =>
  eventStream(request.signal, (send, signal) => services().attempts.events(person, params.id, send, signal)),
)
