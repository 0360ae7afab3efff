import { beforeEach, describe, expect, it } from 'vitest'
import { ServedResources } from '../api/resources.ts'
import { bootstrapPolicy } from '../auth/bootstrap-policy.ts'
import { MemoryCache } from '../auth/cache.fixture.ts'
import { Authorizer } from '../auth/rbac.ts'
import { ClusterClock } from '../clock.ts'
import { type KubeObject, resources } from '../machinery/object.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import { type AdmissionChain, type AdmissionRequest, defaultAdmission } from './index.ts'
import { Reinvocation } from './reinvocation.ts'

let cache: MemoryCache
let chain: AdmissionChain
let warnings: string[]

beforeEach(() => {
  cache = new MemoryCache()
  warnings = []
  const byKind = {
    Role: 'roles',
    RoleBinding: 'roleBindings',
    ClusterRole: 'clusterRoles',
    ClusterRoleBinding: 'clusterRoleBindings',
  } as const
  for (const object of bootstrapPolicy()) cache.put(resources[byKind[object.kind as keyof typeof byKind]], object)
  put('namespaces', 'v1', 'Namespace', { name: 'team' }, { status: { phase: 'Active' } })
  put('serviceAccounts', 'v1', 'ServiceAccount', { name: 'default', namespace: 'team' }, { imagePullSecrets: [{ name: 'pull' }] })
  chain = defaultAdmission({ cache, clock: new ClusterClock({ rate: 0 }), random: () => 0.5 }, new Authorizer(cache), new ServedResources())
})

function put(resource: keyof typeof resources, apiVersion: string, kind: string, metadata: KubeObject['metadata'], more: object = {}) {
  cache.put(resources[resource], { apiVersion, kind, metadata, ...more } as KubeObject)
}

async function admit(resource: keyof typeof resources, object: KubeObject, more: Partial<AdmissionRequest> = {}): Promise<KubeObject> {
  const request: AdmissionRequest = {
    operation: 'CREATE',
    resource: resources[resource],
    kind: { group: resources[resource].group, version: 'v1', kind: object.kind },
    subresource: '',
    namespace: object.metadata.namespace ?? '',
    name: '',
    object,
    oldObject: undefined,
    user: { username: 'jane', groups: ['system:authenticated'] },
    dryRun: false,
    options: {},
    annotate: () => {},
    read: (value) => value,
    readAs: (_info, value) => value,
    reinvocation: new Reinvocation(),
    warn: (text) => void warnings.push(text),
    ...more,
  }
  await chain.admit('mutate', request)
  await chain.admit('validate', request)
  return request.object as KubeObject
}

function pod(name: string, spec: object = {}): Pod {
  const containers = [{ name: 'web', image: 'nginx', resources: {} }]
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'team' }, spec: { containers, ...spec } } as unknown as Pod
}

const container = (more: object) => ({ containers: [{ name: 'web', image: 'nginx', resources: {}, ...more }] })

describe('a pod', () => {
  it('gets its account, token volume, tolerations and priority', async () => {
    const { spec } = (await admit('pods', pod('web'))) as Pod
    expect(spec).toMatchObject({
      serviceAccountName: 'default',
      imagePullSecrets: [{ name: 'pull' }],
      priority: 0,
      preemptionPolicy: 'PreemptLowerPriority',
    })
    expect(spec?.volumes?.[0]?.name).toMatch(/^kube-api-access-[a-z0-9]{5}$/)
    expect(spec?.containers[0]?.volumeMounts?.[0]).toMatchObject({
      readOnly: true,
      mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
    })
    expect(spec?.tolerations?.map(({ key, tolerationSeconds }) => [key, tolerationSeconds])).toEqual([
      ['node.kubernetes.io/not-ready', 300],
      ['node.kubernetes.io/unreachable', 300],
    ])
  })

  const refusals: [string, object, string][] = [
    [
      'of an unknown account',
      { serviceAccountName: 'bot' },
      'pods "web" is forbidden: error looking up service account team/bot: serviceaccount "bot" not found',
    ],
    ['of an unknown priority', { priorityClassName: 'vip' }, 'pods "web" is forbidden: no PriorityClass with name vip was found'],
  ]
  for (const [what, spec, message] of refusals) {
    it(`${what} is refused`, async () => {
      await expect(admit('pods', pod('web', spec))).rejects.toThrow(message)
    })
  }
})

describe('namespaces', () => {
  it('take nothing in when they are missing or going, and the system keeps its own', async () => {
    put('namespaces', 'v1', 'Namespace', { name: 'old' }, { status: { phase: 'Terminating' } })
    const at = (namespace: string): KubeObject => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', namespace } })
    await expect(admit('configMaps', at('none'))).rejects.toThrow('namespaces "none" not found')
    await expect(admit('configMaps', at('old'))).rejects.toThrow(
      'configmaps "c" is forbidden: unable to create new content in namespace old because it is being terminated',
    )
    const namespace: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' } }
    await expect(admit('namespaces', namespace, { operation: 'DELETE', name: 'kube-system' })).rejects.toThrow(
      'namespaces "kube-system" is forbidden: this namespace may not be deleted',
    )
  })
})

