import type { Ingress, IngressClass, IPAddress, NetworkPolicy, ServiceCIDR } from '../schema/types/networking.v1.ts'
import { define } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'
import { ipAddressRules, serviceCIDRRules } from './rules/addresses.ts'
import { ingressClassRules, ingressRules, networkPolicyRules } from './rules/networking.ts'

const group = 'networking.k8s.io'
const version = 'v1'

export const networking: readonly ResourceInfo[] = [
  define<IngressClass>(group, version, {
    kind: 'IngressClass',
    resource: 'ingressclasses',
    namespaced: false,
    tracksGeneration: true,
    ...ingressClassRules,
  }),
  define<Ingress>(group, version, {
    kind: 'Ingress',
    resource: 'ingresses',
    shortNames: ['ing'],
    status: true,
    tracksGeneration: true,
    ...ingressRules,
  }),
  define<IPAddress>(group, version, {
    kind: 'IPAddress',
    resource: 'ipaddresses',
    shortNames: ['ip'],
    namespaced: false,
    ...ipAddressRules,
  }),
  define<NetworkPolicy>(group, version, {
    kind: 'NetworkPolicy',
    resource: 'networkpolicies',
    shortNames: ['netpol'],
    tracksGeneration: true,
    countsEmpty: true,
    ...networkPolicyRules,
  }),
  define<ServiceCIDR>(group, version, {
    kind: 'ServiceCIDR',
    resource: 'servicecidrs',
    namespaced: false,
    status: true,
    statusKeepsMetadata: true,
    // the strategy resets both, but of a group "networking" that there is not
    resetFields: { '': { all: [] }, status: { all: [] } },
    ...serviceCIDRRules,
  }),
]
