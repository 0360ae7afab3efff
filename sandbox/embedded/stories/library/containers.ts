import type { Pod } from '../../schema/types/core.v1.ts'
import type { Scene } from '../scene.ts'
import type { Story } from '../story.ts'
import { podGone, podPhase, podReady, restarted } from './states.ts'

/** What a container finds where it begins: who it is, what it may do, what it can write to, and how its end is told. */

const follows = ['Pod'] as const

const shell = (script: string, spec = '', container = '', name = 'look') => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: look, tier: back}, annotations: {example.com/owner: 'team "blue"'}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 2
  ${spec}
  containers:
    - name: main
      image: busybox:1.36
      command: [sh, -c, ${JSON.stringify(script)}]
      ${container}
`

/** Lines of what the Pod's container has written. */
async function noteLogs(scene: Scene, name = 'look'): Promise<void> {
  for (const line of (await scene.logs(name)).split('\n').filter(Boolean)) scene.note(line)
}

/** A Pod that looks around once and tells. */
const looksAround = (name: string, manifest: string): Story => ({
  name,
  follows,
  async play(scene) {
    await scene.apply(manifest)
    await scene.until('it has ended', () => ['Succeeded', 'Failed'].includes(scene.one<Pod>('Pod', 'look')?.status?.phase ?? ''))
    await noteLogs(scene)
  },
})

const capabilities = 'grep -E "^(Cap|NoNewPrivs)" /proc/1/status | tr "\\t" " "'
const owners = (path: string) => `ls -ld ${path} | cut -d" " -f1`
const mounted = (path: string) => `volumeMounts: [{name: data, mountPath: ${path}}]`

/** Containers that end one way each, in one Pod. */
const endings = (ends: Record<string, string>, policy: string) => `
apiVersion: v1
kind: Pod
metadata: {name: ends}
spec:
  restartPolicy: ${policy}
  terminationGracePeriodSeconds: 1
  containers:${Object.entries(ends)
    .map(
      ([name, script]) => `
    - {name: ${name}, image: "busybox:1.36", command: [sh, -c, ${JSON.stringify(script)}], terminationMessagePolicy: FallbackToLogsOnError}`,
    )
    .join('')}
