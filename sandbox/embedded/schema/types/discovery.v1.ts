// Generated from Kubernetes' Go types by npm run generate:schema. Do not edit.
import type { ObjectReference } from './core.v1.ts'
import type { ListMeta, ObjectMeta } from './meta.v1.ts'

export interface Endpoint {
  addresses: string[]
  conditions?: EndpointConditions
  hostname?: string
  targetRef?: ObjectReference
  deprecatedTopology?: Record<string, string>
  nodeName?: string
  zone?: string
  hints?: EndpointHints
}

export interface EndpointConditions {
  ready?: boolean
  serving?: boolean
  terminating?: boolean
}

export interface EndpointHints {
  forZones?: ForZone[]
  forNodes?: ForNode[]
}

export interface EndpointPort {
  name?: string
  protocol?: string
  port?: number
  appProtocol?: string
}

export interface EndpointSlice {
  apiVersion: 'discovery.k8s.io/v1'
  kind: 'EndpointSlice'
  metadata: ObjectMeta
  addressType: string
  endpoints: Endpoint[]
  ports: EndpointPort[]
}

export interface EndpointSliceList {
  apiVersion: 'discovery.k8s.io/v1'
  kind: 'EndpointSliceList'
  metadata: ListMeta
  items: EndpointSlice[]
}

export interface ForNode {
  name: string
}

export interface ForZone {
  name: string
}
