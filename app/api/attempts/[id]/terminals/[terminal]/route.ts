import { services } from '../../../../../../platform/services.ts'
import { answer } from '../../../../answer.ts'

export const DELETE = answer<{ id: string; terminal: string }>(({ person, params }) =>
  services().attempts.closeTerminal(person, params.id, params.terminal),
)
