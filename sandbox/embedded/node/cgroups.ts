import type { NodeProcess } from './host.ts'

/** The control group of a pod, as the systemd driver names it under kind's root for kubelets. */
export function podCgroup(uid: string, qosClass: string): string {
  const kubepods = 'kubelet-kubepods'
  const uidPart = `pod${uid.replaceAll('-', '_')}`
  if (qosClass === 'Guaranteed') return `/kubelet.slice/${kubepods}.slice/${kubepods}-${uidPart}.slice`
  const tier = `${kubepods}-${qosClass.toLowerCase()}`
  return `/kubelet.slice/${kubepods}.slice/${tier}.slice/${tier}-${uidPart}.slice`
}

/** Where a container, or its pod's sandbox, is below that. */
export function scopeOf(id: string): string {
  return `cri-containerd-${id}.scope`
}

export function cgroupOf({ pod, container }: Pick<NodeProcess, 'pod' | 'container'>): string {
  if (!pod) return '/'
  return `${podCgroup(pod.uid, pod.qosClass)}/${scopeOf(container?.id ?? pod.id)}`
}
