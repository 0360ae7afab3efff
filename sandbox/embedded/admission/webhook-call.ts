import { ApiError } from '../machinery/errors.ts'
import { asJson } from '../schema/go-empty.ts'
import type { AdmissionReview } from '../schema/types/admission.v1.ts'
import type { MutatingWebhook, ServiceReference, ValidatingWebhook } from '../schema/types/admissionregistration.v1.ts'
import type { AdmissionRequest } from './admission.ts'

/**
 * Sends a review to a Service of the cluster or to a url, and resolves with the answer's body. Rejects with an Error that says why
 * nobody answered. `timeout` in ms of cluster time; `ca` is what its certificate is checked by, PEM.
 */
export type WebhookConnector = (
  where: { service?: ServiceReference; url?: string },
  review: unknown,
  options: { timeout: number; ca: Uint8Array | undefined },
) => Promise<unknown>

export type Webhook = MutatingWebhook | ValidatingWebhook

export interface WebhookAnswer {
  allowed: boolean
  status?: { code?: number; reason?: string; message?: string; status?: string }
  /** Base64 of a JSON patch. */
  patch?: string
  patchType?: string
  warnings?: string[]
  auditAnnotations?: Record<string, string>
}

/** A webhook that could not be asked, or whose answer makes no sense: what failurePolicy is about. */
export class WebhookFailure extends Error {}

/**
 * Asks a webhook about a request (already in the version that the webhook wants). Resolves with its answer when it allows;
 * rejects with its refusal (ApiError) or with WebhookFailure.
 */
export async function askWebhook(
  webhook: Webhook,
  request: AdmissionRequest,
  original: Pick<AdmissionRequest, 'kind' | 'resource'>,
  { connect, uid, mutating }: { connect: WebhookConnector; uid: string; mutating: boolean },
): Promise<WebhookAnswer> {
  const failure = (why: string, cause?: unknown) =>
    new WebhookFailure(`failed calling webhook ${JSON.stringify(webhook.name)}: ${why}`, { cause })
  if (request.dryRun && webhook.sideEffects !== 'None' && webhook.sideEffects !== 'NoneOnDryRun') {
    throw ApiError.badRequest(`admission webhook ${JSON.stringify(webhook.name)} does not support dry run`)
  }
  const version = webhook.admissionReviewVersions?.find((one) => one === 'v1' || one === 'v1beta1')
  if (!version) {
    throw failure('could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)')
  }
  const { service, url, caBundle } = webhook.clientConfig
  const apiVersion = `admission.k8s.io/${version}`
  const review = { kind: 'AdmissionReview', apiVersion, request: { uid, ...asReviewed(request, original) } }
  let answer: AdmissionReview
  try {
    const ca = caBundle === undefined ? undefined : Buffer.from(caBundle as unknown as string, 'base64')
    answer = (await connect({ ...(service ? { service } : {}), ...(url ? { url } : {}) }, review, {
      timeout: (webhook.timeoutSeconds ?? 10) * 1000,
      ca,
    })) as AdmissionReview
  } catch (error) {
    throw failure(`failed to call webhook: ${error instanceof Error ? error.message : String(error)}`, error)
  }
  const problem = problemOf(answer, apiVersion, uid, mutating)
  if (problem) throw failure(`received invalid webhook response: ${problem}`)
  const response = answer.response as unknown as WebhookAnswer
  for (const [key, value] of Object.entries(response.auditAnnotations ?? {})) request.annotate(`${webhook.name}/${key}`, value)
  for (const warning of response.warnings ?? []) request.warn(warning)
  if (!response.allowed) throw denial(webhook.name, response)
  return response
}

/** The request of an AdmissionReview. `original` is what the client asked for, where the webhook sees another version of it. */
export function asReviewed(request: AdmissionRequest, original: Pick<AdmissionRequest, 'kind' | 'resource'> = request) {
  const { kind, resource, subresource, name, namespace, operation, user, object, oldObject, dryRun, options } = request
  const { username, uid, groups, extra } = user
  return {
    kind,
    resource,
    ...(subresource ? { subResource: subresource } : {}),
    requestKind: original.kind,
    requestResource: original.resource,
    ...(subresource ? { requestSubResource: subresource } : {}),
    ...(name ? { name } : {}),
    ...(namespace ? { namespace } : {}),
    operation,
    userInfo: { username, ...(uid ? { uid } : {}), groups, ...(extra && Object.keys(extra).length > 0 ? { extra } : {}) },
    object: object ? asJson(object) : null,
    oldObject: oldObject ?? null,
    dryRun,
    options,
  }
}

function problemOf(answer: AdmissionReview, apiVersion: string, uid: string, mutating: boolean): string | undefined {
  const response = answer.response as unknown as (WebhookAnswer & { uid?: string }) | undefined
  if (!response) return 'webhook response was absent'
  // Of the first version neither was ever checked.
  if (apiVersion !== 'admission.k8s.io/v1') return undefined
  if (response.uid !== uid) return `expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`
  const given = answer as unknown as { apiVersion?: string; kind?: string }
  if (given.apiVersion !== apiVersion || given.kind !== 'AdmissionReview') {
    const got = `${given.apiVersion ?? '/'}, Kind=${given.kind ?? ''}`
    return `expected webhook response of ${apiVersion}, Kind=AdmissionReview, got ${got}`
  }
  const { patch, patchType } = response
  if (!mutating) {
    if (patch) return 'validating webhook may not return response.patch'
    return patchType === undefined ? undefined : 'validating webhook may not return response.patchType'
  }
  if (patch && patchType === undefined) return 'webhook returned response.patch but not response.patchType'
  if (!patch && patchType !== undefined) return 'webhook returned response.patchType but not response.patch'
  return patchType === '' ? 'webhook returned invalid response.patchType of ""' : undefined
}

function denial(webhook: string, { status }: WebhookAnswer): ApiError {
  const start = `admission webhook ${JSON.stringify(webhook)} denied the request`
  const text = status?.message
    ? `${start}: ${status.message}`
    : status?.reason
      ? `${start}: ${status.reason}`
      : `${start} without explanation`
  const code = status?.code && status.code >= 400 ? status.code : 400
  return new ApiError(code, status?.reason as never, text)
}
