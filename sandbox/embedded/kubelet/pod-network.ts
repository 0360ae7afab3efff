import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Network, PodNetwork } from '../network/network.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import { dnsOf, hostsOf } from './pod-files.ts'
import type { PodRecord } from './pod-record.ts'

/** Joins a pod's sandbox to the network; the same again for one that is joined already. */
export function attachPod(ctx: ClusterContext, network: Network, record: PodRecord, pod: Pod): PodNetwork {
  const { uid, namespace, name, node, ip = '', joint } = record
  return network.attach({
    uid,
    namespace,
    name,
    node,
    ip,
    dns: dnsOf(pod),
    joint,
    labels: () => ctx.cache.get<Pod>(resources.pods, name, namespace)?.metadata.labels ?? {},
    hosts: () => hostsOf(pod, ip, node),
  })
}

/**
 * The network of a pod that was there before the cluster was brought back or forked, for the runtime that brings its
 * containers back; undefined when the pod is gone. One that has ended gets a network that leads nowhere: its containers
 * come back for their logs, and its address may be another pod's by now.
 */
export function restoredNetwork(ctx: ClusterContext, network: Network): (pod: { uid: string }) => PodNetwork | undefined {
  return ({ uid }) => {
    const record = ctx.records.get<PodRecord>(`kubelet/pod/${uid}`)
    const pod = record && (record.manifest ?? ctx.cache.get<Pod>(resources.pods, record.name, record.namespace))
    if (!record || pod?.metadata.uid !== uid) return undefined
    return attachPod(ctx, network, record.tornDown ? { ...record, uid: `ended/${uid}`, ip: '' } : record, pod)
  }
}
