import { setTimeout } from 'node:timers/promises'
import { readFixture, writeFixture } from './json-fixture.ts'
import type { Server } from './server.ts'

const group = '/apis/admissionregistration.k8s.io/v1'
const configMaps = '/api/v1/namespaces/default/configmaps'

/** What a server answers to a request that a policy looks at, or why it does not take the policy. */
export type PolicyVerdicts = Record<string, unknown>

/** Policies by the label of those that they look at, with more of their bindings. */
const cases: Record<string, [spec: object, binding?: object]> = {
  message: [{ validations: [{ expression: 'object.data.a == "x"', message: ' m ', messageExpression: '"a is " + object.data.a' }] }],
  messageFails: [{ validations: [{ expression: 'false', message: ' m ', messageExpression: '"a is " + object.data.zz' }] }],
  newline: [{ validations: [{ expression: 'false', messageExpression: '"a\\nb"' }] }],
  reason: [{ validations: [{ expression: 'object.data.a == "x"', reason: 'Forbidden' }] }],
  error: [{ validations: [{ expression: 'object.data.zz == "x"' }] }],
  variables: [
    {
      variables: [
        { name: 'v', expression: 'object.data.zz' },
        { name: 'w', expression: 'size(object.data)' },
      ],
      validations: [
        { expression: 'variables.w == 9', messageExpression: '"w=" + string(variables.w)' },
        { expression: 'variables.v == "x"' },
      ],
    },
  ],
  varError: [{ variables: [{ name: 'v', expression: 'object.data.zz' }], validations: [{ expression: 'variables.v == "x"' }] }],
  condition: [
    {
      matchConditions: [
        { name: 'a', expression: 'object.data.zz == "x"' },
        { name: 'b', expression: 'object.data.yy == "x"' },
      ],
      validations: [{ expression: 'false' }],
    },
  ],
  paramsMissing: [
    { paramKind: { apiVersion: 'v1', kind: 'ConfigMap' }, validations: [{ expression: 'params.data.x == "1"' }] },
    { paramRef: { name: 'nope', namespace: 'default', parameterNotFoundAction: 'Deny' } },
  ],
  params: [
    {
      paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
      validations: [{ expression: 'params.metadata.name == "x"', messageExpression: 'params.kind + params.metadata.name' }],
    },
    { paramRef: { name: 'kube-root-ca-x', namespace: 'default', parameterNotFoundAction: 'Deny' } },
  ],
  authorizer: [
    {
      validations: [
        {
          expression:
            'authorizer.group("apps").resource("deployments").namespace("default").check("get").allowed() && authorizer.serviceAccount("default","default").group("").resource("pods").check("get").allowed()',
        },
      ],
    },
  ],
  requestResource: [{ validations: [{ expression: '!authorizer.requestResource.check("create").allowed()' }] }],
  badAccount: [
    { validations: [{ expression: 'authorizer.serviceAccount("default","Bad_").group("").resource("pods").check("get").allowed()' }] },
  ],
  three: [{ validations: [{ expression: '["a","b","c"].all(v, authorizer.group("").resource("pods").check(v).allowed() || true)' }] }],
  annotation: [{ auditAnnotations: [{ key: 'k', valueExpression: 'object.data.zz' }] }],
  request: [
    {
      validations: [
        {
          expression: 'request.operation == "X"',
          messageExpression:
            'request.operation + request.kind.kind + request.resource.resource + request.namespace + request.name + string(request.dryRun)',
        },
      ],
    },
  ],
  namespaceObject: [
    {
      validations: [
        {
          expression: 'namespaceObject.metadata.name == "x"',
          messageExpression: 'namespaceObject.metadata.name + string(namespaceObject.metadata.labels.size())',
        },
      ],
    },
  ],
  old: [{ validations: [{ expression: 'oldObject != null', messageExpression: 'string(oldObject == null)' }] }],
  cost: [{ validations: [{ expression: 'lists2()' }] }],
}

/** Makes all policies, asks what they say of a ConfigMap, and takes them away. */
export async function policyVerdicts(server: Server): Promise<PolicyVerdicts> {
  const verdicts: PolicyVerdicts = {}
  await server.send('POST', configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'kube-root-ca-x' } })
  for (const [title, [spec, binding]] of Object.entries(cases)) {
    const resourceRules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }]
    const matchConstraints = { resourceRules, objectSelector: { matchLabels: { c: title } } }
    const made = await server.send('POST', `${group}/validatingadmissionpolicies`, {
      ...head('ValidatingAdmissionPolicy', title),
      spec: { matchConstraints, ...spec },
    })
    if (made.status !== 201) verdicts[title] = made.body
    else {
      await server.send('POST', `${group}/validatingadmissionpolicybindings`, {
        ...head('ValidatingAdmissionPolicyBinding', title),
        spec: { policyName: nameOf(title), validationActions: ['Deny'], ...binding },
      })
    }
  }
  try {
    for (const title of Object.keys(cases)) verdicts[title] ??= await judged(server, title)
  } finally {
    for (const title of Object.keys(cases)) {
      for (const kind of ['validatingadmissionpolicybindings', 'validatingadmissionpolicies']) {
        await server.send('DELETE', `${group}/${kind}/${nameOf(title)}`)
      }
    }
    await server.send('DELETE', `${configMaps}/kube-root-ca-x`)
  }
  return verdicts
}

/** A real server learns of a policy a moment later. */
async function judged(server: Server, title: string): Promise<unknown> {
  const probe = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'probe', labels: { c: title } }, data: { a: 'b' } }
  for (let tries = 0; ; tries++) {
    const { status, body } = await server.send('POST', `${configMaps}?dryRun=All`, probe)
    if (status !== 201) return body
    if (tries === 12) return 'let in'
    await setTimeout(250)
  }
}

function head(kind: string, title: string) {
  return { apiVersion: 'admissionregistration.k8s.io/v1', kind, metadata: { name: nameOf(title) } }
}

function nameOf(title: string): string {
  return `policy-${title.toLowerCase()}`
}

export function recordedPolicies(): PolicyVerdicts {
  return readFixture('policies')
}

export function recordPolicies(verdicts: PolicyVerdicts): void {
  writeFixture('policies', verdicts)
}
