import { expect, onTestFinished, test } from 'vitest'
import { Cluster } from '../../cluster.ts'

test("a policy's own variables have the types of what they are given by", async () => {
  const cluster = await Cluster.open({ nodes: 0, only: 'api', clock: { rate: 0 } })
  onTestFinished(() => cluster[Symbol.asyncDispose]())
  const create = async (expression: string) => {
    const rule = { operations: ['CREATE'], apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'] }
    const variables = [
      { name: 'replicas', expression: 'object.spec.replicas' },
      { name: 'odd', expression: 'variables.replicas % 2 == 1' },
      { name: 'most', expression: '3' },
    ]
    const spec = { matchConstraints: { resourceRules: [rule] }, variables, validations: [{ expression }] }
    const path = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies?dryRun=All'
    const body = { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicy', metadata: { name: 'odd' }, spec }
    const { status, body: answer } = await cluster.request({ method: 'POST', path, body })
    return status === 201 ? 'created' : (answer as { message: string }).message
  }
  expect(await create('variables.replicas > 1')).toBe('created')
  expect(await create('variables.odd')).toBe('created')
  expect(await create('variables.most')).toContain('must evaluate to bool but got int')
  expect(await create('object.spec.paused')).toContain('must evaluate to bool but got dyn')
  expect(await create('variables.none')).toContain("undefined field 'none'")
})