describe('LimitRanger', () => {
  it('sets defaults and notes it', async () => {
    const limits = [{ type: 'Container', default: { cpu: '500m' }, defaultRequest: { cpu: '100m', memory: '64Mi' } }]
    put('limitRanges', 'v1', 'LimitRange', { name: 'l', namespace: 'team' }, { spec: { limits } })
    const admitted = (await admit('pods', pod('web'))) as Pod
    expect(admitted.spec?.containers[0]?.resources).toEqual({ requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '500m' } })
    expect(admitted.metadata.annotations).toEqual({
      'kubernetes.io/limit-ranger': 'LimitRanger plugin set: cpu, memory request for container web; cpu limit for container web',
    })
  })

  it('refuses what lies outside', async () => {
    const limits = [{ type: 'Container', max: { cpu: '1' }, min: { memory: '32Mi' } }]
    put('limitRanges', 'v1', 'LimitRange', { name: 'l', namespace: 'team' }, { spec: { limits } })
    await expect(admit('pods', pod('web', container({ resources: { limits: { cpu: '2' } } })))).rejects.toThrow(
      'pods "web" is forbidden: [minimum memory usage per Container is 32Mi.  No request is specified, maximum cpu usage per Container is 1, but limit is 2]',
    )
  })
})

describe('ResourceQuota', () => {
  it('refuses what is too much, and counts what is on its way', async () => {
    put(
      'resourceQuotas',
      'v1',
      'ResourceQuota',
      { name: 'q', namespace: 'team' },
      { spec: { hard: { pods: '2', 'requests.cpu': '500m' } } },
    )
    const small = (name: string) => pod(name, container({ resources: { requests: { cpu: '200m' } } }))
    await expect(admit('pods', pod('web'))).rejects.toThrow('pods "web" is forbidden: failed quota: q: must specify requests.cpu for: web')
    const first = await admit('pods', small('a'))
    await admit('pods', small('b'))
    await expect(admit('pods', small('c'))).rejects.toThrow(
      'pods "c" is forbidden: exceeded quota: q, requested: pods=1,requests.cpu=200m, used: pods=2,requests.cpu=400m, limited: pods=2,requests.cpu=500m',
    )
    cache.put(resources.pods, first)
    await expect(admit('pods', small('c'))).rejects.toThrow('used: pods=2,requests.cpu=400m')
  })
})

describe('PodSecurity', () => {
  const hardened = {
    securityContext: {
      allowPrivilegeEscalation: false,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
  }
  const all =
    'allowPrivilegeEscalation != false (container "web" must set securityContext.allowPrivilegeEscalation=false), ' +
    'unrestricted capabilities (container "web" must set securityContext.capabilities.drop=["ALL"]), ' +
    'runAsNonRoot != true (pod or container "web" must set securityContext.runAsNonRoot=true), ' +
    'seccompProfile (pod or container "web" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'

  it('enforces on pods and warns of their templates', async () => {
    put('namespaces', 'v1', 'Namespace', { name: 'team', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } })
    await expect(admit('pods', pod('web'))).rejects.toThrow(`pods "web" is forbidden: violates PodSecurity "restricted:latest": ${all}`)
    await admit('pods', pod('web', container(hardened)))
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'team' },
      spec: { template: pod('x') },
    }
    await admit('deployments', deployment as KubeObject)
    expect(warnings).toEqual([`would violate PodSecurity "restricted:latest": ${all}`])
  })

  it('knows what baseline forbids', async () => {
    put('namespaces', 'v1', 'Namespace', { name: 'team', labels: { 'pod-security.kubernetes.io/enforce': 'baseline' } })
    const spec = {
      hostNetwork: true,
      volumes: [{ name: 'root', hostPath: { path: '/' } }],
      ...container({ securityContext: { privileged: true } }),
    }
    await expect(admit('pods', pod('web', spec))).rejects.toThrow(
      'violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true), hostPath volumes (volume "root"), privileged (container "web" must not set securityContext.privileged=true)',
    )
  })
})

describe('storage', () => {
  it('gives claims the default class and a finalizer', async () => {
    put('storageClasses', 'storage.k8s.io/v1', 'StorageClass', {
      name: 'standard',
      annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
    })
    const claim = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data', namespace: 'team' },
      spec: { resources: { requests: { storage: '1Gi' } } },
    }
    const admitted = await admit('persistentVolumeClaims', claim as KubeObject)
    expect(admitted).toMatchObject({ metadata: { finalizers: ['kubernetes.io/pvc-protection'] }, spec: { storageClassName: 'standard' } })
    const bound = { ...admitted, status: { phase: 'Bound' } } as KubeObject
    const bigger = {
      ...structuredClone(admitted),
      spec: { storageClassName: 'standard', resources: { requests: { storage: '2Gi' } } },
    } as KubeObject
    await expect(admit('persistentVolumeClaims', bigger, { operation: 'UPDATE', name: 'data', oldObject: bound })).rejects.toThrow(
      'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
    )
  })
})

