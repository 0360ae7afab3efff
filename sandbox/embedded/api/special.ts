import type { Reviews } from '../auth/reviews.ts'
import { createToken, type TokenRequestContext } from '../auth/token-request.ts'
import { ApiError } from '../machinery/errors.ts'
import { deepEqual } from '../machinery/freeze.ts'
import type { NodeApi } from '../machinery/node-api.ts'
import type { KubeObject } from '../machinery/object.ts'
import { atOnce } from '../machinery/pieces.ts'
import { forbidden, Path, specPath } from '../registry/field.ts'
import type { ResourceInfo } from '../registry/index.ts'
import { specDiff } from '../registry/pod-diff.ts'
import { validatePod } from '../registry/pod-validation.ts'
import { validateConditions } from '../registry/rules/certificates.ts'
import { asJson } from '../schema/go-empty.ts'
import type { TokenRequest } from '../schema/types/authentication.v1.ts'
import type { CertificateSigningRequest } from '../schema/types/certificates.v1.ts'
import type { Namespace, Pod } from '../schema/types/core.v1.ts'
import type { SpecialHandler } from './api-server.ts'
import { objectOutcome, type ResourceCall } from './call.ts'
import { metricsHandlers } from './metrics.ts'
import { matchNamespace, timestamp } from './object-meta.ts'
import { writeOptions } from './options.ts'
import type { ResourceHandler } from './resource-handler.ts'
import type { ServedResources } from './resources.ts'
import type { UpdateRules } from './rest.ts'
import { logHandler } from './streaming/logs.ts'
import { bindingHandler } from './subresources/binding.ts'
import { evictionHandler } from './subresources/eviction.ts'
import { type ProxyParts, proxyHandlers } from './subresources/proxy.ts'
import { resizeRules } from './subresources/resize.ts'
import { type ScalePaths, scaleHandler } from './subresources/scale.ts'

export interface SpecialParts {
  generic: ResourceHandler
  resources: ServedResources
  reviews: Reviews
  tokens: TokenRequestContext
  scalePaths(info: ResourceInfo): ScalePaths | undefined
  nodes(): NodeApi
  proxy: ProxyParts
}

/** The handlers of subresources and kinds with ways of their own. */
export function specialHandlers({
  generic,
  resources,
  reviews,
  tokens,
  scalePaths,
  nodes,
  proxy,
}: SpecialParts): Map<string, SpecialHandler> {
  const binding = bindingHandler(generic, resources)
  const review: SpecialHandler = async (call) => {
    if (call.request.verb !== 'create') throw ApiError.methodNotSupported()
    const options = writeOptions(call.request.query, 'CreateOptions')
    const object = generic.body(call, call.info, options)
    call.info.strategy.default(object)
    matchNamespace(call.info, object, call.path.namespace)
    await generic.track(call, options, undefined, object)
    return objectOutcome(asJson(reviews.create(object, call.user)), call.info, 201)
  }
  const questions = resources.all().filter((info) => reviews.handles(info))
  return new Map<string, SpecialHandler>([
    ...questions.map((info) => [`${info.resource}.${info.group}`, review] as const),
    ['*/scale', scaleHandler(generic, scalePaths)],
    ['pods/log', logHandler(generic, nodes)],
    ...['attach', 'exec', 'portforward'].map((name) => [`pods/${name}`, withoutUpgrade(generic)] as const),
    ...proxyHandlers(proxy),
    ['pods/binding', binding],
    ['bindings', binding],
    ['pods/eviction', evictionHandler(generic, resources)],
    ['pods/ephemeralcontainers', withRules(generic, ephemeralContainers)],
    ['pods/resize', withRules(generic, resizeRules)],
    ['namespaces/finalize', withRules(generic, finalize(resources))],
    ['certificatesigningrequests.certificates.k8s.io/approval', withRules(generic, approval(generic))],
    ['serviceaccounts/token', tokenHandler(generic, tokens)],
    ['componentstatuses', componentStatuses],
    ...metricsHandlers(generic.rest, nodes),
  ])
}

/** GET, PUT and PATCH of an object's view that writes only some of it. */
function withRules(generic: ResourceHandler, rules: UpdateRules): SpecialHandler {
  return (call) => (call.request.verb === 'get' ? generic.handle(call) : generic.writeSubresource(call, rules))
}

