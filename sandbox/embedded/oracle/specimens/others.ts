import { clusterWide, namespaced, review, type Specimen } from './specimen.ts'

const selector = { matchLabels: { app: 'one' }, matchExpressions: [{ key: 'tier', operator: 'Exists' }] }

const webhook = (prefix: string) => ({
  name: `${prefix}.example.com`,
  clientConfig: { service: { namespace: 'default', name: 'hook', path: '/a', port: 8443 }, caBundle: '' },
  rules: [
    { operations: ['CREATE', 'UPDATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods', 'pods/status'], scope: 'Namespaced' },
  ],
  failurePolicy: 'Ignore',
  matchPolicy: 'Exact',
  sideEffects: 'None',
  timeoutSeconds: 5,
  admissionReviewVersions: ['v1', 'v1beta1'],
  namespaceSelector: selector,
  objectSelector: selector,
  matchConditions: [{ name: 'c', expression: 'object.metadata.name == "x"' }],
})

const rules = [{ apiGroups: ['', 'apps'], resources: ['pods', 'deployments'], verbs: ['get', 'list'], resourceNames: ['one'] }]

const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' }
const subjects = [
  { kind: 'ServiceAccount', name: 'default', namespace: 'default' },
  { kind: 'User', name: 'ann', apiGroup: 'rbac.authorization.k8s.io' },
  { kind: 'Group', name: 'dev', apiGroup: 'rbac.authorization.k8s.io' },
]

const attributes = {
  namespace: 'default',
  verb: 'get',
  group: 'apps',
  version: 'v1',
  resource: 'deployments',
  subresource: 'scale',
  name: 'one',
  fieldSelector: { requirements: [{ key: 'metadata.name', operator: 'In', values: ['one'] }] },
  labelSelector: { requirements: [{ key: 'app', operator: 'Exists' }] },
}

/** The CertificateRequest of a key that is nobody's. */
const request =
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlISE1IQUNBUUF3RGpFTU1Bb0dBMVVFQXd3RFlXNXVNRmt3RXdZSEtvWkl6ajBDQVFZSUtvWkl6ajBEQVFjRApRZ0FFRDFjU1NISXpPdnl0MFF6eVBUbFRvVjZmN2hxVUZtclUyd0RVSjVZd3lHREdqTlZmSStBdzZBR0RKSHdJClZYb2w1d285NVRXdGFna001Sk1DdWRidlVhQUFNQW9HQ0NxR1NNNDlCQU1DQTBjQU1FUUNJQVhMUEJCNHB3cXYKR2JnWVd6VmJlNnRVc0ZPTlo2dWZpbis2RWUwbVE1RjZBaUIzRmY2UzZQRGVUT205MitndHVBYW5SbmJIWHh5eApza2VLcXdtUE0yblhydz09Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo='

const device = { name: 'gpu-1', attributes: { model: { string: 'a' } }, capacity: { memory: { value: '1Gi' } } }

