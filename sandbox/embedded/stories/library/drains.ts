import type { Pod } from '../../schema/types/core.v1.ts'
import type { Scene } from '../scene.ts'
import type { Story } from '../story.ts'
import { podGone, podsReady } from './states.ts'

/** A node emptied as `kubectl drain` does it: closed, then everybody evicted that is not a DaemonSet's, again and again. */

/** The evictions that are asked for at once, in the order of the names; what is refused is asked again by who calls. */
async function evictAll(scene: Scene, names: readonly string[]): Promise<string[]> {
  const refused: string[] = []
  for (const name of names) if ((await scene.evict(name)) !== 201) refused.push(name)
  return refused
}

const byDaemonSet = ({ metadata }: Pod) => metadata.ownerReferences?.some(({ kind }) => kind === 'DaemonSet') ?? false

export const drainStories: readonly Story[] = [
  {
    name: 'drain-of-the-only-node',
    follows: ['Pod', 'PodDisruptionBudget', 'Node', 'ReplicaSet', 'DaemonSet'],
    alone: true,
    oneNode: true,
    // An uncordoned node keeps its taint for a moment, in which the scheduler may look.
    loose: ['Pod condition PodScheduled', 'Pod events default-scheduler'],
    async play(scene) {
      const node = (await scene.nodes())[0]?.metadata.name ?? ''
      await scene.apply(`
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: web, image: "nginx:1.27"}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: agent, image: "busybox:1.36", command: [sleep, "3600"]}]
---
apiVersion: v1
kind: Pod
metadata: {name: slow}
spec:
  terminationGracePeriodSeconds: 40
  containers: [{name: main, image: "busybox:1.36", command: [sh, -c, "trap 'sleep 8; exit 0' TERM; while true; do sleep 1; done"]}]
---
apiVersion: v1
kind: Pod
metadata: {name: stubborn}
spec:
  terminationGracePeriodSeconds: 12
  containers: [{name: main, image: "busybox:1.36", command: [sh, -c, "trap '' TERM; while true; do sleep 1; done"]}]
`)
      await scene.until('all run', podsReady(scene, 5))
      await scene.wait(2)
      await scene.patch('Node', node, { spec: { unschedulable: true } })
      const own = scene
        .all<Pod>('Pod')
        .filter((pod) => !byDaemonSet(pod))
        .map(({ metadata }) => metadata.name ?? '')
      let refused = await evictAll(scene, own)
      scene.note(`refused: ${refused.length}`)
      await scene.wait(5)
      refused = await evictAll(scene, refused)
      scene.note(`refused again: ${refused.length}`)
      await scene.until('the slow ones are gone', () => podGone(scene, 'slow')() && podGone(scene, 'stubborn')())
      await scene.remove('PodDisruptionBudget', 'web')
      await scene.wait(1)
      refused = await evictAll(scene, refused)
      scene.note(`refused without the budget: ${refused.length}`)
      await scene.until('it is gone', () => own.every((name) => podGone(scene, name)()))
      await scene.patch('Node', node, { spec: { unschedulable: null } })
      await scene.until('they run again', podsReady(scene, 3))
    },
  },
]