/** A conversation that begins as a plain request comes to nothing. */
function withoutUpgrade(generic: ResourceHandler): SpecialHandler {
  return async ({ info, path }) => {
    await generic.rest.get(info, path.namespace, path.name)
    throw ApiError.badRequest('Upgrade request required')
  }
}

function tokenHandler(generic: ResourceHandler, context: TokenRequestContext): SpecialHandler {
  return async (call) => {
    if (call.request.verb !== 'create') throw ApiError.methodNotSupported()
    const { namespace, name } = call.path
    const options = writeOptions(call.request.query, 'CreateOptions')
    const kind = { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' }
    const request = generic.body(call, kind, options) as TokenRequest
    await generic.rest.admitBody(generic.writeRequest(call, options, 'CreateOptions'), 'CREATE', request)
    request.spec = { ...request.spec, expirationSeconds: request.spec?.expirationSeconds ?? 3600 } as TokenRequest['spec']
    generic.track({ ...call, info: { ...call.info, ...kind } }, options, undefined, request)
    return objectOutcome(createToken(context, namespace, name, request), undefined, 201)
  }
}

/** Only the spec's finalizers: what a namespace waits for beside its contents. */
function finalize(resources: ServedResources): UpdateRules {
  return {
    prepare: (object, old) => {
      ;(object as Namespace).status = structuredClone((old as Namespace).status) as NonNullable<Namespace['status']>
    },
    validate(object, old) {
      const namespaces = resources.find('', 'v1', 'namespaces')
      return namespaces ? atOnce(namespaces.strategy.validateUpdate(object, old)) : []
    },
  }
}

function approval(generic: ResourceHandler): UpdateRules {
  return {
    prepare: (object, old) => {
      const next = object as CertificateSigningRequest
      const before = old as CertificateSigningRequest
      const now = timestamp(generic.rest.clock.now())
      const conditions = next.status?.conditions?.map((condition) => {
        const same = before.status?.conditions?.find((known) => known.type === condition.type)
        return {
          ...condition,
          lastUpdateTime: condition.lastUpdateTime ?? now,
          lastTransitionTime: condition.lastTransitionTime ?? same?.lastTransitionTime ?? now,
        }
      })
      next.spec = structuredClone(before.spec)
      next.status = { ...structuredClone(before.status), ...(conditions ? { conditions } : {}) }
    },
    validate: (object, old) => validateConditions(object as CertificateSigningRequest, old as CertificateSigningRequest),
  }
}

const ephemeralContainers: UpdateRules = {
  prepare: (object, old) => {
    const pod = object as Pod
    const spec = structuredClone((old as Pod).spec)
    if (spec && pod.spec?.ephemeralContainers) spec.ephemeralContainers = pod.spec.ephemeralContainers
    Object.assign(pod, { spec, status: structuredClone((old as Pod).status) })
  },
  validate: (object, old) => {
    const path = specPath.child('ephemeralContainers')
    const after = (object as Pod).spec?.ephemeralContainers ?? []
    const errors = validatePod(object as Pod)
    if ((old as Pod).metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined) {
      return [forbidden(new Path(''), 'static pods do not support ephemeral containers')]
    }
    for (const container of (old as Pod).spec?.ephemeralContainers ?? []) {
      const same = after.find((other) => other.name === container.name)
      const which = `existing ephemeral containers ${JSON.stringify(container.name)}`
      if (!same) errors.push(forbidden(path, `${which} may not be removed\n`))
      else if (!deepEqual(same, container)) {
        const difference = specDiff(container, same, 'core.v1.EphemeralContainer')
        errors.push(forbidden(path, `${which} may not be changed\n${difference}`))
      }
    }
    return errors
  },
}

/** Deprecated long ago and still asked for: the parts of the control plane, all in this process. */
const componentStatuses: SpecialHandler = (call: ResourceCall) => {
  const names = ['controller-manager', 'etcd-0', 'scheduler']
  const items = names.map((name): KubeObject & { conditions: unknown[] } => ({
    apiVersion: 'v1',
    kind: 'ComponentStatus',
    metadata: { name },
    conditions: [{ type: 'Healthy', status: 'True', message: 'ok' }],
  }))
  if (call.request.verb === 'list') return { type: 'list', listing: { info: call.info, items, metadata: {} } }
  const found = items.find((item) => item.metadata.name === call.path.name)
  if (call.request.verb !== 'get') throw ApiError.methodNotSupported()
  if (!found) throw ApiError.notFound({ group: '', resource: 'componentstatus' }, call.path.name)
  return objectOutcome(found, call.info)
}
