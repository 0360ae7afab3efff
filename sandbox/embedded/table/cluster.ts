import type { CertificateSigningRequest } from '../schema/types/certificates.v1.ts'
import type { Lease } from '../schema/types/coordination.v1.ts'
import type { ComponentStatus, ConfigMap, Event, Namespace, Node, ResourceQuota, Secret, ServiceAccount } from '../schema/types/core.v1.ts'
import type { Event as EventsEvent } from '../schema/types/events.v1.ts'
import type { RuntimeClass } from '../schema/types/node.v1.ts'
import type { ClusterRoleBinding, RoleBinding, Subject } from '../schema/types/rbac.v1.ts'
import type { PriorityClass } from '../schema/types/scheduling.v1.ts'
import { type Age, type Cell, type CellsOf, humanDuration, nameOf, orNone } from './cell.ts'

const rolePrefix = 'node-role.kubernetes.io/'

export const clusterCells: Record<string, CellsOf> = {
  'v1/nodes': ({ metadata, spec, status }: Node, age: Age) => {
    const ready = status?.conditions?.find(({ type }) => type === 'Ready')
    const state = ready ? (ready.status === 'True' ? 'Ready' : 'NotReady') : 'Unknown'
    const roles = Object.entries(metadata.labels ?? {}).flatMap(([key, value]) => {
      if (key.startsWith(rolePrefix)) return key.slice(rolePrefix.length) || []
      return key === 'kubernetes.io/role' && value ? value : []
    })
    const address = (kind: string) => orNone(status?.addresses?.find(({ type }) => type === kind)?.address)
    return [
      metadata.name ?? '',
      spec?.unschedulable ? `${state},SchedulingDisabled` : state,
      orNone([...new Set(roles)].sort().join(',')),
      age(metadata.creationTimestamp),
      status?.nodeInfo?.kubeletVersion ?? '',
      address('InternalIP'),
      address('ExternalIP'),
      orNone(status?.nodeInfo?.osImage, '<unknown>'),
      orNone(status?.nodeInfo?.kernelVersion, '<unknown>'),
      orNone(status?.nodeInfo?.containerRuntimeVersion, '<unknown>'),
    ]
  },
  'v1/namespaces': ({ metadata, status }: Namespace, age: Age) => [
    metadata.name ?? '',
    status?.phase ?? '',
    age(metadata.creationTimestamp),
  ],
  'v1/configmaps': (object: ConfigMap, age: Age) => [
    nameOf(object),
    Object.keys(object.data ?? {}).length + Object.keys(object.binaryData ?? {}).length,
    age(object.metadata.creationTimestamp),
  ],
  'v1/secrets': (object: Secret, age: Age) => [
    nameOf(object),
    object.type ?? '',
    Object.keys(object.data ?? {}).length,
    age(object.metadata.creationTimestamp),
  ],
  'v1/serviceaccounts': (object: ServiceAccount, age: Age) => [
    nameOf(object),
    object.secrets?.length ?? 0,
    age(object.metadata.creationTimestamp),
  ],
  'v1/resourcequotas': ({ metadata, status }: ResourceQuota, age: Age) => {
    const text = (limits: boolean) =>
      Object.keys(status?.hard ?? {})
        .filter((name) => name.startsWith('limits.') === limits)
        .sort()
        .map((name) => `${name}: ${status?.used?.[name] ?? 0}/${status?.hard?.[name]}`)
        .join(', ')
    return [metadata.name ?? '', text(false), text(true), age(metadata.creationTimestamp)]
  },
  'v1/componentstatuses': ({ metadata, conditions }: ComponentStatus) => {
    const healthy = conditions?.find(({ type }) => type === 'Healthy')
    const state = healthy ? { True: 'Healthy', False: 'Unhealthy' }[healthy.status] : undefined
    return [metadata.name ?? '', state ?? 'Unknown', healthy?.message ?? '', healthy?.error ?? '']
  },
  'v1/events': eventCells,
  'events.k8s.io/v1/events': (event: EventsEvent, age: Age) =>
    eventCells(
      {
        ...event,
        apiVersion: 'v1',
        involvedObject: event.regarding ?? {},
        message: event.note,
        source: event.deprecatedSource,
        firstTimestamp: event.deprecatedFirstTimestamp,
        lastTimestamp: event.deprecatedLastTimestamp,
        count: event.deprecatedCount,
        reportingComponent: event.reportingController,
      } as Event,
      age,
    ),
  'coordination.k8s.io/v1/leases': ({ metadata, spec }: Lease, age: Age) => [
    metadata.name ?? '',
    spec?.holderIdentity ?? '',
    age(metadata.creationTimestamp),
  ],
  'scheduling.k8s.io/v1/priorityclasses': (object: PriorityClass, age: Age) => [
    nameOf(object),
    object.value ?? 0,
    object.globalDefault ?? false,
    age(object.metadata.creationTimestamp),
    orNone(object.preemptionPolicy, '<unset>'),
  ],
  'node.k8s.io/v1/runtimeclasses': (object: RuntimeClass, age: Age) => [
    nameOf(object),
    object.handler,
    age(object.metadata.creationTimestamp),
  ],
  'rbac.authorization.k8s.io/v1/rolebindings': bindingCells,
  'rbac.authorization.k8s.io/v1/clusterrolebindings': bindingCells,
  'certificates.k8s.io/v1/certificatesigningrequests': ({ metadata, spec, status }: CertificateSigningRequest, age: Age) => {
    const types = new Set(status?.conditions?.map(({ type }) => type))
    const state = types.has('Denied') ? ['Denied'] : types.has('Approved') ? ['Approved'] : ['Pending']
    if (types.has('Failed')) state.push('Failed')
    if (status?.certificate) state.push('Issued')
    return [
      metadata.name ?? '',
      age(metadata.creationTimestamp),
      orNone(spec.signerName),
      spec.username ?? '',
      spec.expirationSeconds === undefined ? '<none>' : humanDuration(spec.expirationSeconds * 1000),
      state.join(','),
    ]
  },
}

function eventCells(event: Event, age: Age): Cell[] {
  const { metadata, involvedObject, source, series } = event
  const first = age(event.firstTimestamp || event.eventTime)
  const last = series ? age(series.lastObservedTime) : event.lastTimestamp ? age(event.lastTimestamp) : first
  const kind = (involvedObject?.kind ?? '').toLowerCase()
  const component = source?.component || event.reportingComponent || ''
  const instance = source?.host || event.reportingInstance
  return [
    last,
    event.type ?? '',
    event.reason ?? '',
    involvedObject?.name ? `${kind}/${involvedObject.name}` : kind,
    involvedObject?.fieldPath ?? '',
    instance ? `${component}, ${instance}` : component,
    (event.message ?? '').trim(),
    first,
    series?.count ?? (event.count || 1),
    metadata.name ?? '',
  ]
}

function bindingCells({ metadata, roleRef, subjects }: RoleBinding | ClusterRoleBinding, age: Age): Cell[] {
  const of = (kind: string, text: (subject: Subject) => string) =>
    (subjects ?? [])
      .filter((subject) => subject.kind === kind)
      .map(text)
      .join(', ')
  return [
    metadata.name ?? '',
    `${roleRef.kind}/${roleRef.name}`,
    age(metadata.creationTimestamp),
    of('User', ({ name }) => name),
    of('Group', ({ name }) => name),
    of('ServiceAccount', ({ name, namespace }) => (namespace ? `${namespace}/${name}` : name)),
  ]
}
