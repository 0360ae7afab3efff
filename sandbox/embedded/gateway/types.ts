import type { KubeObject, Resource } from '../machinery/object.ts'
import type { Condition, LabelSelector } from '../schema/types/meta.v1.ts'

export const gatewayGroup = 'gateway.networking.k8s.io'

const named = (version: string, resource: string): Resource => ({ group: gatewayGroup, version, resource })

/** The kinds of Gateway API's standard channel that are served here, at their storage versions. */
export const gatewayResources = {
  gatewayClasses: named('v1', 'gatewayclasses'),
  gateways: named('v1', 'gateways'),
  httpRoutes: named('v1', 'httproutes'),
  grpcRoutes: named('v1', 'grpcroutes'),
  referenceGrants: named('v1beta1', 'referencegrants'),
} as const

export interface GatewayClass extends KubeObject {
  spec: { controllerName: string; parametersRef?: { group: string; kind: string; name: string } }
  status?: { conditions?: Condition[] }
}

export interface Gateway extends KubeObject {
  spec: {
    gatewayClassName: string
    listeners: GatewayListener[]
    addresses?: { type?: string; value?: string }[]
    infrastructure?: { labels?: Record<string, string>; annotations?: Record<string, string>; parametersRef?: object }
  }
  status?: GatewayStatus
}

export interface GatewayStatus {
  addresses?: { type: string; value: string }[]
  conditions?: Condition[]
  listeners?: ListenerStatus[]
}

export interface GatewayListener {
  name: string
  hostname?: string
  port: number
  protocol: string
  tls?: { mode?: string; certificateRefs?: ObjectReference[] }
  allowedRoutes?: { namespaces?: { from?: string; selector?: LabelSelector }; kinds?: RouteKind[] }
}

export interface RouteKind {
  group?: string
  kind: string
}

export interface ListenerStatus {
  name: string
  supportedKinds: RouteKind[]
  attachedRoutes: number
  conditions: Condition[]
}

export interface ObjectReference {
  group?: string
  kind?: string
  namespace?: string
  name: string
}

export interface ParentReference extends ObjectReference {
  sectionName?: string
  port?: number
}

export interface BackendRef extends ObjectReference {
  port?: number
  weight?: number
  filters?: RouteFilter[]
}

/** An HTTPRoute or GRPCRoute. */
export interface Route extends KubeObject {
  spec: { parentRefs?: ParentReference[]; hostnames?: string[]; rules?: RouteRule[] }
  status?: { parents: RouteParentStatus[] }
}

export interface RouteParentStatus {
  parentRef: ParentReference
  controllerName: string
  conditions: Condition[]
}

export interface RouteRule {
  name?: string
  matches?: RouteMatch[]
  filters?: RouteFilter[]
  backendRefs?: BackendRef[]
  timeouts?: { request?: string; backendRequest?: string }
}

export interface ValueMatch {
  type?: string
  name: string
  value: string
}

export interface RouteMatch {
  path?: { type?: string; value?: string }
  headers?: ValueMatch[]
  queryParams?: ValueMatch[]
  /** An HTTP method, or in a GRPCRoute the service and its method. */
  method?: string | { type?: string; service?: string; method?: string }
}

export interface HeaderFilter {
  set?: { name: string; value: string }[]
  add?: { name: string; value: string }[]
  remove?: string[]
}

export interface PathModifier {
  type: string
  replaceFullPath?: string
  replacePrefixMatch?: string
}

export interface RouteFilter {
  type: string
  requestHeaderModifier?: HeaderFilter
  responseHeaderModifier?: HeaderFilter
  requestRedirect?: { scheme?: string; hostname?: string; path?: PathModifier; port?: number; statusCode?: number }
  urlRewrite?: { hostname?: string; path?: PathModifier }
  requestMirror?: { backendRef: BackendRef; percent?: number; fraction?: { numerator: number; denominator?: number } }
}

export interface ReferenceGrant extends KubeObject {
  spec: {
    from: { group: string; kind: string; namespace: string }[]
    to: { group: string; kind: string; name?: string }[]
  }
}
