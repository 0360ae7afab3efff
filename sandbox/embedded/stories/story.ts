import type { ApiRequest, ApiResponse, ObjectSelector, WatchEvent } from '../../engine.ts'
import type { LogOptions } from '../machinery/node-api.ts'
import type { Scene } from './scene.ts'

/** What happens in a namespace when somebody does this and that: played on a real cluster once, and on the embedded one in each test. */
export interface Story {
  /** Safe in a file name and in a namespace's. */
  readonly name: string
  /** Kinds whose objects are followed; their Events always are. */
  readonly follows: readonly Kind[]
  /** Facets, as "Kind facet", that are a race on a real cluster and not compared. */
  readonly loose?: readonly string[]
  /** Touches what is not in its namespace, so that no other story may be played beside it. */
  readonly alone?: true
  /** Played on a cluster whose only node takes Pods like any other; recorded on one of kind with a control plane and no worker. */
  readonly oneNode?: true
  play(scene: Scene): Promise<void>
}

/** A cluster as a story meets it: a real one, or an embedded one whose time is moved by hand. */
export interface StoryCluster {
  request(request: ApiRequest): Promise<ApiResponse>
  /**
   * First every object that is there (ADDED), then the changes, until the signal aborts. Resolves when nothing that happens
   * from now on can be missed; `ended` settles when no more is told.
   */
  watch(selector: ObjectSelector, onEvent: (event: WatchEvent) => void, signal: AbortSignal): Promise<{ ended: Promise<void> }>
  /** What the Pod's only container has written so far, as the options ask for it. */
  logs(namespace: string, pod: string, options?: LogOptions): Promise<string>
  /** The same and what it writes from now on, until the log ends or the signal aborts. */
  followLogs(namespace: string, pod: string, options: LogOptions, onText: (text: string) => void, signal: AbortSignal): Promise<void>
  /** What a line of root's shell prints on a node, errors too. Resolves when it has ended. */
  onNode(node: string, line: string): Promise<string>
  /** Lets ms of the cluster's time pass. */
  wait(ms: number): Promise<void>
}

export type Kind = keyof typeof kinds

const core = (resource: string) => ({ group: '', version: 'v1', resource, namespaced: true })
const named = (group: string, version: string, resource: string) => ({ group, version, resource, namespaced: true })

export const kinds = {
  Pod: core('pods'),
  Service: core('services'),
  ConfigMap: core('configmaps'),
  Secret: core('secrets'),
  PersistentVolumeClaim: core('persistentvolumeclaims'),
  ResourceQuota: core('resourcequotas'),
  LimitRange: core('limitranges'),
  ReplicationController: core('replicationcontrollers'),
  Event: core('events'),
  Node: { ...core('nodes'), namespaced: false },
  PersistentVolume: { ...core('persistentvolumes'), namespaced: false },
  PriorityClass: { ...named('scheduling.k8s.io', 'v1', 'priorityclasses'), namespaced: false },
  StorageClass: { ...named('storage.k8s.io', 'v1', 'storageclasses'), namespaced: false },
  Deployment: named('apps', 'v1', 'deployments'),
  ReplicaSet: named('apps', 'v1', 'replicasets'),
  StatefulSet: named('apps', 'v1', 'statefulsets'),
  DaemonSet: named('apps', 'v1', 'daemonsets'),
  Job: named('batch', 'v1', 'jobs'),
  CronJob: named('batch', 'v1', 'cronjobs'),
  PodDisruptionBudget: named('policy', 'v1', 'poddisruptionbudgets'),
  EndpointSlice: named('discovery.k8s.io', 'v1', 'endpointslices'),
  NetworkPolicy: named('networking.k8s.io', 'v1', 'networkpolicies'),
  HorizontalPodAutoscaler: named('autoscaling', 'v2', 'horizontalpodautoscalers'),
} as const
