import { getTranslations } from 'next-intl/server'
import { z } from 'zod'
import { type Person, services } from '../../platform/services.ts'

const objectChange = z.looseObject({
  time: z.number(),
  type: z.enum(['ADDED', 'MODIFIED', 'DELETED']),
  object: z.looseObject({
    kind: z.string().optional(),
    metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
  }),
})
/** Somebody skipped time; both in cluster ms. */
const timeSkip = z.looseObject({ time: z.number(), type: z.literal('SKIPPED'), to: z.number() })
const change = z.discriminatedUnion('type', [objectChange, timeSkip])
type Change = z.infer<typeof change>

const most = 400
/** ms in which a cluster's first objects are told */
const beginning = 1_000

/** What happened to objects from the start to the hand-in, oldest first. */
export async function ObjectChanges({ person, submission, digest }: { person: Person; submission: string; digest: string }) {
  const t = await getTranslations('submission')
  const { bytes } = await services().grading.evidence(person, submission, digest)
  const changes = readChanges(new TextDecoder().decode(bytes))
  const start = changes[0]?.time ?? 0
  if (changes.length === 0) return <p>{t('noChanges')}</p>
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a long table scrolls, and must scroll by keyboard too */}
      <div className="table-scroll changes" tabIndex={0}>
        <table className="table">
          <thead>
            <tr>
              <th scope="col">{t('changeTime')}</th>
              <th scope="col">{t('changeType')}</th>
              <th scope="col">{t('changeObject')}</th>
            </tr>
          </thead>
          <tbody>
            {changes.slice(0, most).map((each, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a change has no other name, and the list never changes
              <tr key={index}>
                <td className="label whitespace-nowrap">+{((each.time - start) / 1000).toFixed(1)} s</td>
                <td className="whitespace-nowrap">{t(`change${each.type}`)}</td>
                <td>
                  {each.type === 'SKIPPED' ? (
                    t('skippedBy', { seconds: Math.round((each.to - each.time) / 1000) })
                  ) : (
                    <>
                      {each.object.kind ?? ''} {each.object.metadata.name}
                      {each.object.metadata.namespace ? <span className="label"> {each.object.metadata.namespace}</span> : null}
                    </>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {changes.length > most ? <p className="label">{t('moreChanges', { count: changes.length - most })}</p> : null}
    </>
  )
}

/** In the order of time, without what was there when the lab began. */
function readChanges(text: string): Change[] {
  const all = z
    .array(change)
    .parse(JSON.parse(text))
    .sort((a, b) => a.time - b.time)
  const start = all[0]?.time ?? 0
  return all.filter(({ type, time }) => type !== 'ADDED' || time - start > beginning)
}
