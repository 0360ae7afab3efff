// Generated from Kubernetes' Go types by npm run generate:schema. Do not edit.
import type { TypedLocalObjectReference } from './core.v1.ts'
import type { Condition, LabelSelector, ListMeta, ObjectMeta } from './meta.v1.ts'

export interface HTTPIngressPath {
  path?: string
  pathType: string
  backend: IngressBackend
}

export interface HTTPIngressRuleValue {
  paths: HTTPIngressPath[]
}

export interface IPAddress {
  apiVersion: 'networking.k8s.io/v1'
  kind: 'IPAddress'
  metadata: ObjectMeta
  spec?: IPAddressSpec
}

export interface IPAddressList {
  apiVersion: 'networking.k8s.io/v1'
  kind: 'IPAddressList'
  metadata: ListMeta
  items: IPAddress[]
}

export interface IPAddressSpec {
  parentRef?: ParentReference
}

export interface IPBlock {
  cidr: string
  except?: string[]
}

export interface Ingress {
  apiVersion: 'networking.k8s.io/v1'
  kind: 'Ingress'
  metadata: ObjectMeta
  spec?: IngressSpec
  status?: IngressStatus
}

export interface IngressBackend {
  service?: IngressServiceBackend
  resource?: TypedLocalObjectReference
}

export interface IngressClass {
  apiVersion: 'networking.k8s.io/v1'
  kind: 'IngressClass'
  metadata: ObjectMeta
  spec?: IngressClassSpec
}

export interface IngressClassList {
  apiVersion: 'networking.k8s.io/v1'
  kind: 'IngressClassList'
  metadata: ListMeta
  items: IngressClass[]
}

export interface IngressClassParametersReference {
  apiGroup?: string
  kind: string
  name: string
  scope: string
  namespace?: string
}

export interface IngressClassSpec {
  controller?: string
  parameters?: IngressClassParametersReference
}

export interface IngressList {
  apiVersion: 'networking.k8s.io/v1'
  kind: 'IngressList'
  metadata: ListMeta
  items: Ingress[]
}

export interface IngressLoadBalancerIngress {
  ip?: string
  hostname?: string
  ports?: IngressPortStatus[]
}

export interface IngressLoadBalancerStatus {
  ingress?: IngressLoadBalancerIngress[]
}

export interface IngressPortStatus {
  port: number
  protocol: string
  error?: string
}

export interface IngressRule extends IngressRuleValue {
  host?: string
}

export interface IngressRuleValue {
  http?: HTTPIngressRuleValue
}

export interface IngressServiceBackend {
  name: string
  port?: ServiceBackendPort
}

export interface IngressSpec {
  ingressClassName?: string
  defaultBackend?: IngressBackend
  tls?: IngressTLS[]
  rules?: IngressRule[]
}

export interface IngressStatus {
  loadBalancer?: IngressLoadBalancerStatus
}

export interface IngressTLS {
  hosts?: string[]
  secretName?: string
}

export interface NetworkPolicy {
  apiVersion: 'networking.k8s.io/v1'
  kind: 'NetworkPolicy'
  metadata: ObjectMeta
  spec?: NetworkPolicySpec
}

export interface NetworkPolicyEgressRule {
  ports?: NetworkPolicyPort[]
  to?: NetworkPolicyPeer[]
}

export interface NetworkPolicyIngressRule {
  ports?: NetworkPolicyPort[]
  from?: NetworkPolicyPeer[]
}

export interface NetworkPolicyList {
  apiVersion: 'networking.k8s.io/v1'
  kind: 'NetworkPolicyList'
  metadata: ListMeta
  items: NetworkPolicy[]
}

export interface NetworkPolicyPeer {
  podSelector?: LabelSelector
  namespaceSelector?: LabelSelector
  ipBlock?: IPBlock
}

export interface NetworkPolicyPort {
  protocol?: string
  port?: string | number
  endPort?: number
}

export interface NetworkPolicySpec {
  podSelector: LabelSelector
  ingress?: NetworkPolicyIngressRule[]
  egress?: NetworkPolicyEgressRule[]
  policyTypes?: string[]
}

export interface ParentReference {
  group?: string
  resource?: string
  namespace?: string
  name?: string
}

export interface ServiceBackendPort {
  name?: string
  number?: number
}

export interface ServiceCIDR {
  apiVersion: 'networking.k8s.io/v1'
  kind: 'ServiceCIDR'
  metadata: ObjectMeta
  spec?: ServiceCIDRSpec
  status?: ServiceCIDRStatus
}

export interface ServiceCIDRList {
  apiVersion: 'networking.k8s.io/v1'
  kind: 'ServiceCIDRList'
  metadata: ListMeta
  items: ServiceCIDR[]
}

export interface ServiceCIDRSpec {
  cidrs?: string[]
}

export interface ServiceCIDRStatus {
  conditions?: Condition[]
}
