// Generated from Kubernetes' Go types by npm run generate:schema. Do not edit.
import type { GroupVersionKind, ListMeta, ObjectMeta } from './meta.v1.ts'

export interface APIGroupDiscovery {
  apiVersion: 'apidiscovery.k8s.io/v2'
  kind: 'APIGroupDiscovery'
  metadata: ObjectMeta
  versions?: APIVersionDiscovery[]
}

export interface APIGroupDiscoveryList {
  apiVersion: 'apidiscovery.k8s.io/v2'
  kind: 'APIGroupDiscoveryList'
  metadata: ListMeta
  items: APIGroupDiscovery[]
}

export interface APIResourceDiscovery {
  resource: string
  responseKind?: GroupVersionKind
  scope: string
  singularResource: string
  verbs: string[]
  shortNames?: string[]
  categories?: string[]
  subresources?: APISubresourceDiscovery[]
}

export interface APISubresourceDiscovery {
  subresource: string
  responseKind?: GroupVersionKind
  acceptedTypes?: GroupVersionKind[]
  verbs: string[]
}

export interface APIVersionDiscovery {
  version: string
  resources?: APIResourceDiscovery[]
  freshness?: string
}
