import type { Story } from '../story.ts'
import { podReady } from './states.ts'

/** A kubelet that puts long logs aside, and what is shown of them. */

const follows = ['Pod'] as const

const talker = (script: string) => `
apiVersion: v1
kind: Pod
metadata: {name: talker}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: "busybox:1.36", command: [sh, -c, ${JSON.stringify(script)}]}]
`

export const logRotationStories: readonly Story[] = [
  {
    name: 'log-put-aside',
    follows,
    oneNode: true,
    alone: true,
    async play(scene) {
      const node = (await scene.nodes())[0]?.metadata.name ?? ''
      const config = '/var/lib/kubelet/config.yaml'
      const smaller = 'containerLogMaxSize: 20Ki\\ncontainerLogMaxFiles: 3'
      await scene.onNode(
        node,
        `cp ${config} /tmp/story-config.yaml; sed -i /^containerLog/d ${config}; printf '${smaller}\\n' >> ${config}`,
      )
      await scene.onNode(node, 'systemctl restart kubelet')
      try {
        await scene.wait(5)
        const script = `speak() { i=0; while [ $i -lt 400 ]; do echo "$1 $i: what is said in many words fills many pages"; i=$((i + 1)); done; }
sleep 5; for part in one two three four; do speak $part; sleep 14; echo "after $part"; sleep 3; done; sleep 3600`
        await scene.apply(talker(script))
        await scene.until('it runs', podReady(scene, 'talker'))
        const ended = new AbortController()
        const followed = scene.followLogs('talker', {}, ended.signal)
        const noteShown = async (when: string) => {
          const lines = (await scene.logs('talker')).trimEnd().split('\n')
          scene.note(`${when}: ${lines.length}, from ${lines[0]} to ${lines.at(-1)}`)
        }
        for (const part of ['one', 'two', 'three', 'four']) {
          await scene.until(`${part} is said`, () => followed.text.includes(`after ${part}\n`))
          await noteShown(`shown after ${part}`)
        }
        const lines = followed.text.trimEnd().split('\n')
        scene.note(`followed: ${lines.length}, from ${lines[0]} to ${lines.at(-1)}`)
        scene.note(`none twice: ${new Set(lines).size === lines.length}`)
        scene.note(`the last 5: ${JSON.stringify(await scene.logs('talker', { tailLines: 5 }))}`)
        scene.note(`since an hour: ${JSON.stringify(await scene.logs('talker', { sinceSeconds: 3600 }))}`)
        ended.abort()
      } finally {
        await scene.onNode(node, `mv /tmp/story-config.yaml ${config}; systemctl restart kubelet`)
        await scene.wait(5)
      }
    },
  },
]
