import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { KubeObject } from '../machinery/object.ts'
import type { CustomResourceDefinition } from '../schema/types/apiextensions.v1.ts'
import type { Deployment } from '../schema/types/apps.v1.ts'
import type { Service } from '../schema/types/core.v1.ts'
import type { IngressClass } from '../schema/types/networking.v1.ts'
import type { ClusterRole, ClusterRoleBinding, PolicyRule } from '../schema/types/rbac.v1.ts'
import {
  builtInClass,
  gatewayImage,
  ingressController,
  ingressService,
  loadBalancerClass,
  controllerNamespace as namespace,
} from './names.ts'
import { gatewayController } from './resolve.ts'
import { type GatewayClass, gatewayGroup } from './types.ts'

const account = 'gateway-controller'

/** As whom the controller acts. */
export const gatewayAccount = {
  username: `system:serviceaccount:${namespace}:${account}`,
  groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
}

/**
 * What installs the built-in gateway in a cluster, in the order in which it can be applied: Gateway API's definitions, the
 * controller, the proxy for Ingresses, and the two classes, the IngressClass being the default.
 */
export function gatewayObjects(): KubeObject[] {
  return [
    ...definitions(),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: account, namespace } },
    role,
    binding,
    deployment(account, ['controller'], account),
    deployment(ingressService, ['proxy', '--ingress'], account),
    service,
    ingressClass,
    gatewayClass,
  ]
}

function definitions(): CustomResourceDefinition[] {
  const file = readFileSync(join(import.meta.dirname, 'crds.json.gz'))
  return JSON.parse(gunzipSync(file).toString('utf8')) as CustomResourceDefinition[]
}

const watched = ['get', 'list', 'watch']
const rules: PolicyRule[] = [
  { apiGroups: [''], resources: ['namespaces', 'secrets'], verbs: watched },
  { apiGroups: [''], resources: ['services'], verbs: [...watched, 'create', 'update'] },
  { apiGroups: [''], resources: ['services/status'], verbs: ['update'] },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: watched },
  { apiGroups: ['apps'], resources: ['deployments'], verbs: [...watched, 'create'] },
  { apiGroups: ['networking.k8s.io'], resources: ['ingresses', 'ingressclasses'], verbs: watched },
  { apiGroups: ['networking.k8s.io'], resources: ['ingresses/status'], verbs: ['update'] },
  {
    apiGroups: [gatewayGroup],
    resources: ['gatewayclasses', 'gateways', 'httproutes', 'grpcroutes', 'referencegrants'],
    verbs: watched,
  },
  {
    apiGroups: [gatewayGroup],
    resources: ['gatewayclasses/status', 'gateways/status', 'httproutes/status', 'grpcroutes/status'],
    verbs: ['update'],
  },
]

const role: ClusterRole = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: account }, rules }

const binding: ClusterRoleBinding = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRoleBinding',
  metadata: { name: account },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: account },
  subjects: [{ kind: 'ServiceAccount', name: account, namespace }],
}

const ports = [
  { name: 'http', port: 80, targetPort: 80, protocol: 'TCP' },
  { name: 'https', port: 443, targetPort: 443, protocol: 'TCP' },
]

const service: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: ingressService, namespace, labels: { app: ingressService } },
  spec: { type: 'LoadBalancer', loadBalancerClass, selector: { app: ingressService }, ports },
}

const ingressClass: IngressClass = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name: builtInClass, annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
  spec: { controller: ingressController },
}

const gatewayClass: GatewayClass = {
  apiVersion: `${gatewayGroup}/v1`,
  kind: 'GatewayClass',
  metadata: { name: builtInClass },
  spec: { controllerName: gatewayController },
}

function deployment(name: string, args: string[], serviceAccountName: string): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels: { app: name } },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { serviceAccountName, containers: [{ name: 'gateway', image: gatewayImage, args }] },
      },
    },
  }
}
