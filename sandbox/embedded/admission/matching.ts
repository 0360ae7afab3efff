import type { Cache } from '../machinery/context.ts'
import { type KubeObject, resources } from '../machinery/object.ts'
import { selectorMatches } from '../registry/metadata.ts'
import type { NamedRuleWithOperations } from '../schema/types/admissionregistration.v1.ts'
import type { Namespace } from '../schema/types/core.v1.ts'
import type { LabelSelector } from '../schema/types/meta.v1.ts'
import type { AdmissionRequest } from './admission.ts'

export interface Match {
  rules?: readonly NamedRuleWithOperations[]
  excluded?: readonly NamedRuleWithOperations[]
  namespaceSelector?: LabelSelector
  objectSelector?: LabelSelector
}

/** Whether a webhook's or policy's rules and selectors take a request in. Configurations themselves are never judged by others. */
export function matches(cache: Cache, request: AdmissionRequest, match: Match): boolean {
  if (request.resource.group === 'admissionregistration.k8s.io' && configurations.has(request.resource.resource)) return false
  if (!match.rules?.some((rule) => ruleMatches(rule, request))) return false
  if (match.excluded?.some((rule) => ruleMatches(rule, request))) return false
  return namespaceMatches(cache, request, match.namespaceSelector ?? {}) && objectMatches(request, match.objectSelector ?? {})
}

const configurations = new Set([
  'validatingwebhookconfigurations',
  'mutatingwebhookconfigurations',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
])

function ruleMatches(
  rule: NamedRuleWithOperations,
  { operation, resource, subresource, namespace, name, object }: AdmissionRequest,
): boolean {
  const includes = (list: readonly string[] | undefined, value: string) => !!list?.some((item) => item === '*' || item === value)
  if (!includes(rule.operations, operation) || !includes(rule.apiGroups, resource.group) || !includes(rule.apiVersions, resource.version))
    return false
  if (rule.scope === 'Namespaced' && namespace === '') return false
  if (rule.scope === 'Cluster' && namespace !== '') return false
  const named = name || object?.metadata.name || ''
  if (rule.resourceNames?.length && !rule.resourceNames.includes(named)) return false
  return !!rule.resources?.some((pattern) => {
    const [wanted = '', wantedSub = ''] = pattern.split('/')
    return (wanted === '*' || wanted === resource.resource) && (wantedSub === subresource || wantedSub === '*')
  })
}

function namespaceMatches(cache: Cache, request: AdmissionRequest, selector: LabelSelector): boolean {
  const isNamespace = request.resource.group === '' && request.resource.resource === 'namespaces'
  if (request.namespace === '' && !isNamespace) return true
  const labels = isNamespace
    ? (request.object ?? request.oldObject)?.metadata.labels
    : cache.get<Namespace>(resources.namespaces, request.namespace)?.metadata.labels
  return selectorMatches(selector, labels)
}

/** Either the new or the old object may be the one that is meant. The options of a connection have no labels. */
function objectMatches({ object, oldObject }: AdmissionRequest, selector: LabelSelector): boolean {
  if (!selector.matchLabels && !selector.matchExpressions?.length) return true
  const of = (one: Partial<KubeObject> | undefined) => one?.metadata !== undefined && selectorMatches(selector, one.metadata.labels)
  return of(object) || of(oldObject)
}