export const otherSpecimens: readonly Specimen[] = [
  namespaced('networking.k8s.io/v1', 'Ingress', 'ingresses', {
    spec: {
      ingressClassName: 'nginx',
      defaultBackend: { service: { name: 'one', port: { number: 80 } } },
      tls: [{ hosts: ['a.example.com'], secretName: 'tls' }],
      rules: [
        {
          host: 'a.example.com',
          http: {
            paths: [
              { path: '/', pathType: 'Prefix', backend: { service: { name: 'one', port: { name: 'http' } } } },
              { path: '/b', pathType: 'Exact', backend: { resource: { apiGroup: 'example.com', kind: 'Bucket', name: 'b' } } },
            ],
          },
        },
        { host: '*.example.org' },
      ],
    },
  }),
  clusterWide('networking.k8s.io/v1', 'IngressClass', 'ingressclasses', {
    metadata: { annotations: { 'ingressclass.kubernetes.io/is-default-class': 'false' } },
    spec: {
      controller: 'example.com/controller',
      parameters: { apiGroup: 'example.com', kind: 'Settings', name: 'a', scope: 'Namespace', namespace: 'default' },
    },
  }),
  namespaced('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies', {
    spec: {
      podSelector: selector,
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        {
          from: [{ podSelector: selector, namespaceSelector: selector }, { ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }],
          ports: [{ protocol: 'TCP', port: 80, endPort: 90 }],
        },
      ],
      egress: [{ to: [{ namespaceSelector: selector }], ports: [{ port: 'dns', protocol: 'UDP' }] }],
    },
  }),
  clusterWide('networking.k8s.io/v1', 'IPAddress', 'ipaddresses', {
    metadata: { name: '10.96.99.99' },
    spec: { parentRef: { resource: 'services', namespace: 'default', name: 'one' } },
  }),
  clusterWide('networking.k8s.io/v1', 'ServiceCIDR', 'servicecidrs', { spec: { cidrs: ['10.97.0.0/16'] } }),
  namespaced('rbac.authorization.k8s.io/v1', 'Role', 'roles', { rules }),
  clusterWide('rbac.authorization.k8s.io/v1', 'ClusterRole', 'clusterroles', {
    rules: [...rules, { nonResourceURLs: ['/healthz', '/x/*'], verbs: ['get'] }],
    aggregationRule: { clusterRoleSelectors: [selector] },
  }),
  namespaced('rbac.authorization.k8s.io/v1', 'RoleBinding', 'rolebindings', { roleRef, subjects }),
  clusterWide('rbac.authorization.k8s.io/v1', 'ClusterRoleBinding', 'clusterrolebindings', { roleRef, subjects }),
  clusterWide('storage.k8s.io/v1', 'StorageClass', 'storageclasses', {
    provisioner: 'csi.example.com',
    parameters: { a: 'b' },
    reclaimPolicy: 'Retain',
    mountOptions: ['ro'],
    allowVolumeExpansion: true,
    volumeBindingMode: 'WaitForFirstConsumer',
    allowedTopologies: [{ matchLabelExpressions: [{ key: 'zone', values: ['a'] }] }],
  }),
  clusterWide('storage.k8s.io/v1', 'CSIDriver', 'csidrivers', {
    metadata: { name: 'csi.example.com' },
    spec: {
      attachRequired: false,
      podInfoOnMount: true,
      volumeLifecycleModes: ['Persistent', 'Ephemeral'],
      storageCapacity: true,
      fsGroupPolicy: 'File',
      tokenRequests: [{ audience: 'a', expirationSeconds: 3600 }],
      requiresRepublish: true,
      seLinuxMount: true,
      nodeAllocatableUpdatePeriodSeconds: 30,
    },
  }),
  clusterWide('storage.k8s.io/v1', 'CSINode', 'csinodes', {
    spec: { drivers: [{ name: 'csi.example.com', nodeID: 'n-1', topologyKeys: ['zone'], allocatable: { count: 5 } }] },
  }),
  namespaced('storage.k8s.io/v1', 'CSIStorageCapacity', 'csistoragecapacities', {
    storageClassName: 'fast',
    capacity: '10Gi',
    maximumVolumeSize: '1Gi',
    nodeTopology: selector,
  }),
  clusterWide('storage.k8s.io/v1', 'VolumeAttachment', 'volumeattachments', {
    spec: { attacher: 'csi.example.com', nodeName: 'node-1', source: { persistentVolumeName: 'one' } },
  }),
  clusterWide('storage.k8s.io/v1', 'VolumeAttributesClass', 'volumeattributesclasses', {
    driverName: 'csi.example.com',
    parameters: { iops: '10' },
  }),
  clusterWide('scheduling.k8s.io/v1', 'PriorityClass', 'priorityclasses', {
    value: 100,
    globalDefault: false,
    description: 'x',
    preemptionPolicy: 'Never',
  }),
  namespaced('coordination.k8s.io/v1', 'Lease', 'leases', {
    spec: {
      holderIdentity: 'a',
      leaseDurationSeconds: 15,
      acquireTime: '2026-01-01T00:00:00.000000Z',
      renewTime: '2026-01-01T00:00:00.000000Z',
      leaseTransitions: 1,
    },
  }),
  namespaced('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices', {
    addressType: 'IPv4',
    endpoints: [
      {
        addresses: ['10.0.0.1'],
        conditions: { ready: true, serving: true, terminating: false },
        hostname: 'a',
        nodeName: 'node-1',
        zone: 'z',
        targetRef: { kind: 'Pod', name: 'a', namespace: 'default' },
        hints: { forZones: [{ name: 'z' }] },
      },
    ],
    ports: [{ name: 'http', port: 80, protocol: 'TCP', appProtocol: 'http' }],
  }),
  namespaced(
    'events.k8s.io/v1',
    'Event',
    'events',
    {
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'example.com/one',
      reportingInstance: 'one-1',
      action: 'Start',
      reason: 'Started',
      regarding: { apiVersion: 'v1', kind: 'Pod', name: 'one', namespace: 'default' },
      note: 'it has',
      type: 'Normal',
    },
    'Event (events.k8s.io)',
  ),
  clusterWide('flowcontrol.apiserver.k8s.io/v1', 'FlowSchema', 'flowschemas', {
    spec: {
      priorityLevelConfiguration: { name: 'global-default' },
      matchingPrecedence: 100,
      distinguisherMethod: { type: 'ByUser' },
      rules: [
        {
          subjects: [
            { kind: 'User', user: { name: 'ann' } },
            { kind: 'ServiceAccount', serviceAccount: { name: 'a', namespace: 'default' } },
          ],
          resourceRules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'], namespaces: ['*'], clusterScope: true }],
          nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz'] }],
        },
      ],
    },
  }),
  clusterWide('flowcontrol.apiserver.k8s.io/v1', 'PriorityLevelConfiguration', 'prioritylevelconfigurations', {
    spec: {
      type: 'Limited',
      limited: {
        nominalConcurrencyShares: 10,
        lendablePercent: 10,
        borrowingLimitPercent: 20,
        limitResponse: { type: 'Queue', queuing: { queues: 16, handSize: 4, queueLengthLimit: 50 } },
      },
    },
  }),
  clusterWide('node.k8s.io/v1', 'RuntimeClass', 'runtimeclasses', {
    handler: 'runc',
    overhead: { podFixed: { cpu: '10m' } },
    scheduling: { nodeSelector: { a: 'b' }, tolerations: [{ key: 'a', operator: 'Exists', effect: 'NoSchedule' }] },
  }),
  clusterWide('admissionregistration.k8s.io/v1', 'MutatingWebhookConfiguration', 'mutatingwebhookconfigurations', {
    webhooks: [{ ...webhook('a'), reinvocationPolicy: 'IfNeeded' }],
  }),
  clusterWide('admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration', 'validatingwebhookconfigurations', {
    webhooks: [webhook('a')],
  }),
  clusterWide('admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicy', 'validatingadmissionpolicies', {
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: {
        matchPolicy: 'Equivalent',
        resourceRules: [{ operations: ['CREATE'], apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'], scope: '*' }],
        namespaceSelector: selector,
        objectSelector: selector,
      },
      matchConditions: [{ name: 'c', expression: 'true' }],
      variables: [{ name: 'v', expression: 'object.spec.replicas' }],
      validations: [{ expression: 'variables.v < 5', message: 'too many', reason: 'Invalid', messageExpression: '"no"' }],
      auditAnnotations: [{ key: 'k', valueExpression: '"x"' }],
    },
  }),
  clusterWide('admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicyBinding', 'validatingadmissionpolicybindings', {
    spec: {
      policyName: 'one',
      validationActions: ['Deny', 'Audit'],
      matchResources: { namespaceSelector: selector, matchPolicy: 'Equivalent' },
      paramRef: { name: 'p', namespace: 'default', parameterNotFoundAction: 'Deny' },
    },
  }),
  clusterWide('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'customresourcedefinitions', {
    metadata: { name: 'things.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList', shortNames: ['th'], categories: ['all'] },
      conversion: { strategy: 'None' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          deprecated: true,
          deprecationWarning: 'old',
          subresources: {
            status: {},
            scale: { specReplicasPath: '.spec.size', statusReplicasPath: '.status.size', labelSelectorPath: '.status.selector' },
          },
          additionalPrinterColumns: [{ name: 'Size', type: 'integer', jsonPath: '.spec.size', priority: 1, format: 'int32' }],
          selectableFields: [{ jsonPath: '.spec.color' }],
          schema: {
            openAPIV3Schema: {
              type: 'object',
              description: 'x',
              properties: {
                spec: {
                  type: 'object',
                  required: ['size'],
                  'x-kubernetes-validations': [
                    { rule: 'self.size < 10', message: 'small', fieldPath: '.size', reason: 'FieldValueInvalid' },
                  ],
                  properties: {
                    size: { type: 'integer', minimum: 0, maximum: 10, default: 1, format: 'int32' },
                    color: { type: 'string', enum: ['red', 'blue'], maxLength: 10, pattern: '^[a-z]+$' },
                    parts: {
                      type: 'array',
                      maxItems: 5,
                      'x-kubernetes-list-type': 'map',
                      'x-kubernetes-list-map-keys': ['name'],
                      items: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } },
                    },
                    free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
                    either: { 'x-kubernetes-int-or-string': true },
                    map: { type: 'object', additionalProperties: { type: 'string' }, maxProperties: 3 },
                  },
                },
                status: { type: 'object', properties: { size: { type: 'integer' }, selector: { type: 'string' } } },
              },
            },
          },
        },
      ],
    },
  }),
  clusterWide('apiregistration.k8s.io/v1', 'APIService', 'apiservices', {
    metadata: { name: 'v1.example.net' },
    spec: {
      group: 'example.net',
      version: 'v1',
      groupPriorityMinimum: 100,
      versionPriority: 10,
      insecureSkipTLSVerify: true,
      service: { namespace: 'default', name: 'api', port: 443 },
    },
  }),
  clusterWide('certificates.k8s.io/v1', 'CertificateSigningRequest', 'certificatesigningrequests', {
    spec: { request, signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'], expirationSeconds: 3600 },
  }),
  clusterWide('resource.k8s.io/v1', 'DeviceClass', 'deviceclasses', {
    spec: {
      selectors: [{ cel: { expression: 'device.driver == "gpu.example.com"' } }],
      config: [{ opaque: { driver: 'gpu.example.com', parameters: { a: 1 } } }],
    },
  }),
  namespaced('resource.k8s.io/v1', 'ResourceClaim', 'resourceclaims', {
    spec: {
      devices: {
        requests: [
          {
            name: 'gpu',
            exactly: {
              deviceClassName: 'gpu',
              allocationMode: 'ExactCount',
              count: 2,
              selectors: [{ cel: { expression: 'device.driver == "a"' } }],
            },
          },
          { name: 'any', firstAvailable: [{ name: 'big', deviceClassName: 'big' }] },
        ],
        constraints: [{ requests: ['gpu'], matchAttribute: 'gpu.example.com/numa' }],
        config: [{ requests: ['gpu'], opaque: { driver: 'gpu.example.com', parameters: { a: 1 } } }],
      },
    },
  }),
  namespaced('resource.k8s.io/v1', 'ResourceClaimTemplate', 'resourceclaimtemplates', {
    spec: { metadata: { labels: { a: 'b' } }, spec: { devices: { requests: [{ name: 'gpu', exactly: { deviceClassName: 'gpu' } }] } } },
  }),
  clusterWide('resource.k8s.io/v1', 'ResourceSlice', 'resourceslices', {
    spec: { driver: 'gpu.example.com', nodeName: 'node-1', pool: { name: 'p', generation: 1, resourceSliceCount: 1 }, devices: [device] },
  }),
  review('authentication.k8s.io/v1', 'TokenReview', 'tokenreviews', { spec: { token: 'nobody', audiences: ['a'] } }),
  review('authentication.k8s.io/v1', 'SelfSubjectReview', 'selfsubjectreviews', {}),
  review('authorization.k8s.io/v1', 'SubjectAccessReview', 'subjectaccessreviews', {
    spec: { user: 'ann', groups: ['dev'], uid: '1', extra: { a: ['b'] }, resourceAttributes: attributes },
  }),
  review('authorization.k8s.io/v1', 'SelfSubjectAccessReview', 'selfsubjectaccessreviews', {
    spec: { nonResourceAttributes: { path: '/healthz', verb: 'get' } },
  }),
  review(
    'authorization.k8s.io/v1',
    'LocalSubjectAccessReview',
    'localsubjectaccessreviews',
    { metadata: { namespace: 'default' }, spec: { user: 'ann', resourceAttributes: attributes } },
    true,
  ),
]
