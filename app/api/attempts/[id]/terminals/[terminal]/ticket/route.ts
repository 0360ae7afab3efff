import { services } from '../../../../../../../platform/services.ts'
import { answer } from '../../../../../answer.ts'

export const POST = answer<{ id: string; terminal: string }>(({ person, params }) =>
  services().attempts.terminalTicket(person, params.id, params.terminal),
)
