import type {
  MutatingWebhookConfiguration,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from '../schema/types/admissionregistration.v1.ts'
import type { APIService } from '../schema/types/apiregistration.v1.ts'
import type { FlowSchema, PriorityLevelConfiguration } from '../schema/types/flowcontrol.v1.ts'
import type { DeviceClass, ResourceClaim, ResourceSlice } from '../schema/types/resource.v1.ts'
import { type Age, type CellsOf, nameOf, orNone } from './cell.ts'

const webhooks = (object: MutatingWebhookConfiguration, age: Age) => [
  nameOf(object),
  object.webhooks?.length ?? 0,
  age(object.metadata.creationTimestamp),
]
const aged = (object: DeviceClass, age: Age) => [nameOf(object), age(object.metadata.creationTimestamp)]

export const apiCells: Record<string, CellsOf> = {
  'admissionregistration.k8s.io/v1/mutatingwebhookconfigurations': webhooks,
  'admissionregistration.k8s.io/v1/validatingwebhookconfigurations': webhooks,
  'admissionregistration.k8s.io/v1/validatingadmissionpolicies': ({ metadata, spec }: ValidatingAdmissionPolicy, age: Age) => [
    metadata.name ?? '',
    spec?.validations?.length ?? 0,
    spec?.paramKind ? `${spec.paramKind.apiVersion}/${spec.paramKind.kind}` : '<unset>',
    age(metadata.creationTimestamp),
  ],
  'admissionregistration.k8s.io/v1/validatingadmissionpolicybindings': ({ metadata, spec }: ValidatingAdmissionPolicyBinding, age: Age) => {
    const { namespace, name } = spec?.paramRef ?? {}
    return [
      metadata.name ?? '',
      spec?.policyName ?? '',
      spec?.paramRef ? (namespace ? `${namespace}/${name}` : `*/${name}`) : '<unset>',
      age(metadata.creationTimestamp),
    ]
  },
  'apiregistration.k8s.io/v1/apiservices': ({ metadata, spec, status }: APIService, age: Age) => {
    const available = status?.conditions?.find(({ type }) => type === 'Available')
    const state = !available ? 'Unknown' : available.status === 'True' ? 'True' : `${available.status} (${available.reason})`
    return [
      metadata.name ?? '',
      spec?.service ? `${spec.service.namespace}/${spec.service.name}` : 'Local',
      state,
      age(metadata.creationTimestamp),
    ]
  },
  'flowcontrol.apiserver.k8s.io/v1/flowschemas': ({ metadata, spec, status }: FlowSchema, age: Age) => [
    metadata.name ?? '',
    spec?.priorityLevelConfiguration.name ?? '',
    spec?.matchingPrecedence ?? 0,
    orNone(spec?.distinguisherMethod?.type),
    age(metadata.creationTimestamp),
    status?.conditions?.find(({ type }) => type === 'Dangling')?.status ?? '?',
  ],
  'flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations': ({ metadata, spec }: PriorityLevelConfiguration, age: Age) => {
    const queuing = spec?.limited?.limitResponse?.queuing
    const none = '<none>'
    return [
      metadata.name ?? '',
      spec?.type ?? '',
      spec?.limited ? (spec.limited.nominalConcurrencyShares ?? 0) : none,
      queuing?.queues ?? none,
      queuing?.handSize ?? none,
      queuing?.queueLengthLimit ?? none,
      age(metadata.creationTimestamp),
    ]
  },
  'resource.k8s.io/v1/deviceclasses': aged,
  'resource.k8s.io/v1/resourceclaimtemplates': aged,
  'resource.k8s.io/v1/resourceclaims': ({ metadata, status }: ResourceClaim, age: Age) => {
    const states = [
      ...(metadata.deletionTimestamp ? ['deleted'] : []),
      ...(status?.allocation ? ['allocated'] : ['pending']),
      ...(status?.reservedFor?.length ? ['reserved'] : []),
    ]
    return [metadata.name ?? '', states.join(','), age(metadata.creationTimestamp)]
  },
  'resource.k8s.io/v1/resourceslices': ({ metadata, spec }: ResourceSlice, age: Age) => [
    metadata.name ?? '',
    orNone(spec.nodeName, '<unset>'),
    spec.driver,
    spec.pool.name,
    age(metadata.creationTimestamp),
  ],
}
