import type { ClusterContext } from '../machinery/context.ts'
import { isAlreadyExists, isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod } from '../schema/types/core.v1.ts'
import type { StorageClass } from '../schema/types/storage.v1.ts'
import { messageOf } from './failure.ts'
import { keyOf, splitKey } from './owner.ts'
import { isPodFinished } from './pod.ts'
import { WorkQueue } from './queue.ts'
import {
  bindCompleted,
  boundByController,
  claimsOf,
  findVolume,
  isBound,
  noProvisioner,
  selectedNode,
  storageClassOf,
} from './volume-matching.ts'

const component = 'persistentvolume-controller'
const provisionedBy = 'pv.kubernetes.io/provisioned-by'
const storageProvisioner = 'volume.kubernetes.io/storage-provisioner'

/** Waits for volumes that somebody may still make, ms. */
const resync = 15_000

/** Binds claims to volumes, makes volumes for classes with a provisioner, and deletes or releases them afterwards. */
export function startPersistentVolume(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const claims: WorkQueue = stack.use(new WorkQueue(context, (key) => syncClaim(context, claims, key), { name: component, workers: 1 }))
  const volumes: WorkQueue = stack.use(new WorkQueue(context, (key) => syncVolume(context, key), { name: component, workers: 1 }))
  const addPending = () => {
    for (const claim of context.cache.list<PersistentVolumeClaim>(resources.persistentVolumeClaims)) {
      if (!isBound(claim)) claims.add(keyOf(claim))
    }
  }
  stack.use(
    context.cache.watch<PersistentVolumeClaim>(resources.persistentVolumeClaims, ({ object }) => {
      claims.add(keyOf(object))
      if (object.spec?.volumeName) volumes.add(object.spec.volumeName)
    }),
  )
  stack.use(
    context.cache.watch<PersistentVolume>(resources.persistentVolumes, ({ object }) => {
      volumes.add(keyOf(object))
      addPending()
    }),
  )
  stack.use(context.cache.watch<StorageClass>(resources.storageClasses, addPending))
  return stack
}

async function syncClaim(context: ClusterContext, queue: WorkQueue, key: string): Promise<void> {
  const { namespace, name } = splitKey(key)
  const claim = context.cache.get<PersistentVolumeClaim>(resources.persistentVolumeClaims, name, namespace)
  if (!claim?.spec) return
  if (isBound(claim)) await syncBoundClaim(context, claim)
  else if (!claim.metadata.deletionTimestamp) await syncUnboundClaim(context, queue, claim)
}

async function syncBoundClaim(context: ClusterContext, claim: PersistentVolumeClaim): Promise<void> {
  const volume = context.cache.get<PersistentVolume>(resources.persistentVolumes, claim.spec?.volumeName ?? '')
  const ours = volume && (volume.spec?.claimRef?.uid === claim.metadata.uid || !volume.spec?.claimRef)
  if (ours) {
    await bind(context, claim, volume)
    return
  }
  if (claim.status?.phase === 'Lost') return
  const message = volume
    ? 'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!'
    : 'Bound claim has lost its PersistentVolume. Data on the volume is lost!'
  await setClaimStatus(context, claim, { phase: 'Lost' })
  context.events.event(claim, 'Warning', 'ClaimLost', message, { component })
}

async function syncUnboundClaim(context: ClusterContext, queue: WorkQueue, claim: PersistentVolumeClaim): Promise<void> {
  await setClaimStatus(context, claim, { phase: 'Pending' })
  const wanted = claim.spec?.volumeName
  if (wanted) {
    const volume = context.cache.get<PersistentVolume>(resources.persistentVolumes, wanted)
    const reference = volume?.spec?.claimRef
    if (volume && (!reference || (reference.name === claim.metadata.name && reference.namespace === claim.metadata.namespace)))
      await bind(context, claim, volume)
    else if (volume)
      context.events.event(claim, 'Warning', 'FailedBinding', `volume "${wanted}" already bound to a different claim.`, { component })
    else queue.addAfter(keyOf(claim), resync)
    return
  }
  const storageClass = storageClassOf(context, claim)
  const delayed = storageClass?.volumeBindingMode === 'WaitForFirstConsumer'
  const chosen = claim.metadata.annotations?.[selectedNode]
  const reserved = context.cache
    .list<PersistentVolume>(resources.persistentVolumes)
    .find((volume) => volume.spec?.claimRef?.uid === claim.metadata.uid)
  const volume = reserved ?? (delayed ? undefined : findVolume(context, claim))
  if (volume) await bind(context, claim, volume)
  else if (delayed && !chosen) sayWaiting(context, queue, claim)
  else if (storageClass && storageClass.provisioner !== noProvisioner) await provision(context, queue, claim, storageClass, chosen)
  else sayUnbound(context, queue, claim)
}

