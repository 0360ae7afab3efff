import { uuid } from '../api/object-meta.ts'
import type { ServedResources } from '../api/resources.ts'
import type { Authorizer } from '../auth/rbac.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { ApiError } from '../machinery/errors.ts'
import { deepEqual } from '../machinery/freeze.ts'
import type { KubeObject } from '../machinery/object.ts'
import { applyJsonPatch } from '../patch/json-patch.ts'
import { PatchError } from '../patch/patch-error.ts'
import type { MutatingWebhook } from '../schema/types/admissionregistration.v1.ts'
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts'
import { conversions } from './equivalents.ts'
import { variablesOf } from './expression-variables.ts'
import { conditionsHold, seenBy } from './policy-match.ts'
import { conditionsOf } from './policy-program.ts'
import { askWebhook, type Webhook, type WebhookAnswer, type WebhookConnector, WebhookFailure } from './webhook-call.ts'

export interface WebhookContext extends Pick<ClusterContext, 'cache' | 'random'> {
  authorizer: Pick<Authorizer, 'authorize'>
  resources: Pick<ServedResources, 'all'>
}

type Configuration = KubeObject & { webhooks?: Webhook[] }

/** A webhook that wants to be asked, and the request in the version that it knows. */
interface Invocation {
  webhook: Webhook
  id: string
  request: AdmissionRequest
}

/**
 * Mutating webhooks, one after the other in the order of their configurations' names, and validating ones, all at once.
 * Where their urls lead is for `connect` to say.
 */
export function admissionWebhooks(context: WebhookContext, connect: WebhookConnector): AdmissionPlugin[] {
  const { cache } = context
  const equivalents = conversions(context.resources)
  return [
    {
      name: 'MutatingAdmissionWebhook',
      handles: () => cache.list(configurations('mutatingwebhookconfigurations')).length > 0,
      mutate,
    },
    {
      name: 'ValidatingAdmissionWebhook',
      handles: () => cache.list(configurations('validatingwebhookconfigurations')).length > 0,
      async validate(request) {
        const invocations: Invocation[] = []
        for (const { webhook, id } of webhooks('validatingwebhookconfigurations')) {
          const seen = await invocation(webhook, id, request)
          if (seen) invocations.push(seen)
        }
        const outcomes = await Promise.allSettled(invocations.map((one) => askOrPass(one.webhook, one.request, request, false)))
        const refused = outcomes.find((outcome) => outcome.status === 'rejected')
        if (refused) throw refused.reason
      },
    },
  ]

  async function mutate(request: AdmissionRequest): Promise<void> {
    const rounds = request.reinvocation.of('MutatingAdmissionWebhook')
    rounds.begin(request.object)
    for (const { webhook, id } of webhooks('mutatingwebhookconfigurations')) {
      const seen = await invocation(webhook, id, request)
      if (!seen || rounds.skips(id)) continue
      const answer = await askOrPass(webhook, seen.request, request, true)
      const patched = answer?.patch ? patchedBy(webhook, answer.patch, seen.request) : undefined
      const changed = patched !== undefined && !deepEqual(patched, seen.request.object)
      if (changed) request.object = await equivalents.back(patched, seen.request, request)
      rounds.called(id, { changed, reinvocable: (webhook as MutatingWebhook).reinvocationPolicy === 'IfNeeded' })
    }
    rounds.end(request.object)
  }

  function webhooks(resource: string): { webhook: Webhook; id: string }[] {
    return cache
      .list<Configuration>(configurations(resource))
      .toSorted((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1))
      .flatMap(({ metadata, webhooks: listed = [] }) =>
        listed.map((webhook, index) => ({ webhook, id: `${metadata.name}/${webhook.name}/${index}` })),
      )
  }

  /** The request as the webhook is to see it; undefined when it is none of its business. */
  async function invocation(webhook: Webhook, id: string, request: AdmissionRequest): Promise<Invocation | undefined> {
    const { rules = [], namespaceSelector, objectSelector } = webhook
    const match = { rules, ...(namespaceSelector ? { namespaceSelector } : {}), ...(objectSelector ? { objectSelector } : {}) }
    const seen = await seenBy(cache, equivalents, request, match, webhook.matchPolicy)
    return seen && fits(webhook, seen, request) ? { webhook, id, request: seen } : undefined
  }

  /** Its match conditions. Throws ApiError Forbidden when one cannot be evaluated and that is to count. */
  function fits({ matchConditions = [], failurePolicy }: Webhook, seen: AdmissionRequest, request: AdmissionRequest): boolean {
    if (matchConditions.length === 0) return true
    const { hold, fault } = conditionsHold(conditionsOf(matchConditions), variablesOf(seen, request, context))
    if (fault === undefined || failurePolicy === 'Ignore') return hold
    throw ApiError.forbidden(request.resource, request.name, fault)
  }

  /** Undefined when the webhook cannot be reached and that is to be ignored. */
  async function askOrPass(
    webhook: Webhook,
    seen: AdmissionRequest,
    request: AdmissionRequest,
    mutating: boolean,
  ): Promise<WebhookAnswer | undefined> {
    try {
      return await askWebhook(webhook, seen, request, { connect, uid: uuid(context.random), mutating })
    } catch (error) {
      if (!(error instanceof WebhookFailure)) throw error
      if (webhook.failurePolicy !== 'Ignore') throw ApiError.internal(error)
      const prefix = mutating ? 'failed-open.mutation.webhook.admission.k8s.io' : 'failed-open.validating.webhook.admission.k8s.io'
      request.annotate(`${prefix}/round_${request.reinvocation.again ? 1 : 0}_index_0`, webhook.name)
      return undefined
    }
  }
}

function configurations(resource: string) {
  return { group: 'admissionregistration.k8s.io', version: 'v1', resource }
}

/** The object as the webhook's patch makes it, read as its kind is read. Throws ApiError. */
function patchedBy({ name }: Webhook, encoded: string, request: AdmissionRequest): KubeObject | undefined {
  const patch = JSON.parse(Buffer.from(encoded, 'base64').toString()) as unknown[]
  if (patch.length === 0) return undefined
  if (!request.object) {
    const why = `admission webhook ${JSON.stringify(name)} attempted to modify the object, which is not supported for this operation`
    throw ApiError.internal(new Error(why))
  }
  try {
    return request.read(applyJsonPatch(copyOf(request.object), patch) as KubeObject)
  } catch (error) {
    if (error instanceof PatchError) throw ApiError.internal(error)
    throw error
  }
}
