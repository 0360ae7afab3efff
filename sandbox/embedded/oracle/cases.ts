import type { Exchange } from './exchange.ts'
import { mutationsOf } from './mutations.ts'
import type { Specimen } from './specimens/index.ts'

/** What is sent to make the specimen's mutations: each is answered as if it had been made, and none is. */
export function creations(specimen: Specimen): Exchange[] {
  const path = `${collectionOf(specimen)}?dryRun=All&fieldManager=ann`
  const whole = { title: 'as it is', body: specimen.body }
  return [whole, ...mutationsOf(specimen)].map(({ title, body }) => ({
    title: `create ${specimen.title}: ${title}`,
    method: 'POST',
    path,
    body,
  }))
}

export function collectionOf({ apiVersion, namespaced, resource }: Specimen): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  return `${root}/${namespaced ? 'namespaces/default/' : ''}${resource}`
}