function sayWaiting(context: ClusterContext, queue: WorkQueue, claim: PersistentVolumeClaim): void {
  const pod = context.cache.list<Pod>(resources.pods, claim.metadata.namespace).find((other) => {
    return !isPodFinished(other) && claimsOf(other).some(({ claimName }) => claimName === claim.metadata.name)
  })
  const [reason, message] = pod
    ? ['WaitForPodScheduled', `waiting for pod ${pod.metadata.name} to be scheduled`]
    : ['WaitForFirstConsumer', 'waiting for first consumer to be created before binding']
  context.events.event(claim, 'Normal', reason, message, { component })
  queue.addAfter(keyOf(claim), resync)
}

function sayUnbound(context: ClusterContext, queue: WorkQueue, claim: PersistentVolumeClaim): void {
  const name = claim.spec?.storageClassName
  const missing = name && !storageClassOf(context, claim)
  const [type, reason, message] = missing
    ? (['Warning', 'ProvisioningFailed', `storageclass.storage.k8s.io "${name}" not found`] as const)
    : (['Normal', 'FailedBinding', 'no persistent volumes available for this claim and no storage class is set'] as const)
  context.events.event(claim, type, reason, message, { component })
  queue.addAfter(keyOf(claim), resync)
}

/** The name by which the provisioner's Pod speaks: of the provisioner, of the Pod, and one that no other has. */
function provisionerIdentity({ cache }: ClusterContext, provisioner: string): string {
  const pods = cache.list<Pod>(resources.pods, 'local-path-storage')
  const pod = pods.find(({ metadata, status }) => metadata.labels?.['app'] === 'local-path-provisioner' && status?.phase === 'Running')
  return [provisioner, ...(pod ? [pod.metadata.name, pod.metadata.uid] : [])].join('_')
}

/** Has a volume made, as the provisioner of the class would: a folder on the chosen node. */
async function provision(
  context: ClusterContext,
  queue: WorkQueue,
  claim: PersistentVolumeClaim,
  storageClass: StorageClass,
  chosen: string | undefined,
): Promise<void> {
  const { provisioner } = storageClass
  const { name: claimName, namespace, uid, resourceVersion, annotations } = claim.metadata
  if (annotations?.[storageProvisioner] !== provisioner) {
    const patch = {
      metadata: { annotations: { [storageProvisioner]: provisioner, 'volume.beta.kubernetes.io/storage-provisioner': provisioner } },
    }
    await context.client.patch(resources.persistentVolumeClaims, claimName ?? '', patch, 'merge', { namespace })
    const waiting = `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`
    context.events.event(claim, 'Normal', 'ExternalProvisioning', waiting, { component })
    return
  }
  const source = { component: provisionerIdentity(context, provisioner) }
  const node = chosen ?? context.cache.list<Node>(resources.nodes)[0]?.metadata.name
  if (!node) {
    queue.addAfter(keyOf(claim), resync)
    return
  }
  context.events.event(
    claim,
    'Normal',
    'Provisioning',
    `External provisioner is provisioning volume for claim "${namespace}/${claimName}"`,
    source,
  )
  const name = `pvc-${uid}`
  const volume: PersistentVolume = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: {
      name,
      annotations: { [provisionedBy]: provisioner, 'local.path.provisioner/selected-node': node },
      finalizers: ['kubernetes.io/pv-protection'],
    },
    spec: {
      capacity: { storage: claim.spec?.resources?.requests?.['storage'] ?? '0' },
      accessModes: claim.spec?.accessModes,
      volumeMode: claim.spec?.volumeMode ?? 'Filesystem',
      persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
      storageClassName: storageClass.metadata.name,
      ...(storageClass.mountOptions && { mountOptions: storageClass.mountOptions }),
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name: claimName, namespace, uid, resourceVersion },
      hostPath: { path: `/var/local-path-provisioner/${name}_${namespace}_${claimName}`, type: 'DirectoryOrCreate' },
      nodeAffinity: {
        required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] }] },
      },
    },
  }
  try {
    await context.client.create<PersistentVolume>(resources.persistentVolumes, volume)
  } catch (error) {
    if (isAlreadyExists(error)) return
    context.events.event(
      claim,
      'Warning',
      'ProvisioningFailed',
      `failed to provision volume with StorageClass "${storageClass.metadata.name}": ${messageOf(error)}`,
      source,
    )
    throw error
  }
  context.events.event(claim, 'Normal', 'ProvisioningSucceeded', `Successfully provisioned volume ${name}`, source)
}

