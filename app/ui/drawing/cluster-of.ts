/** The short way lessons describe a cluster, widened to what the live view draws, so that both share one drawing. */
import type { ClusterView, PodView } from '../../../platform/model.ts'

export interface FigureContainer {
  name: string
  ready: boolean
  state?: 'waiting' | 'running' | 'terminated'
  reason?: string
}

export interface FigurePod {
  name: string
  node?: string
  containers: FigureContainer[]
  status?: string
  terminating?: boolean
}

export interface FigureService {
  name: string
  endpoints: string[]
}

export interface FigureCluster {
  nodes: string[]
  pods: FigurePod[]
  services?: FigureService[]
}

export function clusterOf(figure: FigureCluster): ClusterView {
  const pods = figure.pods.map(podOf)
  return {
    time: 0,
    nodes: figure.nodes.map((name) => ({ name, ready: true, unschedulable: false, controlPlane: false })),
    pods,
    services: (figure.services ?? []).map((service) => ({
      uid: service.name,
      name: service.name,
      namespace: 'default',
      type: 'ClusterIP',
      clusterIP: null,
      ports: [],
      endpoints: service.endpoints.map((name) => {
        const pod = pods.find((each) => each.name === name)
        return { ip: '', pod: name, ready: pod?.ready ?? false, terminating: pod?.terminating ?? false }
      }),
    })),
  }
}

function podOf(pod: FigurePod): PodView {
  const containers = pod.containers.map((container) => ({
    name: container.name,
    state: container.state ?? 'running',
    reason: container.reason ?? null,
    ready: container.ready,
    restarts: 0,
  }))
  const ready = containers.length > 0 && containers.every((container) => container.ready)
  return {
    uid: pod.name,
    name: pod.name,
    namespace: 'default',
    node: pod.node ?? null,
    status: pod.status ?? (pod.terminating ? 'Terminating' : pod.node ? 'Running' : 'Pending'),
    ready,
    terminating: pod.terminating ?? false,
    restarts: 0,
    ip: null,
    owner: null,
    containers,
  }
}
