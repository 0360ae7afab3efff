import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Mount } from './runtime.ts'
import type { TreeVolume } from './volume.ts'

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount'

/** A container's volumes as files below a folder of this machine. A node's own files (hostPath) are not among them. */
export class MountedFiles {
  readonly root: string
  private readonly mounts: readonly Mount[]
  private readonly seen = new Map<Mount, number>()

  constructor(root: string, mounts: readonly Mount[]) {
    this.root = root
    this.mounts = mounts.filter(({ volume }) => (volume as TreeVolume).traits.image === undefined)
  }

  /** Brings the files up to what the volumes hold. What was mounted by subPath stays what it was. */
  sync(): this {
    for (const mount of this.mounts) {
      const { changes } = (mount.volume as TreeVolume).tree
      const seen = this.seen.get(mount)
      if (seen === changes || (seen !== undefined && mount.subPath)) continue
      this.seen.set(mount, changes)
      this.copy(mount, mount.subPath ?? '', join(this.root, mount.mountPath), seen !== undefined)
    }
    return this
  }

  /** Writes a kubeconfig of the mounted ServiceAccount; undefined where none is mounted. */
  kubeconfig(file: string, server: string, namespace: string): string | undefined {
    const token = join(this.root, serviceAccount, 'token')
    if (!existsSync(token)) return undefined
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'cluster', cluster: { server, 'certificate-authority': join(this.root, serviceAccount, 'ca.crt') } }],
      users: [{ name: 'pod', user: { tokenFile: token } }],
      contexts: [{ name: 'pod', context: { cluster: 'cluster', user: 'pod', namespace } }],
      'current-context': 'pod',
    }
    writeFileSync(file, JSON.stringify(config))
    return file
  }

  private copy(mount: Mount, path: string, target: string, replacing: boolean): void {
    const { volume } = mount
    const kind = volume.kindOf(path)
    if (kind === 'dir') {
      mkdirSync(target, { recursive: true })
      const names = volume.list(path).filter((name) => !name.startsWith('..'))
      for (const name of names) this.copy(mount, path === '' ? name : `${path}/${name}`, join(target, name), replacing)
      // in an emptyDir the container's process has files of its own
      if (replacing && volume.list('').includes('..data'))
        for (const name of readdirSync(target)) if (!names.includes(name)) rmSync(join(target, name), { recursive: true })
    } else if (kind === 'file') {
      mkdirSync(dirname(target), { recursive: true })
      // whole or not at all, for who reads at this moment
      writeFileSync(`${target}.draft`, volume.read(path) ?? '', { mode: 0o600 })
      renameSync(`${target}.draft`, target)
    }
  }
}
