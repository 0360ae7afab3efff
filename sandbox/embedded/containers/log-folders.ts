import type { Log } from './log.ts'
import type { ContainerSpec, Volume } from './runtime.ts'
import { type DirNode, directory, type Node, symlink } from './vfs/node.ts'
import type { TreeVolume } from './volume.ts'

type Entries = Map<string, Node>

/**
 * /var/log/pods and /var/log/containers of a node: a folder for each pod and in it one for each container with its log, and links to
 * them by the containers' names, as the kubelet has the runtime make them. Others change nothing there but the files themselves.
 */
export class LogFolders {
  private readonly now: () => number
  private readonly pods: Entries = new Map()
  private readonly links: Entries = new Map()
  /** Of each pod's folder, by name; of each container's those that were started one after another. */
  private readonly containers = new Map<string, Entries>()
  private readonly logs = new Map<string, Map<string, { name: string; log: Log }>>()

  /** @param files the node's own; now in cluster ms */
  constructor(files: Volume, now: () => number) {
    this.now = now
    const { tree } = files as TreeVolume
    const folder = tree.ownDirectory(['var', 'log'])
    const show = (name: string, mode: number, entries: Entries) =>
      folder.entries.set(name, { ...directory(mode, { mtime: now(), owner: tree }), dynamic: () => entries })
    show('pods', 0o750, this.pods)
    show('containers', 0o755, this.links)
  }

  add(spec: ContainerSpec, attempt: number, log: Log): void {
    const { pod, container } = namesOf(spec)
    const key = `${pod}/${container}`
    const name = `${attempt}.log`
    const containers: Entries = this.containers.get(pod) ?? new Map()
    const logs: Map<string, { name: string; log: Log }> = this.logs.get(key) ?? new Map()
    logs.set(spec.id, { name, log })
    this.links.set(linkOf(spec), symlink(`/var/log/pods/${key}/${name}`, { mtime: this.now() }))
    if (logs.size > 1) return
    this.logs.set(key, logs)
    const shown = () => new Map([...logs.values()].flatMap(({ name, log }) => log.shown(name)))
    containers.set(container, this.folder(shown))
    if (containers.size > 1) return
    this.containers.set(pod, containers)
    this.pods.set(
      pod,
      this.folder(() => containers),
    )
  }

  remove(spec: ContainerSpec): void {
    const { pod, container } = namesOf(spec)
    const key = `${pod}/${container}`
    const [logs, containers] = [this.logs.get(key), this.containers.get(pod)]
    this.links.delete(linkOf(spec))
    logs?.delete(spec.id)
    if (logs?.size !== 0) return
    this.logs.delete(key)
    containers?.delete(container)
    if (containers?.size !== 0) return
    this.containers.delete(pod)
    this.pods.delete(pod)
  }

  private folder(entries: () => Entries): DirNode {
    return { ...directory(0o755, { mtime: this.now() }), dynamic: entries }
  }
}

/** Where a node has a container's log. */
export function logPathOf(spec: ContainerSpec): string {
  const { pod, container } = namesOf(spec)
  return `/var/log/pods/${pod}/${container}/${spec.logFile?.attempt ?? 0}.log`
}

function namesOf({ podNamespace, podName, podUID, name }: ContainerSpec): { pod: string; container: string } {
  return { pod: `${podNamespace}_${podName}_${podUID}`, container: name }
}

function linkOf({ podName, podNamespace, name, id }: ContainerSpec): string {
  return `${podName}_${podNamespace}_${name}-${id}.log`
}
