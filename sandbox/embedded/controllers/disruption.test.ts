import { expect, it, onTestFinished } from 'vitest'
import { resources } from '../machinery/object.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import type { PodDisruptionBudget, PodDisruptionBudgetSpec } from '../schema/types/policy.v1.ts'
import { startDisruption } from './disruption.ts'
import { setPodCondition } from './pod.ts'
import { MemoryCluster } from './testing/memory.ts'

const selector = { matchLabels: { app: 'web' } }

async function started(spec: PodDisruptionBudgetSpec, ...pods: Pod[]) {
  const cluster = new MemoryCluster()
  const running = startDisruption(cluster)
  onTestFinished(() => running[Symbol.dispose]())
  for (const pod of pods) await cluster.client.create(resources.pods, pod)
  const metadata = { name: 'web', namespace: 'lab' }
  const budget: PodDisruptionBudget = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata, spec: { selector, ...spec } }
  await cluster.client.create(resources.podDisruptionBudgets, budget)
  await cluster.settle()
  const status = () => cluster.cache.get<PodDisruptionBudget>(resources.podDisruptionBudgets, 'web', 'lab')?.status
  return { cluster, status }
}

function readyPod(name: string, owner?: { kind: string; apiVersion: string; name: string }): Pod {
  const ownerReferences = owner ? [{ ...owner, uid: owner.name, controller: true }] : undefined
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'lab', labels: { app: 'web' }, ...(ownerReferences && { ownerReferences }) },
    spec: { containers: [] },
    status: { phase: 'Running' },
  }
  setPodCondition(pod, { type: 'Ready', status: 'True' }, 0)
  return pod
}

it('allows nothing where a share is asked of Pods whose controller has no scale, and says why', async () => {
  const owner = { kind: 'DaemonSet', apiVersion: 'apps/v1', name: 'agent' }
  const { cluster, status } = await started({ maxUnavailable: 1 }, readyPod('a', owner))
  const why = 'daemonsets.apps does not implement the scale subresource'
  expect(status()).toMatchObject({ disruptionsAllowed: 0 })
  expect(status()?.conditions).toMatchObject([{ type: 'DisruptionAllowed', status: 'False', reason: 'SyncFailed', message: why }])
  expect(cluster.messages('CalculateExpectedPodCountFailed')[0]).toBe(`Failed to calculate the number of expected pods: ${why}`)
})

it('counts Pods without a controller for a number, but not for a share', async () => {
  const number = await started({ minAvailable: 1 }, readyPod('a'), readyPod('b'))
  expect(number.status()).toMatchObject({ expectedPods: 2, disruptionsAllowed: 1 })
  const share = await started({ minAvailable: '50%' }, readyPod('a'), readyPod('b'))
  expect(share.status()).toMatchObject({ expectedPods: 0, disruptionsAllowed: 0 })
  expect(share.cluster.messages('UnmanagedPods')[0]).toMatch(
    /\(selector: &LabelSelector\{MatchLabels:map\[string\]string\{app: web,\},MatchExpressions:\[\]LabelSelectorRequirement\{\},\}\)/,
  )
})

it('takes back after two minutes that a Pod is to be disrupted when nobody has deleted it', async () => {
  const pod = readyPod('a')
  const { cluster } = await started({ minAvailable: 1 }, pod)
  await cluster.change<Pod>(
    resources.pods,
    'a',
    'lab',
    (one) => void setPodCondition(one, { type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' }, cluster.clock.now()),
    'status',
  )
  const target = () =>
    cluster.cache.get<Pod>(resources.pods, 'a', 'lab')?.status?.conditions?.find(({ type }) => type === 'DisruptionTarget')?.status
  await cluster.settle(119_000)
  expect(target()).toBe('True')
  await cluster.settle(2000)
  expect(target()).toBe('False')
})