/** Makes claim and volume point at each other, and says so in the status of both. */
async function bind(context: ClusterContext, claim: PersistentVolumeClaim, volume: PersistentVolume): Promise<void> {
  const { name = '', namespace, uid, resourceVersion } = claim.metadata
  let bound = volume
  if (volume.spec?.claimRef?.uid !== uid) {
    const own = volume.spec?.claimRef === undefined
    const patch = {
      metadata: { resourceVersion: volume.metadata.resourceVersion, ...(own && { annotations: { [boundByController]: 'yes' } }) },
      spec: { claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace, uid, resourceVersion } },
    }
    bound = await context.client.patch<PersistentVolume>(resources.persistentVolumes, volume.metadata.name ?? '', patch, 'merge')
  }
  await setVolumePhase(context, bound, 'Bound')
  let owner = claim
  if (!isBound(claim)) {
    const annotations = { [bindCompleted]: 'yes', ...(!claim.spec?.volumeName && { [boundByController]: 'yes' }) }
    const patch = { metadata: { annotations }, spec: { volumeName: volume.metadata.name } }
    owner = await context.client.patch<PersistentVolumeClaim>(resources.persistentVolumeClaims, name, patch, 'merge', { namespace })
  }
  await setClaimStatus(context, owner, { phase: 'Bound', accessModes: volume.spec?.accessModes, capacity: volume.spec?.capacity })
}

async function syncVolume(context: ClusterContext, key: string): Promise<void> {
  const volume = context.cache.get<PersistentVolume>(resources.persistentVolumes, key)
  if (!volume?.spec) return
  const reference = volume.spec.claimRef
  if (!reference?.uid) {
    await setVolumePhase(context, volume, 'Available')
    return
  }
  const claim = context.cache.get<PersistentVolumeClaim>(resources.persistentVolumeClaims, reference.name ?? '', reference.namespace)
  if (claim?.metadata.uid === reference.uid) {
    if (isBound(claim)) await setVolumePhase(context, volume, 'Bound')
    return
  }
  await setVolumePhase(context, volume, 'Released')
  if (volume.spec.persistentVolumeReclaimPolicy !== 'Delete' || volume.metadata.deletionTimestamp) return
  if (!volume.metadata.annotations?.[provisionedBy]) return
  try {
    await context.client.delete(resources.persistentVolumes, key)
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

async function setVolumePhase(context: ClusterContext, volume: PersistentVolume, phase: string): Promise<void> {
  if (volume.status?.phase === phase) return
  const name = volume.metadata.name ?? ''
  await context.client.patch(resources.persistentVolumes, name, { status: { phase } }, 'merge', { subresource: 'status' })
}

async function setClaimStatus(
  context: ClusterContext,
  claim: PersistentVolumeClaim,
  status: NonNullable<PersistentVolumeClaim['status']>,
): Promise<void> {
  if (claim.status?.phase === status.phase) return
  const { name = '', namespace } = claim.metadata
  await context.client.patch(resources.persistentVolumeClaims, name, { status }, 'merge', { namespace, subresource: 'status' })
}
