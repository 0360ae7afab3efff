import { getTranslations } from 'next-intl/server'
import type { ReactNode } from 'react'
import type { NetworkView } from '../drawing/arrange-network.ts'
import { ClusterDrawing, type Packet } from '../drawing/cluster-drawing.tsx'
import { clusterOf, type FigureCluster } from '../drawing/cluster-of.ts'
import { NetworkDrawing } from '../drawing/network-drawing.tsx'

export function Figure({ caption, children }: { caption: string; children: ReactNode }) {
  return (
    <figure className="figure">
      {children}
      <figcaption>{caption}</figcaption>
    </figure>
  )
}

export async function ClusterFigure({ label, packets = [], ...cluster }: FigureCluster & { label?: string; packets?: Packet[] }) {
  const t = await getTranslations('figure')
  const view = clusterOf(cluster)
  const told = [
    ...view.pods.map((pod) => t('pod', { name: pod.name, node: pod.node ?? '-', status: pod.status, ready: pod.ready ? 'yes' : 'no' })),
    ...view.services.map((service) =>
      t('service', { name: service.name, endpoints: service.endpoints.map((each) => each.pod).join(', ') || '-' }),
    ),
    ...packets.map((packet) => t('packet', { from: packet.from, to: packet.to, lost: packet.lost ? 'yes' : 'no' })),
  ]
  return (
    <ClusterDrawing
      cluster={view}
      packets={packets}
      label={label ?? told.join(' ')}
      words={{ nowhere: t('nowhere'), notReady: 'NotReady', cordoned: t('cordoned') }}
    />
  )
}

/** Hosts, their devices, and one packet's way; a screen reader is told the devices and the way. */
export async function NetworkFigure({ label, ...view }: NetworkView & { label?: string }) {
  const t = await getTranslations('figure')
  const told = [
    ...view.hosts.map((host) => {
      const devices = [
        ...(host.spaces ?? []).map(({ name, address }) => (address ? `${name} ${address}` : name)),
        ...[host.bridge, host.tunnel].flatMap((device) => (device ? [`${device.name} ${device.address ?? ''}`.trim()] : [])),
        `eth0 ${host.nic}`,
      ]
      return t('host', { name: host.name, devices: devices.join(', ') })
    }),
    ...(view.path ? [t('way', { path: view.path.join(' → '), lost: view.lost ? 'yes' : 'no' })] : []),
  ]
  return <NetworkDrawing view={view} label={label ?? told.join(' ')} />
}
