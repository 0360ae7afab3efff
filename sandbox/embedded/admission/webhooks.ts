import { compile, toCel } from '../crd/cel.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { ApiError } from '../machinery/errors.ts'
import type { KubeObject } from '../machinery/object.ts'
import { applyJsonPatch } from '../patch/json-patch.ts'
import type { AdmissionReview } from '../schema/types/admission.v1.ts'
import type { MutatingWebhook, ServiceReference, ValidatingWebhook } from '../schema/types/admissionregistration.v1.ts'
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts'
import { matches } from './matching.ts'

/**
 * Sends an AdmissionReview to a Service of the cluster and resolves with the answer's body. Rejects with an Error that
 * says why nobody answered. `timeout` in ms of cluster time; `ca` is what its certificate is checked by, PEM.
 */
export type WebhookConnector = (
  service: ServiceReference,
  review: unknown,
  options: { timeout: number; ca: Uint8Array | undefined },
) => Promise<unknown>

type Webhook = MutatingWebhook | ValidatingWebhook
type Configuration = KubeObject & { webhooks?: Webhook[] }

/** Mutating and validating webhooks. Only Services of the cluster are called: no URL leads out of it. */
export function admissionWebhooks(context: Pick<ClusterContext, 'cache' | 'random'>, connect: WebhookConnector): AdmissionPlugin[] {
  const { cache } = context
  const plugin = (name: string, resource: string, phase: 'mutate' | 'validate'): AdmissionPlugin => ({
    name,
    handles: () => cache.list(configurations(resource)).length > 0,
    async [phase](request: AdmissionRequest) {
      for (const { webhooks = [] } of cache.list<Configuration>(configurations(resource))) {
        for (const webhook of webhooks) if (applies(webhook, request)) await call(webhook, request, phase === 'mutate')
      }
    },
  })
  return [
    plugin('MutatingAdmissionWebhook', 'mutatingwebhookconfigurations', 'mutate'),
    plugin('ValidatingAdmissionWebhook', 'validatingwebhookconfigurations', 'validate'),
  ]

  function applies(webhook: Webhook, request: AdmissionRequest): boolean {
    const { rules = [], namespaceSelector, objectSelector } = webhook
    const match = { rules, ...(namespaceSelector ? { namespaceSelector } : {}), ...(objectSelector ? { objectSelector } : {}) }
    if (!matches(cache, request, match)) return false
    const variables = { object: toCel(request.object ?? null), oldObject: toCel(request.oldObject ?? null), request: toCel(about(request)) }
    return (webhook.matchConditions ?? []).every(({ expression }) => compile(expression)(variables) === true)
  }

  async function call(webhook: Webhook, request: AdmissionRequest, mutating: boolean): Promise<void> {
    const uid = Array.from({ length: 32 }, () => Math.floor(context.random() * 16).toString(16)).join('')
    const response = await ask(webhook, request, uid)
    if (!response) return
    for (const warning of response.warnings ?? []) request.warn(warning)
    if (!response.allowed) throw denial(webhook.name, response)
    if (!mutating || !response.patch) return
    const patch = JSON.parse(Buffer.from(response.patch as unknown as string, 'base64').toString()) as unknown
    request.object = applyJsonPatch(request.object, patch) as KubeObject
  }

  /** Undefined when the webhook cannot be reached and its failurePolicy is Ignore. */
  async function ask(webhook: Webhook, request: AdmissionRequest, uid: string): Promise<Answer | undefined> {
    try {
      const { service } = webhook.clientConfig
      if (!service) throw new Error(`webhooks by url are not called from this cluster: ${webhook.clientConfig.url}`)
      const review = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: { uid, ...about(request) } }
      const { caBundle } = webhook.clientConfig
      const ca = caBundle === undefined ? undefined : Buffer.from(caBundle as unknown as string, 'base64')
      const answer = (await connect(service, review, { timeout: (webhook.timeoutSeconds ?? 10) * 1000, ca })) as AdmissionReview
      const { response } = answer
      if (!response) throw new Error('webhook response was absent')
      if (response.uid !== uid) throw new Error(`expected response.uid="${uid}", got "${response.uid}"`)
      return response as unknown as Answer
    } catch (error) {
      if (webhook.failurePolicy === 'Ignore') return undefined
      const why = error instanceof Error ? error.message : String(error)
      throw ApiError.internal(
        new Error(`failed calling webhook ${JSON.stringify(webhook.name)}: failed to call webhook: ${why}`, { cause: error }),
      )
    }
  }
}

interface Answer {
  allowed: boolean
  status?: { code?: number; reason?: string; message?: string }
  patch?: string
  warnings?: string[]
}

function configurations(resource: string) {
  return { group: 'admissionregistration.k8s.io', version: 'v1', resource }
}

function about({ kind, resource, subresource, name, namespace, operation, user, object, oldObject, dryRun, options }: AdmissionRequest) {
  const where = { kind, resource, requestKind: kind, requestResource: resource, ...(subresource ? { subResource: subresource } : {}) }
  return { ...where, name, namespace, operation, userInfo: user, object: object ?? null, oldObject: oldObject ?? null, dryRun, options }
}

function denial(webhook: string, { status }: Answer): ApiError {
  const start = `admission webhook ${JSON.stringify(webhook)} denied the request`
  const text = status?.message
    ? `${start}: ${status.message}`
    : status?.reason
      ? `${start}: ${status.reason}`
      : `${start} without explanation`
  const code = status?.code && status.code >= 400 ? status.code : 403
  return new ApiError(code, code === 403 ? 'Forbidden' : (status?.reason as never), text)
}
