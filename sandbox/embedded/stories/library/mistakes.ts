import type { Pod, ResourceQuota } from '../../schema/types/core.v1.ts'
import type { Scene } from '../scene.ts'
import type { Story } from '../story.ts'
import { podOf } from './manifests.ts'
import { podReady, restarted } from './states.ts'

/** What people get wrong in a Pod, and what a cluster says to it. */

const follows = ['Pod'] as const

const pod = (container: string, spec = '', name = 'web') => podOf(name, 'busybox:1.36', container, spec)
const waiting = (scene: Scene, reason: string) => () =>
  scene.one<Pod>('Pod', 'web')?.status?.containerStatuses?.[0]?.state?.waiting?.reason === reason

/** A Pod whose container waits for ever, with this reason. */
const waitsFor = (name: string, reason: string, manifest: string): Story => ({
  name,
  follows,
  async play(scene) {
    await scene.apply(manifest)
    await scene.until('it waits', waiting(scene, reason))
    await scene.until(
      'why is told',
      () => scene.one<Pod>('Pod', 'web')?.status?.containerStatuses?.[0]?.state?.waiting?.message !== undefined,
    )
    scene.note(scene.one<Pod>('Pod', 'web')?.status?.containerStatuses?.[0]?.state?.waiting?.message ?? '')
  },
})

/** A container that cannot be started at all. */
const cannotStart = (name: string, container: string): Story => ({
  name,
  follows,
  async play(scene) {
    await scene.apply(pod(container))
    await scene.until('it backs off', restarted(scene, 'web', 1, 'CrashLoopBackOff'))
  },
})

const sleeping = 'command: [sleep, "600"]'

export const mistakeStories: readonly Story[] = [
  cannotStart('command-that-is-not-there', 'command: [serve, --port=80]'),
  cannotStart('command-that-is-a-folder', 'command: [/etc]'),
  cannotStart('command-that-may-not-run', 'command: [/etc/passwd]'),
  cannotStart('folder-that-is-a-file', `workingDir: /etc/passwd\n      ${sleeping}`),
  waitsFor(
    'key-that-is-missing',
    'CreateContainerConfigError',
    pod(`env: [{name: A, valueFrom: {configMapKeyRef: {name: kube-root-ca.crt, key: colour}}}]\n      ${sleeping}`),
  ),
  waitsFor('secret-that-is-missing', 'CreateContainerConfigError', pod(`envFrom: [{secretRef: {name: nowhere}}]\n      ${sleeping}`)),
  waitsFor('root-although-it-must-not', 'CreateContainerConfigError', pod(`securityContext: {runAsNonRoot: true}\n      ${sleeping}`)),
  waitsFor(
    'root-by-number-although-it-must-not',
    'CreateContainerConfigError',
    pod(`securityContext: {runAsNonRoot: true, runAsUser: 0}\n      ${sleeping}`),
  ),
  {
    name: 'volume-of-a-missing-configmap',
    follows,
    async play(scene) {
      const mount = `volumeMounts: [{name: settings, mountPath: /settings}]\n      ${sleeping}`
      await scene.apply(pod(mount, 'volumes: [{name: settings, configMap: {name: settings}}]'))
      await scene.wait(5)
      await scene.apply('{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {colour: green}}')
      await scene.until('it runs', podReady(scene, 'web'))
    },
  },
  {
    name: 'volume-of-a-missing-key',
    follows,
    async play(scene) {
      const mount = `volumeMounts: [{name: settings, mountPath: /settings}]\n      ${sleeping}`
      const items = 'items: [{key: size, path: size}]'
      await scene.apply('{apiVersion: v1, kind: Secret, metadata: {name: settings}, stringData: {colour: green}}')
      await scene.apply(pod(mount, `volumes: [{name: settings, secret: {secretName: settings, ${items}}}]`))
      await scene.wait(5)
    },
  },
  {
    name: 'host-path-of-another-type',
    follows,
    async play(scene) {
      const mount = `volumeMounts: [{name: host, mountPath: /host}]\n      ${sleeping}`
      await scene.apply(pod(mount, 'volumes: [{name: host, hostPath: {path: /etc/passwd, type: Directory}}]'))
      await scene.wait(5)
    },
  },
  {
    name: 'readiness-gate',
    follows,
    async play(scene) {
      await scene.apply(pod(sleeping, 'readinessGates: [{conditionType: example.com/in-rotation}]'))
      await scene.until('its containers are ready', () => scene.one<Pod>('Pod', 'web')?.status?.containerStatuses?.[0]?.ready === true)
      await scene.wait(2)
      const condition = { type: 'example.com/in-rotation', status: 'True' }
      await scene.patch('Pod', 'web', { status: { conditions: [condition] } }, { subresource: 'status', strategic: true })
      await scene.until('it is ready', podReady(scene, 'web'))
      await scene.patch(
        'Pod',
        'web',
        { status: { conditions: [{ ...condition, status: 'False' }] } },
        { subresource: 'status', strategic: true },
      )
      await scene.until('it is not ready', () => !podReady(scene, 'web')())
    },
  },
  {
    name: 'refused-at-the-door',
    follows: ['Pod', 'LimitRange', 'ResourceQuota'],
    async play(scene) {
      const web = (spec: object, container: object = {}) => ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'web' },
        spec: { containers: [{ name: 'main', image: 'busybox:1.36', ...container }], nodeSelector: { 'story/nowhere': 'yes' }, ...spec },
      })
      await scene.attempt('priority class', web({ priorityClassName: 'nobody-knows' }))
      await scene.attempt('service account', web({ serviceAccountName: 'nobody' }))
      await scene.attempt('runtime class', web({ runtimeClassName: 'none' }))
      await scene.attempt('requests above limits', web({}, { resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }))
      await scene.attempt(
        'twice the same',
        web({
          containers: [
            { name: 'a', image: 'a' },
            { name: 'a', image: 'b' },
          ],
        }),
      )
      const limits = [{ type: 'Container', max: { cpu: '1' }, min: { memory: '8Mi' }, maxLimitRequestRatio: { cpu: '2' } }]
      await scene.create({ apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'bounds' }, spec: { limits } } as never)
      const quota = { hard: { 'requests.cpu': '500m', 'requests.memory': '64Mi', pods: '2' } }
      await scene.create({ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'small' }, spec: quota } as never)
      const ready = () => scene.one<ResourceQuota>('ResourceQuota', 'small')?.status?.used?.['pods'] === '0'
      await scene.until('the quota is ready', ready)
      await scene.wait(1)
      await scene.attempt('above the maximum', web({}, { resources: { requests: { cpu: '2', memory: '16Mi' }, limits: { cpu: '2' } } }))
      await scene.attempt('below the minimum', web({}, { resources: { requests: { cpu: '1', memory: '4Mi' }, limits: { cpu: '1' } } }))
      await scene.attempt('ratio', web({}, { resources: { requests: { cpu: '100m', memory: '16Mi' }, limits: { cpu: '900m' } } }))
      await scene.attempt('no memory', web({}, { resources: { requests: { cpu: '500m' }, limits: { cpu: '500m' } } }))
      await scene.attempt('above the quota', web({}, { resources: { requests: { cpu: '800m', memory: '72Mi' }, limits: { cpu: '800m' } } }))
    },
  },
]