describe('roles', () => {
  it('are not given by those who have not', async () => {
    const rules = [{ verbs: ['get'], apiGroups: [''], resources: ['secrets'] }]
    const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'r', namespace: 'team' }, rules }
    await expect(admit('roles', role as KubeObject)).rejects.toThrow('is attempting to grant RBAC permissions not currently held')
  })
})

describe('ValidatingAdmissionPolicy', () => {
  it('knows what the user may, what parameters say and what it has to note', async () => {
    const rules = [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['CREATE'], resources: ['*'] }]
    const group = 'admissionregistration.k8s.io'
    cache.put(resources.configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'limits', namespace: 'team' },
      data: { longest: '3' },
    } as KubeObject)
    cache.put({ group, version: 'v1', resource: 'validatingadmissionpolicies' }, {
      apiVersion: `${group}/v1`,
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name: 'names' },
      spec: {
        failurePolicy: 'Fail',
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        matchConstraints: { resourceRules: rules },
        variables: [{ name: 'longest', expression: 'int(params.data.longest)' }],
        validations: [
          {
            expression: "size(object.metadata.name) <= variables.longest || authorizer.requestResource.check('delete').allowed()",
            messageExpression: "'at most ' + string(variables.longest)",
          },
        ],
        auditAnnotations: [{ key: 'length', valueExpression: 'string(size(object.metadata.name))' }],
      },
    } as KubeObject)
    cache.put({ group, version: 'v1', resource: 'validatingadmissionpolicybindings' }, {
      apiVersion: `${group}/v1`,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name: 'here' },
      spec: { policyName: 'names', paramRef: { name: 'limits', parameterNotFoundAction: 'Deny' }, validationActions: ['Deny', 'Audit'] },
    } as KubeObject)
    const secret = (name: string) => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'team' } }) as KubeObject
    const notes: Record<string, string> = {}
    const annotate = (key: string, value: string) => {
      notes[key] = value
    }
    await admit('secrets', secret('abc'), { annotate })
    expect(notes).toEqual({ 'names/length': '3' })
    await expect(admit('secrets', secret('abcd'), { annotate })).rejects.toThrow('denied request: at most 3')
    await admit('secrets', secret('abcd'), { user: { username: 'root', groups: ['system:masters'] } })
    cache.remove(resources.configMaps, 'limits', 'team')
    await expect(admit('secrets', secret('abc'))).rejects.toThrow('no params found for policy binding with `Deny` parameterNotFoundAction')
  })

  it('denies and warns by its expressions where it is bound', async () => {
    const apiVersion = 'admissionregistration.k8s.io/v1'
    const kind = (name: string) => ({ group: 'admissionregistration.k8s.io', version: 'v1', resource: name })
    const rule = { operations: ['CREATE', 'UPDATE'], apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'] }
    const validations = [
      { expression: 'object.spec.replicas <= variables.most', messageExpression: "'at most ' + string(variables.most)" },
      { expression: "has(object.metadata.labels) && 'team' in object.metadata.labels", reason: 'Forbidden' },
    ]
    const spec = {
      failurePolicy: 'Fail',
      matchConstraints: { resourceRules: [rule] },
      variables: [{ name: 'most', expression: '3' }],
      validations,
    }
    cache.put(kind('validatingadmissionpolicies'), {
      apiVersion,
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name: 'p' },
      spec,
    } as KubeObject)
    const bind = (actions: string[]) =>
      cache.put(kind('validatingadmissionpolicybindings'), {
        apiVersion,
        kind: 'ValidatingAdmissionPolicyBinding',
        metadata: { name: 'b' },
        spec: { policyName: 'p', validationActions: actions },
      } as KubeObject)
    const deployment = (replicas: number, labels?: Record<string, string>) =>
      ({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web', namespace: 'team', ...(labels ? { labels } : {}) },
        spec: { replicas },
      }) as KubeObject
    await admit('deployments', deployment(9))
    bind(['Deny'])
    await expect(admit('deployments', deployment(9))).rejects.toThrow(
      `deployments.apps "web" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: at most 3`,
    )
    await expect(admit('deployments', deployment(1))).rejects.toMatchObject({ code: 403, reason: 'Forbidden' })
    await admit('deployments', deployment(1, { team: 'a' }))
    bind(['Warn'])
    await admit('deployments', deployment(9, { team: 'a' }))
    expect(warnings).toEqual([`Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': at most 3`])
  })
})
