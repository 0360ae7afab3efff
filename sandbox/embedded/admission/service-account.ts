import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import { randomLetters } from '../machinery/random.ts'
import type { Container, Pod, ServiceAccount, Volume } from '../schema/types/core.v1.ts'
import { type AdmissionPlugin, type AdmissionRequest, isAbout, refuse } from './admission.ts'

/** Every pod runs as a ServiceAccount of its namespace and gets that one's token and pull secrets. */
export function serviceAccount({ cache, clock, random }: Pick<ClusterContext, 'cache' | 'clock' | 'random'>): AdmissionPlugin {
  return {
    name: 'ServiceAccount',
    handles: (request) => request.operation === 'CREATE' && isAbout(request, '', 'pods'),
    async mutate(request) {
      const pod = request.object as Pod
      const spec = pod.spec
      if (!spec || isMirror(pod)) return
      const name = spec.serviceAccountName || 'default'
      spec.serviceAccountName = name
      spec.serviceAccount = name
      const account = await find(request, name)
      if (spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) mountToken(pod, random)
      if (!spec.imagePullSecrets?.length && account.imagePullSecrets?.length) {
        spec.imagePullSecrets = account.imagePullSecrets.map((reference) => ({ ...reference }))
      }
    },
    async validate(request) {
      const pod = request.object as Pod
      if (isMirror(pod)) {
        if (pod.spec?.serviceAccountName) throw refuse(request, 'a mirror pod may not reference service accounts')
        return
      }
      const name = pod.spec?.serviceAccountName
      if (!name) throw refuse(request, `no service account specified for pod ${request.namespace}/${pod.metadata.name}`)
      const account = await find(request, name)
      if (account.metadata.annotations?.['kubernetes.io/enforce-mountable-secrets'] === 'true') limitSecrets(request, account, pod)
    },
  }

  /** The default account of a namespace that has just been made may be a moment late. */
  async function find(request: AdmissionRequest, name: string): Promise<ServiceAccount> {
    const { namespace } = request
    const look = () => cache.get<ServiceAccount>(resources.serviceAccounts, name, namespace)
    for (let attempt = 0; attempt < 20 && name === 'default' && !look(); attempt++) await clock.sleep(100)
    const found = look()
    if (found) return found
    throw refuse(request, `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`)
  }
}

const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount'
const volumePrefix = 'kube-api-access-'

function isMirror(pod: Pod): boolean {
  return pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined
}

function mountToken(pod: Pod, random: () => number): void {
  const spec = pod.spec
  if (!spec) return
  const existing = spec.volumes?.find((volume) => volume.name.startsWith(volumePrefix))
  const name = existing?.name ?? `${volumePrefix}${randomLetters(random, 5)}`
  const bare = [...(spec.initContainers ?? []), ...(spec.containers ?? [])].filter(
    (container) => !container.volumeMounts?.some((mount) => mount.mountPath === mountPath),
  )
  for (const container of bare) mount(container, name)
  if (!existing && bare.length > 0) spec.volumes = [...(spec.volumes ?? []), tokenVolume(name)]
}

function mount(container: Container, name: string): void {
  container.volumeMounts = [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath }]
}

function tokenVolume(name: string): Volume {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
      ],
      defaultMode: 420,
    },
  } as Volume
}

function limitSecrets(request: AdmissionRequest, account: ServiceAccount, pod: Pod): void {
  const allowed = new Set((account.secrets ?? []).map((secret) => secret.name))
  const why = `is not allowed because service account ${account.metadata.name} does not reference that secret`
  for (const volume of pod.spec?.volumes ?? []) {
    const name = volume.secret?.secretName
    if (name && !allowed.has(name)) throw refuse(request, `volume with secret.secretName="${name}" ${why}`)
  }
  const kinds = [
    ['init container', pod.spec?.initContainers],
    ['container', pod.spec?.containers],
  ] as const
  for (const [kind, containers] of kinds) {
    for (const container of containers ?? []) {
      for (const { name, valueFrom } of container.env ?? []) {
        const secret = valueFrom?.secretKeyRef?.name
        if (!secret || allowed.has(secret)) continue
        throw refuse(request, `${kind} ${container.name} with envVar ${name} referencing secret.secretName="${secret}" ${why}`)
      }
      for (const { secretRef } of container.envFrom ?? []) {
        if (!secretRef?.name || allowed.has(secretRef.name)) continue
        throw refuse(request, `${kind} ${container.name} with envFrom referencing secret.secretName="${secretRef.name}" ${why}`)
      }
    }
  }
}
