import { ApiError } from '../machinery/errors.ts'
import type { KubeObject } from '../machinery/object.ts'
import type { Conversion } from '../registry/resource-info.ts'
import type { CustomResourceDefinition, WebhookClientConfig } from '../schema/types/apiextensions.v1.ts'

/**
 * Posts a review to where a definition's conversion webhook is and resolves
 * with the answer. Rejects with an Error that says why there is none.
 */
export type ConversionConnector = (where: WebhookClientConfig, review: unknown) => Promise<unknown>

interface Answer {
  apiVersion?: string
  kind?: string
  response?: { uid?: string; result?: { status?: string; message?: string }; convertedObjects?: KubeObject[] }
}

/**
 * How the versions of a definition become each other: by their name alone, or through its webhook, whose answers are
 * checked as apiextensions-apiserver does (webhook_converter.go). Undefined when nothing is to convert.
 */
export function conversionWebhook(
  { spec }: CustomResourceDefinition,
  connect: ConversionConnector,
  uid: () => string,
): NonNullable<Conversion['webhook']> | undefined {
  const { conversion } = spec
  const where = conversion?.webhook?.clientConfig
  if (conversion?.strategy !== 'Webhook' || !where) return undefined
  return async (objects, apiVersion) => {
    const foreign = objects.filter((object) => object.apiVersion !== apiVersion)
    if (foreign.length === 0) return [...objects]
    const [first] = foreign
    const what = `conversion webhook for ${first?.apiVersion}, Kind=${first?.kind}`
    const asked = uid()
    const version = conversion.webhook?.conversionReviewVersions?.find((one) => one === 'v1' || one === 'v1beta1')
    if (!version) throw failure('no supported conversion review versions')
    const review = {
      kind: 'ConversionReview',
      apiVersion: `apiextensions.k8s.io/${version}`,
      request: { uid: asked, desiredAPIVersion: apiVersion, objects: foreign },
    }
    let converted: KubeObject[]
    try {
      converted = objectsOf((await connect(where, review)) as Answer, version, asked)
    } catch (error) {
      throw failure(`${what} failed: ${error instanceof Error ? error.message : String(error)}`, error)
    }
    if (converted.length !== foreign.length) {
      throw failure(`${what} returned ${converted.length} objects, expected ${foreign.length}`)
    }
    const answers = foreign.map((object, index) => {
      const problem = problemOf(object, converted[index] as KubeObject, apiVersion)
      if (problem) throw failure(`${what} returned invalid converted object at index ${index}: ${problem}`)
      return withMetadata(object, converted[index] as KubeObject)
    })
    return objects.map((object) => (object.apiVersion === apiVersion ? object : (answers[foreign.indexOf(object)] as KubeObject)))
  }
}

function failure(message: string, cause?: unknown): ApiError {
  return new ApiError(500, undefined, message, undefined, cause)
}

function objectsOf({ apiVersion, kind, response }: Answer, version: string, asked: string): KubeObject[] {
  if (version === 'v1' && (apiVersion !== 'apiextensions.k8s.io/v1' || kind !== 'ConversionReview')) {
    throw new Error(
      `expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got ${apiVersion ?? ''}, Kind=${kind ?? ''}`,
    )
  }
  if (!response) throw new Error('no response provided')
  if (version === 'v1' && response.uid !== asked) {
    throw new Error(`expected response.uid=${JSON.stringify(asked)}, got ${JSON.stringify(response.uid ?? '')}`)
  }
  const { result, convertedObjects } = response
  if (result?.status !== 'Success')
    throw new Error(result?.message || `response.result.status was '${result?.status ?? ''}', not 'Success'`)
  return convertedObjects ?? []
}

function problemOf(before: KubeObject, after: KubeObject, apiVersion: string): string | undefined {
  if (after.apiVersion !== apiVersion) return `invalid groupVersion (expected ${apiVersion}, received ${after.apiVersion})`
  if (after.kind !== before.kind) return `invalid kind (expected ${before.kind}, received ${after.kind})`
  if (typeof after.metadata !== 'object' || after.metadata === null) return 'missing metadata in converted object'
  for (const [field, name] of [
    ['name', 'name'],
    ['namespace', 'namespace'],
    ['uid', 'UID'],
  ] as const) {
    const [expected = '', got = ''] = [before.metadata[field], after.metadata[field]]
    if (expected !== got) return `must have the same ${name}: ${expected} != ${got}`
  }
  return undefined
}

/** Of the metadata a webhook may change labels and annotations, nothing else. */
function withMetadata(before: KubeObject, after: KubeObject): KubeObject {
  const { labels: _labels, annotations: _annotations, ...kept } = before.metadata
  const { labels, annotations } = after.metadata
  return { ...after, metadata: { ...kept, ...(labels ? { labels } : {}), ...(annotations ? { annotations } : {}) } }
}
