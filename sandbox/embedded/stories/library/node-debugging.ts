import type { Pod } from '../../schema/types/core.v1.ts'
import type { Story } from '../story.ts'
import { podGone } from './states.ts'

/** Pods that look at their node, as `kubectl debug node/NODE` makes them. */

const follows = ['Pod'] as const

/** A Pod as `kubectl debug node/NODE` makes it with its usual profile. */
const ofNode = (node: string, script: string, more = '') => `
apiVersion: v1
kind: Pod
metadata: {name: node-debugger, labels: {app.kubernetes.io/managed-by: kubectl-debug}}
spec:
  nodeName: ${node}
  restartPolicy: Never
  hostIPC: true
  hostNetwork: true
  hostPID: true
  tolerations: [{operator: Exists}]
  volumes: [{name: host-root, hostPath: {path: /}}]
  containers:
    - name: debugger
      image: busybox:1.36
      command: [sh, -c, ${JSON.stringify(script)}]
      volumeMounts: [{name: host-root, mountPath: /host}]
      ${more}
`

/** `script` finds KEPT on the node and leaves WRITTEN there. */
const looksAtTheNode = (name: string, script: string, more = ''): Story => ({
  name,
  follows,
  oneNode: true,
  async play(scene) {
    const node = (await scene.nodes())[0]?.metadata.name ?? ''
    const [kept, written] = [`/tmp/${scene.namespace}-kept`, `/tmp/${scene.namespace}-written`]
    await scene.onNode(node, `echo kept > ${kept}`)
    await scene.apply(ofNode(node, script.replaceAll('KEPT', kept).replaceAll('WRITTEN', written), more))
    const ended = () => ['Succeeded', 'Failed'].includes(scene.one<Pod>('Pod', 'node-debugger')?.status?.phase ?? '')
    await scene.until('it has ended', ended)
    for (const line of (await scene.logs('node-debugger')).split('\n').filter(Boolean)) scene.note(line)
    await scene.remove('Pod', 'node-debugger')
    await scene.until('it is gone', podGone(scene, 'node-debugger'))
    scene.note((await scene.onNode(node, `cat ${written}; rm ${written} ${kept}`)).trim())
  },
})

export const nodeDebuggingStories: readonly Story[] = [
  looksAtTheNode(
    'node-debugger',
    [
      'ls /host/etc/kubernetes/manifests',
      '[ "$(hostname)" = "$(cat /host/etc/hostname)" ] && echo the name of the node',
      'chroot /host cat KEPT',
      'echo written > /hostWRITTEN',
      'chroot /host systemctl is-active kubelet 2>&1',
      'ip -o addr show eth0 | grep -c "inet "',
      'nslookup kubernetes.default.svc.cluster.local > /dev/null 2>&1; echo "cluster names: $?"',
      'grep -E "^Cap(Eff|Bnd)" /proc/self/status | tr "\\t" " "',
    ].join('; '),
  ),
  looksAtTheNode(
    'node-debugger-of-the-administrator',
    [
      'chroot /host ls /etc/kubernetes/manifests',
      'chroot /host systemctl is-active kubelet containerd 2>&1',
      'chroot /host sh -c "hostname > /dev/null && echo by the tools of the node > WRITTEN"',
      'chroot /nowhere true 2>&1; chroot /host no-such-program 2>&1; chroot /etc/hostname true 2>&1',
      'chroot /host/etc ls kubernetes 2>&1; cd /host/etc && chroot . pwd 2>&1',
      'chroot /host sh -c "cd /etc/kubernetes && cd .. && pwd; cat /../etc/hostname > /dev/null && echo no way out"',
      'exit 5',
    ].join('; '),
    'securityContext: {privileged: true}',
  ),
]
