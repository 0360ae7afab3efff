// Generated from Kubernetes' Go types by npm run generate:schema. Do not edit.

export interface APIGroup {
  apiVersion?: string
  kind?: string
  name: string
  versions: GroupVersionForDiscovery[]
  preferredVersion?: GroupVersionForDiscovery
  serverAddressByClientCIDRs?: ServerAddressByClientCIDR[]
}

export interface APIGroupList {
  apiVersion?: string
  kind?: string
  groups: APIGroup[]
}

export interface APIResource {
  name: string
  singularName: string
  namespaced: boolean
  group?: string
  version?: string
  kind: string
  verbs: string[]
  shortNames?: string[]
  categories?: string[]
  storageVersionHash?: string
}

export interface APIResourceList {
  apiVersion?: string
  kind?: string
  groupVersion: string
  resources: APIResource[]
}

export interface APIVersions {
  apiVersion?: string
  kind?: string
  versions: string[]
  serverAddressByClientCIDRs: ServerAddressByClientCIDR[]
}

export interface Condition {
  type: string
  status: string
  observedGeneration?: number
  lastTransitionTime: string
  reason: string
  message: string
}

export interface CreateOptions {
  apiVersion: 'storage.k8s.io/v1'
  kind: 'CreateOptions'
  dryRun?: string[]
  fieldManager?: string
  fieldValidation?: string
}

export interface DeleteOptions {
  apiVersion: 'storage.k8s.io/v1'
  kind: 'DeleteOptions'
  gracePeriodSeconds?: number
  preconditions?: Preconditions
  orphanDependents?: boolean
  propagationPolicy?: string
  dryRun?: string[]
  ignoreStoreReadErrorWithClusterBreakingPotential?: boolean
}

export interface FieldSelectorRequirement {
  key: string
  operator: string
  values?: string[]
}

export interface GetOptions {
  apiVersion: 'storage.k8s.io/v1'
  kind: 'GetOptions'
  resourceVersion?: string
}

export interface GroupVersionForDiscovery {
  groupVersion: string
  version: string
}

export interface GroupVersionKind {
  group: string
  version: string
  kind: string
}

export interface GroupVersionResource {
  group: string
  version: string
  resource: string
}

export interface LabelSelector {
  matchLabels?: Record<string, string>
  matchExpressions?: LabelSelectorRequirement[]
}

export interface LabelSelectorRequirement {
  key: string
  operator: string
  values?: string[]
}

export interface ListMeta {
  selfLink?: string
  resourceVersion?: string
  continue?: string
  remainingItemCount?: number
}

export interface ListOptions {
  apiVersion: 'storage.k8s.io/v1'
  kind: 'ListOptions'
  labelSelector?: string
  fieldSelector?: string
  watch?: boolean
  allowWatchBookmarks?: boolean
  resourceVersion?: string
  resourceVersionMatch?: string
  timeoutSeconds?: number
  limit?: number
  continue?: string
  sendInitialEvents?: boolean
}

export interface ManagedFieldsEntry {
  manager?: string
  operation?: string
  apiVersion?: string
  time?: string
  fieldsType?: string
  fieldsV1?: Record<string, unknown>
  subresource?: string
}

export interface ObjectMeta {
  name?: string
  generateName?: string
  namespace?: string
  selfLink?: string
  uid?: string
  resourceVersion?: string
  generation?: number
  creationTimestamp?: string
  deletionTimestamp?: string
  deletionGracePeriodSeconds?: number
  labels?: Record<string, string>
  annotations?: Record<string, string>
  ownerReferences?: OwnerReference[]
  finalizers?: string[]
  managedFields?: ManagedFieldsEntry[]
}

export interface OwnerReference {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
  blockOwnerDeletion?: boolean
}

export interface PartialObjectMetadata {
  apiVersion: 'meta.k8s.io/v1beta1'
  kind: 'PartialObjectMetadata'
  metadata: ObjectMeta
}

export interface PartialObjectMetadataList {
  apiVersion: 'meta.k8s.io/v1'
  kind: 'PartialObjectMetadataList'
  metadata: ListMeta
  items: PartialObjectMetadata[]
}

export interface PatchOptions {
  apiVersion: 'storage.k8s.io/v1'
  kind: 'PatchOptions'
  dryRun?: string[]
  force?: boolean
  fieldManager?: string
  fieldValidation?: string
}

export interface Preconditions {
  uid?: string
  resourceVersion?: string
}

export interface ServerAddressByClientCIDR {
  clientCIDR: string
  serverAddress: string
}

export interface Status {
  apiVersion?: string
  kind?: string
  metadata: ListMeta
  status?: string
  message?: string
  reason?: string
  details?: StatusDetails
  code?: number
}

export interface StatusCause {
  reason?: string
  message?: string
  field?: string
}

export interface StatusDetails {
  name?: string
  group?: string
  kind?: string
  uid?: string
  causes?: StatusCause[]
  retryAfterSeconds?: number
}

export interface TypeMeta {
  kind?: string
  apiVersion?: string
}

export interface UpdateOptions {
  apiVersion: 'storage.k8s.io/v1'
  kind: 'UpdateOptions'
  dryRun?: string[]
  fieldManager?: string
  fieldValidation?: string
}

export interface WatchEvent {
  type: string
  object: Record<string, unknown>
}