`

const volumeFiles = (volume: string) => `volumes: [{name: data, ${volume}}]`

export const containerStories: readonly Story[] = [
  looksAround('capabilities-by-default', shell(capabilities)),
  looksAround('capabilities-dropped', shell(capabilities, '', 'securityContext: {capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}}')),
  looksAround('capabilities-added', shell(capabilities, '', 'securityContext: {capabilities: {add: [NET_ADMIN, SYS_TIME]}}')),
  looksAround(
    'capabilities-of-somebody-else',
    shell(
      `${capabilities}; chown 1 /tmp; id -u; touch /root/x; kill -0 1 && echo may`,
      '',
      'securityContext: {runAsUser: 1000, allowPrivilegeEscalation: false}',
    ),
  ),
  looksAround(
    'groups-of-a-volume',
    shell(
      `id; touch /data/f; ls -l /data/f | awk '{print $1, $3, $4}'; ${owners('/data')}; cat /etc/passwd > /data/g && echo copied`,
      `securityContext: {runAsUser: 1000, runAsGroup: 3000, fsGroup: 2000, supplementalGroups: [4000]}\n  ${volumeFiles('emptyDir: {}')}`,
      mounted('/data'),
    ),
  ),
  looksAround(
    'root-that-is-read-only',
    shell(
      'touch /x; echo y > /etc/z; mkdir /tmp/a; touch /data/ok && echo written; echo gone > /dev/termination-log; rm /bin/ls; mv /etc/passwd /p; exit 3',
      volumeFiles('emptyDir: {}'),
      `${mounted('/data')}\n      securityContext: {readOnlyRootFilesystem: true}`,
    ),
  ),
  looksAround(
    'volume-that-is-read-only',
    shell(
      'touch /data/x; echo no > /data/name; rm /data/name; mkdir /data/d; cat /data/name; ls /data; exit 2',
      volumeFiles('downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}'),
      mounted('/data'),
    ),
  ),
  looksAround(
    'files-of-the-downward-api',
    shell(
      'for f in name labels notes cpu memory sub/request; do echo "$f:"; cat /data/$f; echo; done; ls -l /data/sub/request | cut -d" " -f1',
      `volumes:
    - name: data
      downwardAPI:
        defaultMode: 0440
        items:
          - {path: name, fieldRef: {fieldPath: metadata.name}}
          - {path: labels, fieldRef: {fieldPath: metadata.labels}}
          - {path: notes, fieldRef: {fieldPath: "metadata.annotations['example.com/owner']"}}
          - {path: cpu, resourceFieldRef: {containerName: main, resource: limits.cpu, divisor: 1m}}
          - {path: memory, resourceFieldRef: {containerName: main, resource: limits.memory, divisor: 1Mi}}
          - {path: sub/request, mode: 0400, resourceFieldRef: {containerName: main, resource: requests.cpu}}`,
      `${mounted('/data')}\n      resources: {requests: {cpu: 10m}, limits: {cpu: 1500m, memory: 64Mi}}`,
    ),
  ),
  looksAround(
    'variables-of-a-container',
    shell(
      'env | grep ^V | sort; echo "$V_TWO"',
      '',
      `env:
        - {name: V_ONE, value: one}
        - {name: V_TWO, value: "$(V_ONE) and two"}
        - {name: V_ESCAPED, value: "$$(V_ONE)"}
        - {name: V_UNKNOWN, value: "$(V_NONE) $(V_LATER) $ $(V_ONE"}
        - {name: V_LATER, value: later}
        - {name: V_POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: V_LABEL, valueFrom: {fieldRef: {fieldPath: "metadata.labels['tier']"}}}
        - {name: V_ACCOUNT, valueFrom: {fieldRef: {fieldPath: spec.serviceAccountName}}}
        - {name: V_CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
        - {name: V_MEMORY, valueFrom: {resourceFieldRef: {resource: limits.memory}}}
        - {name: V_OPTIONAL, valueFrom: {configMapKeyRef: {name: nowhere, key: none, optional: true}}}
        - {name: V_HOST_LOCAL, value: "$(HOSTNAME)"}
      resources: {requests: {cpu: 10m}, limits: {cpu: 1500m, memory: 64Mi}}`,
    ),
  ),
  looksAround(
    'names-of-a-pod',
    shell(
      'hostname; hostname -f; cat /etc/hosts | sed 1d; cat /etc/resolv.conf',
      `hostname: web-7
  subdomain: shop
  hostAliases: [{ip: "10.1.2.3", hostnames: [db.local, cache.local]}]
  dnsPolicy: ClusterFirst
  dnsConfig: {nameservers: ["10.9.9.9"], searches: [example.com], options: [{name: ndots, value: "2"}, {name: edns0}]}`,
    ),
  ),
  looksAround(
    'names-without-a-cluster',
    shell('cat /etc/resolv.conf', 'dnsPolicy: None\n  dnsConfig: {nameservers: ["10.9.9.9"], searches: [a.example, b.example]}'),
  ),
  looksAround(
    'processes-seen-by-each-other',
    `
apiVersion: v1
kind: Pod
metadata: {name: look}
spec:
  restartPolicy: Never
  shareProcessNamespace: true
  terminationGracePeriodSeconds: 1
  initContainers: [{name: beside, image: "busybox:1.36", restartPolicy: Always, command: [sleep, "3600"]}]
  containers:
    - name: main
      image: busybox:1.36
      command: [sh, -c, "sleep 1; tr '\\\\0' ' ' < /proc/1/cmdline; echo; ps | grep -c '[s]leep 3600'; exit 0"]
`,
  ),
  {
    name: 'ends-of-containers',
    follows,
    async play(scene) {
      const ends = {
        fine: 'exit 0',
        said: 'echo one; echo two >&2; exit 1',
        written: 'echo from the log; echo "by the file" > /dev/termination-log; exit 1',
        missing: 'nosuch --command',
        forbidden: '/etc/passwd',
        large: 'exit 300',
        killed: 'sh -c "kill -9 \\$\\$"; exit $?',
        ended: 'sh -c "kill \\$\\$"; exit $?',
      }
      await scene.apply(endings(ends, 'Never'))
      await scene.until('it has failed', podPhase(scene, 'ends', 'Failed'))
    },
  },
  {
    name: 'termination-message-too-long',
    follows,
    async play(scene) {
      const script = 'i=0; while [ $i -lt 100 ]; do echo "line $i of what went wrong"; i=$((i+1)); done; exit 1'
      await scene.apply(endings({ chatty: script }, 'Never'))
      await scene.until('it has failed', podPhase(scene, 'ends', 'Failed'))
    },
  },
  {
    name: 'out-of-memory',
    follows,
    async play(scene) {
      const limits = 'resources: {limits: {memory: 24Mi}}'
      await scene.apply(shell('sleep 2; exec dd if=/dev/zero of=/dev/null bs=100M count=1', '', limits))
      await scene.until('it has ended', () => ['Succeeded', 'Failed'].includes(scene.one<Pod>('Pod', 'look')?.status?.phase ?? ''))
      await noteLogs(scene)
    },
  },
  {
    name: 'settings-change-while-mounted',
    follows,
    async play(scene) {
      await scene.apply('{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {colour: green, size: small}}')
      const mounts = `volumeMounts: [{name: data, mountPath: /data}, {name: data, mountPath: /one/colour, subPath: colour}]
      env: [{name: COLOUR, valueFrom: {configMapKeyRef: {name: settings, key: colour}}}]`
      const script = `until [ -e /data/shape ]; do sleep 1; done; cat /data/colour /data/shape /one/colour; echo " $COLOUR"; ls /data`
      await scene.apply(shell(script, volumeFiles('configMap: {name: settings}'), mounts))
      await scene.until('it runs', podReady(scene, 'look'))
      await scene.patch('ConfigMap', 'settings', { data: { colour: 'red', shape: 'round', size: null } })
      await scene.until('it has seen it', podPhase(scene, 'look', 'Succeeded'), 200)
      await noteLogs(scene)
    },
  },
  looksAround(
    'volumes-that-need-not-be-there',
    shell(
      'ls -A /data | grep -vc nothing; ls -A /one | grep -vc nothing; exit 0',
      'volumes: [{name: data, configMap: {name: nowhere, optional: true}}, {name: one, secret: {secretName: nowhere, optional: true}}]',
      'volumeMounts: [{name: data, mountPath: /data}, {name: one, mountPath: /one}]',
    ),
  ),
  looksAround(
    'volume-of-many-sources',
    shell(
      'cd /data; find . -follow -type f | grep -v "\\.\\./" | grep -v "/\\.\\." | sort; cat name; echo; tail -c +1 token | tr . "\\n" | wc -l; ls -lL token name | cut -d" " -f1',
      `volumes:
    - name: data
      projected:
        sources:
          - serviceAccountToken: {path: token, audience: vault, expirationSeconds: 600}
          - downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}
          - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: tls/ca.crt, mode: 0400}]}
          - secret: {name: colours, optional: true}`,
      mounted('/data'),
    ),
  ),
  {
    name: 'sysctl-that-is-not-safe',
    follows,
    async play(scene) {
      await scene.apply(shell('sleep 600', 'securityContext: {sysctls: [{name: net.core.somaxconn, value: "1024"}]}'))
      await scene.until('it is refused', podPhase(scene, 'look', 'Failed'))
    },
  },
  {
    name: 'no-token-for-a-pod',
    follows,
    async play(scene) {
      await scene.apply(shell('ls /var/run/secrets/kubernetes.io/serviceaccount; exit 5', 'automountServiceAccountToken: false'))
      await scene.until('it has failed', podPhase(scene, 'look', 'Failed'))
      await noteLogs(scene)
    },
  },
  {
    name: 'folder-that-is-not-there-yet',
    follows,
    async play(scene) {
      const mount = `workingDir: /srv/app\n      ${mounted('/data/deep')}`
      await scene.apply(shell('pwd; ls -d /srv/app /data/deep; touch here && ls', volumeFiles('emptyDir: {medium: Memory}'), mount))
      await scene.until('it has ended', podPhase(scene, 'look', 'Succeeded'))
      await noteLogs(scene)
    },
  },
  {
    name: 'sub-path-that-leads-outside',
    follows,
    async play(scene) {
      const mountedFrom = (subPath: string) => ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'look' },
        spec: {
          volumes: [{ name: 'data', emptyDir: {} }],
          containers: [{ name: 'main', image: 'busybox:1.36', volumeMounts: [{ name: 'data', mountPath: '/data', subPath }] }],
        },
      })
      await scene.attempt('upwards', mountedFrom('../etc'))
      await scene.attempt('from the root', mountedFrom('/etc'))
      const mount = 'volumeMounts: [{name: data, mountPath: /data, subPathExpr: $(NONE)/x}]'
      await scene.apply(shell('sleep 600', volumeFiles('emptyDir: {}'), mount))
      await scene.wait(5)
    },
  },
  {
    name: 'restarts-of-one-of-two',
    follows,
    async play(scene) {
      await scene.apply(endings({ steady: 'trap "exit 0" TERM; while true; do sleep 0.2; done', weak: 'sleep 3; exit 9' }, 'OnFailure'))
      const weak = () => scene.one<Pod>('Pod', 'ends')?.status?.containerStatuses?.find(({ name }) => name === 'weak')
      await scene.until(
        'one backs off a second time',
        () => weak()?.restartCount === 2 && weak()?.state?.waiting?.reason === 'CrashLoopBackOff',
      )
    },
  },
  {
    name: 'removed-at-once',
    follows,
    async play(scene) {
      await scene.apply(shell("trap '' TERM; while true; do sleep 1; done").replace('PeriodSeconds: 2', 'PeriodSeconds: 300'))
      await scene.until('it runs', podReady(scene, 'look'))
      await scene.remove('Pod', 'look')
      await scene.wait(2)
      await scene.remove('Pod', 'look', { gracePeriodSeconds: 0 })
      await scene.until('it is gone', podGone(scene, 'look'))
    },
  },
  {
    name: 'grace-cut-short',
    follows,
    async play(scene) {
      await scene.apply(shell("trap '' TERM; while true; do sleep 1; done").replace('PeriodSeconds: 2', 'PeriodSeconds: 25'))
      await scene.until('it runs', podReady(scene, 'look'))
      await scene.remove('Pod', 'look')
      await scene.wait(2)
      await scene.remove('Pod', 'look', { gracePeriodSeconds: 5 })
      await scene.wait(9)
      // What has been told how long it has is not told again.
      scene.note(`after nine seconds: ${scene.one('Pod', 'look') ? 'there' : 'gone'}`)
      await scene.until('it is gone', podGone(scene, 'look'), 40)
    },
  },
  {
    name: 'image-changed-while-it-runs',
    follows,
    async play(scene) {
      await scene.apply(shell('sleep 600', '', '').replace('restartPolicy: Never', 'restartPolicy: Always'))
      await scene.until('it runs', podReady(scene, 'look'))
      await scene.patch('Pod', 'look', { spec: { containers: [{ name: 'main', image: 'nginx:1.27' }] } }, { strategic: true })
      await scene.until('it runs again', restarted(scene, 'look', 1))
      await scene.until('it is ready again', podReady(scene, 'look'))
      await scene.wait(2)
    },
  },
]
