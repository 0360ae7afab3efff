import { expect, test } from 'vitest'
import type { ValidatingAdmissionPolicy } from '../schema/types/admissionregistration.v1.ts'
import { typeWarnings } from './policy-type-check.ts'

function policy(resourceRules: object[], expressions: string[], more: object = {}): ValidatingAdmissionPolicy {
  const spec = { matchConstraints: { resourceRules }, validations: expressions.map((expression) => ({ expression })), ...more }
  return { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicy', metadata: { name: 'one' }, spec } as never
}

const deployments = { apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['deployments'] }
const core = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods', 'configmaps', 'pods/status'] }
const warningsOf = (one: ValidatingAdmissionPolicy) => typeWarnings(one, [], () => 0.5)

// Each as a real kube-controller-manager of 1.34 wrote it.
test('a field that a kind does not have is told of, with its place', () => {
  expect(warningsOf(policy([deployments], ['object.spec.replica > 1', 'object.spec.replicas > 1']))).toEqual([
    {
      fieldRef: 'spec.validations[0].expression',
      warning: "apps/v1, Kind=Deployment: ERROR: <input>:1:12: undefined field 'replica'\n | object.spec.replica > 1\n | ...........^\n",
    },
  ])
})

test('each kind that a policy names is looked at, in their order', () => {
  const [found, ...others] = warningsOf(policy([core], ["object.data.x == 'a'"]))
  expect(others).toEqual([])
  expect(found?.warning).toBe("/v1, Kind=Pod: ERROR: <input>:1:7: undefined field 'data'\n | object.data.x == 'a'\n | ......^\n")
  const both = warningsOf(policy([core], ["object.spec.containers.all(c, c.nam != 'a')"]))
  expect(both[0]?.warning).toMatch(/^\/v1, Kind=ConfigMap: .*undefined field 'spec'[\s\S]*\n\n\/v1, Kind=Pod: .*undefined field 'nam'/)
})

test('parameters have the type of their kind, and variables of theirs', () => {
  const more = { paramKind: { apiVersion: 'v1', kind: 'ConfigMap' }, variables: [{ name: 'n', expression: 'object.spec.replicas' }] }
  const warnings = warningsOf(policy([deployments], ["params.nope == 'a'", "variables.n == 'a'", 'variables.n > 1'], more))
  expect(warnings.map(({ warning }) => warning.split('\n')[0])).toEqual([
    "apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'nope'",
    "apps/v1, Kind=Deployment: ERROR: <input>:1:13: found no matching overload for '_==_' applied to '(int, string)'",
  ])
})

test('rules with wildcards are not looked at', () => {
  expect(warningsOf(policy([{ ...deployments, apiGroups: ['*'] }], ['object.spec.replica > 1']))).toEqual([])
})
