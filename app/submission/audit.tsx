import { getTranslations } from 'next-intl/server'
import { z } from 'zod'
import { type Person, services } from '../../platform/services.ts'
import { AuditTable } from './audit-table.tsx'

const request = z.object({
  /** Real ms, as the recordings have it; `time` is the cluster's. */
  at: z.number(),
  time: z.number(),
  user: z.string(),
  agent: z.string().nullable(),
  verb: z.string(),
  group: z.string(),
  resource: z.string(),
  namespace: z.string().nullable(),
  name: z.string().nullable(),
  code: z.number(),
})
export type AuditedRequest = z.infer<typeof request>

interface Props {
  locale: string
  person: Person
  submission: string
  /** Of the stored log; null where the engine keeps none. */
  digest: string | null
  /** There are recordings whose moments can be shown. */
  replay: boolean
}

/** Who asked the API for what, from the start to the hand-in. */
export async function Audit({ locale, person, submission, digest, replay }: Props) {
  const t = await getTranslations('audit')
  if (digest === null) return <p>{t('none')}</p>
  const { bytes } = await services().grading.evidence(person, submission, digest)
  const requests = z.array(request).parse(JSON.parse(new TextDecoder().decode(bytes)))
  if (requests.length === 0) return <p>{t('empty')}</p>
  const words = {
    user: t('user'),
    verb: t('verb'),
    resource: t('resource'),
    all: t('all'),
    time: t('time'),
    object: t('object'),
    answer: t('answer'),
    show: t('show'),
    shown: t.raw('shown') as string,
    caption: t('caption'),
  }
  return <AuditTable requests={requests} locale={locale} replay={replay} words={words} />
}
