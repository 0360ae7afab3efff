import type { Pod } from '../../schema/types/core.v1.ts'
import type { Scene } from '../scene.ts'
import type { Story } from '../story.ts'
import { podPhase, podReady } from './states.ts'

/** What `kubectl logs` shows: to its end, from a time, of the container before, and while the log is put aside. */

const follows = ['Pod'] as const

const talker = (script: string, policy = 'Always') => `
apiVersion: v1
kind: Pod
metadata: {name: talker}
spec:
  restartPolicy: ${policy}
  terminationGracePeriodSeconds: 1
  volumes: [{name: data, emptyDir: {}}]
  containers: [{name: main, image: "busybox:1.36", command: [sh, -c, ${JSON.stringify(script)}], volumeMounts: [{name: data, mountPath: /data}]}]
`

const noted = (scene: Scene, what: string, text: string) => scene.note(`${what}: ${JSON.stringify(text)}`)
const stamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z /gm

/** What the options show of the Pod's log, or how they are refused. */
async function look(scene: Scene, what: string, options: Parameters<Scene['logs']>[1]): Promise<void> {
  noted(scene, what, (await scene.logs('talker', options)).replaceAll(stamp, '<stamp> '))
}

const restartsOf = (scene: Scene) => scene.one<Pod>('Pod', 'talker')?.status?.containerStatuses?.[0]?.restartCount ?? 0

export const logStories: readonly Story[] = [
  {
    name: 'ends-of-a-log',
    follows,
    async play(scene) {
      const script = 'printf "one\\ntwo\\n\\n  three\\n"; sleep 6; echo error >&2; printf "four\\nno end"'
      await scene.apply(talker(script, 'Never'))
      await scene.until('it has ended', podPhase(scene, 'talker', 'Succeeded'))
      await look(scene, 'all', {})
      await look(scene, 'tail 0', { tailLines: 0 })
      await look(scene, 'tail 2', { tailLines: 2 })
      await look(scene, 'tail 100', { tailLines: 100 })
      await look(scene, 'with timestamps', { timestamps: true })
      await look(scene, 'tail 3 with timestamps', { timestamps: true, tailLines: 3 })
      await look(scene, '10 bytes', { limitBytes: 10 })
      await look(scene, '33 bytes with timestamps', { limitBytes: 33, timestamps: true })
      await look(scene, '12 bytes of the last 3', { limitBytes: 12, tailLines: 3 })
      const ended = scene.one<Pod>('Pod', 'talker')?.status?.containerStatuses?.[0]?.state?.terminated?.finishedAt ?? ''
      await look(scene, 'since shortly before its end', { sinceTime: new Date(Date.parse(ended) - 3000).toISOString() })
      await look(scene, 'since its end and later', { sinceTime: new Date(Date.parse(ended) + 5000).toISOString() })
      await look(scene, 'tail 1 since shortly before its end', {
        sinceTime: new Date(Date.parse(ended) - 3000).toISOString(),
        tailLines: 1,
      })
      await look(scene, 'since an hour', { sinceSeconds: 3600 })
    },
  },
  {
    name: 'log-followed-over-a-restart',
    follows,
    async play(scene) {
      const script = 'echo begin $((1 + 1)); sleep 4; echo end; [ -e /data/twice ] || { touch /data/twice; exit 1; }'
      await scene.apply(talker(script, 'OnFailure'))
      await scene.until('it runs', podReady(scene, 'talker'))
      const ended = new AbortController()
      const first = scene.followLogs('talker', {}, ended.signal)
      await scene.until('the first log ends', () => first.over)
      noted(scene, 'followed', first.text)
      await scene.until('it has begun again', () => restartsOf(scene) === 1 && podReady(scene, 'talker')())
      const second = scene.followLogs('talker', { tailLines: 1, timestamps: true }, ended.signal)
      await scene.wait(1)
      noted(scene, 'of the second so far', second.text.replaceAll(stamp, '<stamp> '))
      await look(scene, 'previous', { previous: true })
      const before = scene.followLogs('talker', { previous: true }, ended.signal)
      await scene.until('what is over is told at once', () => before.over)
      noted(scene, 'previous followed', before.text)
      await scene.until('the second log ends', () => second.over)
      noted(scene, 'second', second.text.replaceAll(stamp, '<stamp> '))
      await scene.until('it has ended', podPhase(scene, 'talker', 'Succeeded'))
      await look(scene, 'at last', { tailLines: 5 })
      const last = scene.followLogs('talker', {}, ended.signal)
      await scene.until('the log of what has ended ends', () => last.over)
      noted(scene, 'followed at last', last.text)
      ended.abort()
    },
  },
  {
    name: 'lines-longer-than-a-record',
    follows,
    async play(scene) {
      const script = 'head -c 40000 /dev/zero | tr "\\0" x; echo; printf "last"'
      await scene.apply(talker(script, 'Never'))
      await scene.until('it has ended', podPhase(scene, 'talker', 'Succeeded'))
      const shape = (text: string) => text.replaceAll(stamp, '<stamp> ').replaceAll(/x+/g, (run) => `${run.length} x`)
      noted(scene, 'all', shape(await scene.logs('talker')))
      noted(scene, 'with timestamps', shape(await scene.logs('talker', { timestamps: true })))
      noted(scene, 'tail 1', shape(await scene.logs('talker', { tailLines: 1 })))
      noted(scene, 'tail 2', shape(await scene.logs('talker', { tailLines: 2 })))
    },
  },
]
