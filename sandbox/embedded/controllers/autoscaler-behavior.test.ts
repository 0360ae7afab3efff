import { expect, it } from 'vitest'
import type { HorizontalPodAutoscalerBehavior, HorizontalPodAutoscalerSpec } from '../schema/types/autoscaling.v2.ts'
import { type AutoscalerMemory, decide } from './autoscaler-behavior.ts'

const now = 10_000_000

function spec(behavior?: HorizontalPodAutoscalerBehavior): HorizontalPodAutoscalerSpec {
  return { scaleTargetRef: { kind: 'Deployment', name: 'web' }, minReplicas: 1, maxReplicas: 20, ...(behavior && { behavior }) }
}

function memory(recommendations: AutoscalerMemory['recommendations'] = [], changes: AutoscalerMemory['changes'] = []): AutoscalerMemory {
  return { recommendations, changes }
}

it.each([
  [3, 15, 6, 'ScaleUpLimit'],
  [1, 9, 4, 'ScaleUpLimit'],
  [12, 30, 20, 'TooManyReplicas'],
  [3, 0, 1, 'TooFewReplicas'],
  [3, 5, 5, 'DesiredWithinRange'],
])('without a behavior %i may become %i at most by doubling: %i (%s)', (current, recommended, replicas, reason) => {
  expect(decide(spec(), memory(), recommended, current, now)).toMatchObject({ replicas, limited: { reason } })
})

it('holds scaling down back by the highest recommendation of the last five minutes', () => {
  const recent = memory([
    { time: now - 301_000, replicas: 9 },
    { time: now - 200_000, replicas: 5 },
  ])
  expect(decide(spec(), recent, 2, 6, now)).toMatchObject({ replicas: 5, ableToScale: { reason: 'ScaleDownStabilized' } })
})

it('goes no faster than the policies allow within their period, counting what was done in it', () => {
  const behavior = {
    scaleUp: { stabilizationWindowSeconds: 0, policies: [{ type: 'Pods', value: 2, periodSeconds: 60 }] },
    scaleDown: { stabilizationWindowSeconds: 0, policies: [{ type: 'Percent', value: 50, periodSeconds: 60 }] },
  }
  expect(decide(spec(behavior), memory(), 10, 4, now)).toMatchObject({ replicas: 6, limited: { reason: 'ScaleUpLimit' } })
  const done = memory([], [{ time: now - 30_000, difference: 2 }])
  expect(decide(spec(behavior), done, 10, 6, now)).toMatchObject({ replicas: 6, limited: { reason: 'ScaleUpLimit' } })
  expect(decide(spec(behavior), memory(), 1, 9, now)).toMatchObject({ replicas: 4, limited: { reason: 'ScaleDownLimit' } })
})

it('takes the smaller step where the policy to select is Min, and none where it is Disabled', () => {
  const policies = [
    { type: 'Pods', value: 1, periodSeconds: 60 },
    { type: 'Percent', value: 100, periodSeconds: 60 },
  ]
  const rules = (selectPolicy: string) => ({ scaleUp: { stabilizationWindowSeconds: 0, selectPolicy, policies } })
  expect(decide(spec(rules('Min')), memory(), 20, 5, now).replicas).toBe(6)
  expect(decide(spec(rules('Max')), memory(), 20, 5, now).replicas).toBe(10)
  expect(decide(spec(rules('Disabled')), memory(), 20, 5, now).replicas).toBe(5)
})

it('waits with scaling up until all recommendations of its window are as high', () => {
  const behavior = { scaleUp: { stabilizationWindowSeconds: 60 } }
  const recent = memory([{ time: now - 30_000, replicas: 3 }])
  expect(decide(spec(behavior), recent, 6, 2, now)).toMatchObject({ replicas: 3, ableToScale: { reason: 'ScaleUpStabilized' } })
})
