import { services } from '../../../../../../platform/services.ts'
import { answer } from '../../../../answer.ts'
import { download } from '../../../../download.ts'

export const GET = answer<{ id: string; digest: string }>(async ({ person, params }) =>
  download(await services().grading.evidence(person, params.id, params.digest)),
)
