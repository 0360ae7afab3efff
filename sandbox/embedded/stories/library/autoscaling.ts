import type { Deployment } from '../../schema/types/apps.v1.ts'
import type { HorizontalPodAutoscaler } from '../../schema/types/autoscaling.v2.ts'
import type { Scene } from '../scene.ts'
import type { Story } from '../story.ts'

const follows = ['HorizontalPodAutoscaler', 'Deployment', 'Pod'] as const

/** Of the Pods, how many are ready at which look is a race. */
const loose = ['Deployment condition Available', 'Deployment unavailableReplicas']

const busy = 'while true; do :; done'
const requests = 'resources: {requests: {cpu: 50m}, limits: {cpu: 50m}}'

const deployment = (script: string, container = requests, replicas = 1) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: busybox:1.36
          command: [sh, -c, ${JSON.stringify(script)}]
          ${container}
`

const cpu = (utilization: number) =>
  `{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: ${utilization}}}}`

const autoscaler = (metric: string, spec = '', { name = 'web', target = 'web' } = {}) => `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: ${name}}
spec:
  maxReplicas: 3
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ${target}}
  metrics: [${metric}]
  ${spec}
`

const conditionReason =
  (scene: Scene, type: string, reason: string, name = 'web') =>
  () =>
    scene
      .one<HorizontalPodAutoscaler>('HorizontalPodAutoscaler', name)
      ?.status?.conditions?.some((condition) => condition.type === type && condition.reason === reason) ?? false

const scaledTo = (scene: Scene, replicas: number) => () => {
  const { spec, status } = scene.one<Deployment>('Deployment', 'web') ?? {}
  return spec?.replicas === replicas && status?.replicas === replicas && status.availableReplicas === replicas
}

/** Pods whose figures the metrics API has. */
async function measured(scene: Scene, count: number): Promise<void> {
  await scene.until('they run', podsAvailable(scene, count))
  await scene.wait(60)
}

const podsAvailable = (scene: Scene, count: number) => () => scene.one<Deployment>('Deployment', 'web')?.status?.availableReplicas === count

const steps = `behavior:
    scaleUp: {stabilizationWindowSeconds: 0, policies: [{type: Pods, value: 1, periodSeconds: 30}]}
    scaleDown: {stabilizationWindowSeconds: 45, policies: [{type: Pods, value: 1, periodSeconds: 30}]}`

/** Metrics that fail, with the reason that the condition ScalingActive gives. */
const failing = (name: string, metric: string, reason: string): Story => ({
  name,
  follows,
  loose,
  async play(scene) {
    await scene.apply(deployment('sleep 3600'))
    await measured(scene, 1)
    await scene.apply(autoscaler(metric))
    await scene.until('it fails', conditionReason(scene, 'ScalingActive', reason))
  },
})

export const autoscalingStories: readonly Story[] = [
  {
    name: 'autoscaler-goes-by-steps',
    follows,
    // Which of the recommendations in the window is the highest, and so what is said, is a matter of when the figures are read.
    loose: [...loose, 'HorizontalPodAutoscaler condition AbleToScale', 'HorizontalPodAutoscaler condition ScalingLimited'],
    async play(scene) {
      await scene.apply(deployment(busy))
      await measured(scene, 1)
      await scene.apply(autoscaler(cpu(40), steps))
      await scene.until('there are three', scaledTo(scene, 3), 300)
      await scene.wait(60)
      const [metric] = [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 400 } } }]
      await scene.patch('HorizontalPodAutoscaler', 'web', { spec: { metrics: [metric] } })
      await scene.until('there is one', scaledTo(scene, 1), 300)
      await scene.wait(20)
    },
  },
  {
    name: 'autoscaler-at-once',
    follows,
    loose: [...loose, 'HorizontalPodAutoscaler condition AbleToScale'],
    async play(scene) {
      await scene.apply(deployment(busy))
      await measured(scene, 1)
      await scene.apply(autoscaler(cpu(20), 'behavior: {scaleDown: {selectPolicy: Disabled}}'))
      await scene.until('there are three', scaledTo(scene, 3), 300)
      await scene.wait(60)
      const [metric] = [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 400 } } }]
      await scene.patch('HorizontalPodAutoscaler', 'web', { spec: { metrics: [metric] } })
      await scene.wait(40)
    },
  },
  {
    name: 'autoscaler-within-its-bounds',
    follows,
    loose,
    async play(scene) {
      await scene.apply(deployment('sleep 3600', requests, 5))
      await measured(scene, 5)
      await scene.apply(autoscaler(cpu(50), 'minReplicas: 2\n  behavior: {scaleDown: {stabilizationWindowSeconds: 0}}'))
      await scene.until('there are two', scaledTo(scene, 2), 200)
      await scene.patch('HorizontalPodAutoscaler', 'web', { spec: { minReplicas: 3 } })
      await scene.until('there are three', scaledTo(scene, 3), 200)
      await scene.wait(20)
    },
  },
  {
    name: 'autoscaler-without-requests',
    follows,
    loose,
    async play(scene) {
      await scene.apply(deployment('sleep 3600', ''))
      await measured(scene, 1)
      await scene.apply(autoscaler(cpu(50)))
      await scene.until('it fails', conditionReason(scene, 'ScalingActive', 'FailedGetResourceMetric'))
    },
  },
  {
    name: 'autoscaler-of-unready-pods',
    follows,
    loose,
    async play(scene) {
      await scene.apply(deployment('sleep 3600', `${requests}\n          readinessProbe: {exec: {command: ["false"]}}`))
      await scene.until('it is there', () => scene.one<Deployment>('Deployment', 'web')?.status?.unavailableReplicas === 1)
      await scene.wait(60)
      await scene.apply(autoscaler(cpu(50)))
      await scene.until('it fails', conditionReason(scene, 'ScalingActive', 'FailedGetResourceMetric'))
    },
  },
  failing(
    'autoscaler-of-a-metric-of-pods',
    '{type: Pods, pods: {metric: {name: requests}, target: {type: AverageValue, averageValue: "10"}}}',
    'FailedGetPodsMetric',
  ),
  failing(
    'autoscaler-of-an-object',
    '{type: Object, object: {describedObject: {apiVersion: v1, kind: Service, name: web}, metric: {name: requests}, target: {type: Value, value: "10"}}}',
    'FailedGetObjectMetric',
  ),
  failing(
    'autoscaler-of-an-external-metric',
    '{type: External, external: {metric: {name: queue, selector: {matchLabels: {team: red}}}, target: {type: Value, value: "10"}}}',
    'FailedGetExternalMetric',
  ),
  failing(
    'autoscaler-of-another-container',
    '{type: ContainerResource, containerResource: {name: cpu, container: other, target: {type: Utilization, averageUtilization: 50}}}',
    'FailedGetContainerResourceMetric',
  ),
  {
    name: 'autoscaler-of-nothing',
    follows,
    async play(scene) {
      await scene.apply(autoscaler(cpu(50), '', { target: 'nothing' }))
      await scene.until('it fails', conditionReason(scene, 'AbleToScale', 'FailedGetScale'))
    },
  },
  {
    name: 'autoscaler-switched-off',
    follows,
    loose,
    async play(scene) {
      await scene.apply(deployment('sleep 3600', requests, 0))
      await scene.wait(3)
      await scene.apply(autoscaler(cpu(50)))
      await scene.until('it is off', conditionReason(scene, 'ScalingActive', 'ScalingDisabled'))
    },
  },
  {
    name: 'autoscalers-of-one-deployment',
    follows,
    // They are named in any order.
    loose: [...loose, 'HorizontalPodAutoscaler condition ScalingActive', 'HorizontalPodAutoscaler events horizontal-pod-autoscaler'],
    async play(scene) {
      await scene.apply(deployment('sleep 3600'))
      await measured(scene, 1)
      await scene.apply(autoscaler(cpu(50)))
      await scene.until('the first works', conditionReason(scene, 'ScalingActive', 'ValidMetricFound'))
      await scene.apply(autoscaler(cpu(50), '', { name: 'again' }))
      const both = ['web', 'again'].map((name) => conditionReason(scene, 'ScalingActive', 'AmbiguousSelector', name))
      await scene.until('both see each other', () => both.every((ambiguous) => ambiguous()), 200)
      const { conditions = [] } = scene.one<HorizontalPodAutoscaler>('HorizontalPodAutoscaler', 'web')?.status ?? {}
      const message = conditions.find(({ type }) => type === 'ScalingActive')?.message ?? ''
      scene.note(message.replace(/\[(.*)\]/, (_, names: string) => `[${names.split(' ').sort().join(' ')}]`))
    },
  },
]
