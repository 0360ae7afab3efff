import type { Job } from '../../schema/types/batch.v1.ts'
import type { Pod } from '../../schema/types/core.v1.ts'
import type { Scene } from '../scene.ts'
import type { Story } from '../story.ts'
import { podGone, podPhase, podsReady } from './states.ts'

/** Pods that write more to their node's disk than they may, and what the kubelet then does with them. */

const follows = ['Pod'] as const

/** Whether the kubelet looks at ended containers before it removes what an evicted Pod leaves behind. */
const loose = ['Pod container main', 'Pod container other']

const writer = (script: string, { spec = '', container = '', name = 'writer' } = {}) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  terminationGracePeriodSeconds: 5
  ${spec}
  containers:
    - name: main
      image: busybox:1.36
      command: [sh, -c, ${JSON.stringify(`${script}; sleep 3600`)}]
      ${container}
`

const write = (mebibytes: number, file: string) => `dd if=/dev/zero of=${file} bs=1M count=${mebibytes} 2>/dev/null`
const limits = (storage: string) => `resources: {limits: {ephemeral-storage: ${storage}}}`
const mounted = 'volumeMounts: [{name: data, mountPath: /data}]'
const emptyDir = (fields: string) => `volumes: [{name: data, emptyDir: {${fields}}}]`

/** The kubelet looks at volumes once a minute, and it says why when it has. */
const evicted = (name: string, ...manifests: string[]): Story => ({
  name,
  follows,
  loose,
  async play(scene) {
    for (const manifest of manifests) await scene.apply(manifest)
    await scene.until('it is evicted', podPhase(scene, 'writer', 'Failed'), 200)
    await scene.wait(2)
  },
})

/** Long enough that the kubelet has looked at everything. */
const stays = async (scene: Scene) => {
  await scene.until('it runs', podsReady(scene, 1))
  await scene.wait(90)
}

export const localStorageStories: readonly Story[] = [
  evicted('folder-fuller-than-its-limit', writer(write(6, '/data/file'), { spec: emptyDir('sizeLimit: 2Mi'), container: mounted })),
  evicted('container-fuller-than-its-limit', writer(write(6, '/tmp/file'), { container: limits('2Mi') })),
  evicted(
    'containers-fuller-than-their-limits',
    `${writer(write(6, '/data/file'), { spec: emptyDir(''), container: `${limits('2Mi')}\n      ${mounted}` })}
    - name: other
      image: busybox:1.36
      command: [sleep, "3600"]
      ${limits('1Mi')}
`,
  ),
  evicted(
    'one-of-two-containers-fuller-than-its-limit',
    `${writer(write(6, '/tmp/file'), { container: limits('2Mi') })}
    - name: other
      image: busybox:1.36
      command: [sleep, "3600"]
`,
  ),
  evicted(
    'one-container-fuller-than-its-limit-beside-an-empty-one',
    `${writer(write(6, '/tmp/file'), { container: limits('2Mi') })}
    - name: other
      image: busybox:1.36
      command: [sleep, "3600"]
      ${limits('50Mi')}
`,
  ),
  evicted(
    'output-longer-than-its-limit',
    writer('i=0; while [ $i -lt 6000 ]; do echo "line $i of what nobody will ever want to read again"; i=$((i + 1)); done', {
      container: limits('200Ki'),
    }),
  ),
  {
    name: 'folder-in-memory-has-no-more-room',
    follows,
    async play(scene) {
      const script =
        'dd if=/dev/zero of=/data/file bs=1M count=6 2>&1 | grep -o "No space left on device"; wc -c < /data/file; df -m /data | tail -1 | tr -s " " | cut -d" " -f1-5'
      await scene.apply(writer(script, { spec: emptyDir('medium: Memory, sizeLimit: 2Mi'), container: mounted }))
      await scene.until('it has written', async () => (await scene.logs('writer').catch(() => '')).includes('tmpfs'))
      scene.note(await scene.logs('writer'))
    },
  },
  {
    name: 'more-than-was-asked-for-and-no-limit',
    follows,
    async play(scene) {
      await scene.apply(writer(write(6, '/tmp/file'), { container: 'resources: {requests: {ephemeral-storage: 2Mi}}' }))
      await stays(scene)
    },
  },
  {
    name: 'evicted-pods-have-followers',
    follows: ['Pod', 'ReplicaSet'],
    oneNode: true,
    loose,
    async play(scene) {
      const script = `[ -e /shared/once ] || { touch /shared/once; ${write(6, '/data/file')}; }; sleep 3600`
      await scene.apply(`
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: writers}
spec:
  replicas: 1
  selector: {matchLabels: {app: writers}}
  template:
    metadata: {labels: {app: writers}}
    spec:
      terminationGracePeriodSeconds: 1
      volumes:
        - {name: data, emptyDir: {sizeLimit: 2Mi}}
        - {name: shared, hostPath: {path: /tmp/${scene.namespace}, type: DirectoryOrCreate}}
      containers:
        - name: main
          image: busybox:1.36
          command: [sh, -c, ${JSON.stringify(script)}]
          volumeMounts: [{name: data, mountPath: /data}, {name: shared, mountPath: /shared}]
`)
      const pods = () => scene.all<Pod>('Pod')
      await scene.until('one is evicted', () => pods().some(({ status }) => status?.reason === 'Evicted'), 200)
      const first = pods().find(({ status }) => status?.reason === 'Evicted')?.metadata.name ?? ''
      await scene.until('another one runs', () => pods().some(({ status }) => status?.phase === 'Running'))
      await scene.wait(5)
      await scene.remove('Pod', first)
      await scene.until('it is gone', podGone(scene, first))
    },
  },
  {
    name: 'evicted-pods-of-a-job',
    follows: ['Pod', 'Job'],
    async play(scene) {
      await scene.apply(`
apiVersion: batch/v1
kind: Job
metadata: {name: write}
spec:
  backoffLimit: 0
  podFailurePolicy:
    rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}]
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 1
      containers:
        - {name: main, image: "busybox:1.36", command: [sh, -c, "${write(6, '/tmp/file')}; sleep 3600"], ${limits('2Mi')}}
`)
      const failed = () => (scene.one<Job>('Job', 'write')?.status?.conditions ?? []).some(({ type }) => type === 'Failed')
      await scene.until('it has failed', failed, 200)
    },
  },
]
