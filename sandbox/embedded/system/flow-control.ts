import type { FlowSchema, FlowSchemaSpec, PriorityLevelConfiguration } from '../schema/types/flowcontrol.v1.ts'

type Rule = NonNullable<FlowSchemaSpec['rules']>[number]
type Subject = Rule['subjects'][number]

const annotations = { 'apf.kubernetes.io/autoupdate-spec': 'true' }
const anything: Pick<Rule, 'resourceRules' | 'nonResourceRules'> = {
  nonResourceRules: [{ nonResourceURLs: ['*'], verbs: ['*'] }],
  resourceRules: [{ apiGroups: ['*'], clusterScope: true, namespaces: ['*'], resources: ['*'], verbs: ['*'] }],
}
const leases = { apiGroups: ['coordination.k8s.io'], namespaces: ['*'], resources: ['leases'] }
const group = (name: string): Subject => ({ kind: 'Group', group: { name } })
const user = (name: string): Subject => ({ kind: 'User', user: { name } })
const kubeSystem: Subject = { kind: 'ServiceAccount', serviceAccount: { name: '*', namespace: 'kube-system' } }
const everybody = [group('system:unauthenticated'), group('system:authenticated')]

/** The flow schemas that every API server makes sure of: name, priority level, precedence, what flows are told apart by, whom for. */
export const flowSchemas: FlowSchema[] = [
  schema('exempt', 'exempt', 1, undefined, { ...anything, subjects: [group('system:masters')] }),
  schema('probes', 'exempt', 2, undefined, {
    nonResourceRules: [{ nonResourceURLs: ['/healthz', '/readyz', '/livez'], verbs: ['get'] }],
    subjects: everybody,
  }),
  schema('system-leader-election', 'leader-election', 100, 'ByUser', {
    resourceRules: [{ ...leases, verbs: ['get', 'create', 'update'] }],
    subjects: [user('system:kube-controller-manager'), user('system:kube-scheduler'), kubeSystem],
  }),
  schema('system-node-high', 'node-high', 400, 'ByUser', {
    resourceRules: [
      { apiGroups: [''], clusterScope: true, namespaces: ['*'], resources: ['nodes', 'nodes/status'], verbs: ['*'] },
      { ...leases, verbs: ['*'] },
    ],
    subjects: [group('system:nodes')],
  }),
  schema('system-nodes', 'system', 500, 'ByUser', { ...anything, subjects: [group('system:nodes')] }),
  schema('kube-controller-manager', 'workload-high', 800, 'ByNamespace', {
    ...anything,
    subjects: [user('system:kube-controller-manager')],
  }),
  schema('kube-scheduler', 'workload-high', 800, 'ByNamespace', { ...anything, subjects: [user('system:kube-scheduler')] }),
  schema('kube-system-service-accounts', 'workload-high', 900, 'ByNamespace', { ...anything, subjects: [kubeSystem] }),
  schema('service-accounts', 'workload-low', 9000, 'ByUser', { ...anything, subjects: [group('system:serviceaccounts')] }),
  schema('global-default', 'global-default', 9900, 'ByUser', { ...anything, subjects: everybody }),
  schema('catch-all', 'catch-all', 10_000, 'ByUser', { ...anything, subjects: everybody }),
]

/** The priority levels that belong to them: shares, what may be lent (percent), queues and the size of a hand of them. */
export const priorityLevels: PriorityLevelConfiguration[] = [
  { ...level('exempt'), spec: { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } } },
  limited('catch-all', 5, 0),
  limited('global-default', 20, 50, 128, 6),
  limited('leader-election', 10, 0, 16, 4),
  limited('node-high', 40, 25, 64, 6),
  limited('system', 30, 33, 64, 6),
  limited('workload-high', 40, 50, 128, 6),
  limited('workload-low', 100, 90, 128, 6),
]

function schema(name: string, level: string, matchingPrecedence: number, type: string | undefined, rule: Rule): FlowSchema {
  return {
    apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
    kind: 'FlowSchema',
    metadata: { name, annotations },
    spec: {
      matchingPrecedence,
      priorityLevelConfiguration: { name: level },
      ...(type ? { distinguisherMethod: { type } } : {}),
      rules: [rule],
    },
  }
}

function level(name: string): Pick<PriorityLevelConfiguration, 'apiVersion' | 'kind' | 'metadata'> {
  return { apiVersion: 'flowcontrol.apiserver.k8s.io/v1', kind: 'PriorityLevelConfiguration', metadata: { name, annotations } }
}

function limited(name: string, nominalConcurrencyShares: number, lendablePercent: number, queues?: number, handSize?: number) {
  const limitResponse = queues && handSize ? { type: 'Queue', queuing: { handSize, queueLengthLimit: 50, queues } } : { type: 'Reject' }
  const spec = { type: 'Limited', limited: { nominalConcurrencyShares, lendablePercent, limitResponse } }
  return { ...level(name), spec } satisfies PriorityLevelConfiguration
}
