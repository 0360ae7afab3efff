import { createHash } from 'node:crypto'
import { baseRoot, type RootOptions } from './rootfs.ts'
import { type Image, ImageError } from './runtime.ts'
import type { DirNode } from './vfs/node.ts'

export interface ImageConfig {
  entrypoint: string[]
  cmd: string[]
  env: Record<string, string>
  workingDir: string
  user: number
}

export interface ImageDefinition {
  /** Canonical repositories: docker.io/library/nginx. */
  repositories: string[]
  /** Tags that exist. */
  tags: RegExp
  sizeBytes: number
  root: RootOptions
  config: (tag: string) => Partial<ImageConfig>
}

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const definitions: ImageDefinition[] = [
  {
    repositories: ['docker.io/library/busybox'],
    tags: /^(?:latest|stable|unstable|musl|glibc|uclibc|1(?:\.\d+)*(?:-(?:musl|glibc|uclibc))?)$/,
    sizeBytes: 2_156_518,
    root: { base: 'busybox' },
    config: () => ({ cmd: ['sh'] }),
  },
  {
    repositories: ['docker.io/library/nginx'],
    tags: /^(?:latest|stable|mainline|alpine|1(?:\.\d+)*(?:-(?:alpine|perl|bookworm))?)$/,
    sizeBytes: 72_950_530,
    root: { base: 'debian', programs: { '/usr/sbin/nginx': 'nginx' } },
    config: () => ({ cmd: ['nginx', '-g', 'daemon off;'] }),
  },
  {
    repositories: ['docker.io/library/labapp', 'docker.io/labernetes/labapp'],
    tags: /./,
    sizeBytes: 9_437_184,
    root: { base: 'busybox', programs: { '/usr/local/bin/labapp': 'labapp' } },
    config: (tag) => ({ entrypoint: ['labapp'], env: { VERSION: tag === 'latest' ? 'v1' : tag } }),
  },
]

/** An image name in full, with registry and tag: nginx is docker.io/library/nginx:latest. Throws ImageError InvalidImageName. */
export function canonicalName(name: string): { repository: string; tag: string; digest: string | undefined } {
  const [named = '', digest] = name.split('@')
  const slash = named.lastIndexOf('/')
  const colon = named.indexOf(':', slash + 1)
  const repository = colon === -1 ? named : named.slice(0, colon)
  const tag = colon === -1 ? 'latest' : named.slice(colon + 1)
  if (!/^[a-z0-9]+(?:[._/:-]+[a-z0-9]+)*$/.test(repository) || !/^[\w][\w.-]{0,127}$/.test(tag)) {
    throw new ImageError(
      'InvalidImageName',
      `Failed to apply default image tag "${name}": couldn't parse image name "${name}": invalid reference format`,
    )
  }
  const host = repository.split('/')[0] as string
  const explicit = repository.includes('/') && (host.includes('.') || host.includes(':') || host === 'localhost')
  if (explicit) return { repository, tag, digest }
  return { repository: `docker.io/${repository.includes('/') ? repository : `library/${repository}`}`, tag, digest }
}

export interface ResolvedImage {
  image: Image
  config: ImageConfig
  root: DirNode
  /** How long a pull takes, cluster ms. */
  pullMs: number
  /** On every node from the start. */
  preloaded: boolean
  /** Why it cannot be pulled, in containerd's words. */
  missing?: string
}

const resolved = new Map<string, ResolvedImage>()

/** The image that a name stands for; `missing` tells why there is none. Throws ImageError InvalidImageName. */
export function resolveImage(name: string): ResolvedImage {
  const { repository, tag } = canonicalName(name)
  const full = `${repository}:${tag}`
  const known = resolved.get(full)
  if (known) return known
  const definition = definitions.find((each) => each.repositories.includes(repository))
  if (!definition?.tags.test(tag)) {
    const missing = `rpc error: code = NotFound desc = failed to pull and unpack image "${full}": failed to resolve reference "${full}": ${full}: not found`
    return {
      image: { name: full, id: '', sizeBytes: 0 },
      config: { entrypoint: [], cmd: [], env: {}, workingDir: '/', user: 0 },
      root: baseRoot({ base: 'scratch' }),
      pullMs: 800,
      preloaded: false,
      missing,
    }
  }
  const hash = createHash('sha256').update(full).digest('hex')
  const made: ResolvedImage = {
    image: { name: full, id: `${repository}@sha256:${hash}`, sizeBytes: definition.sizeBytes },
    config: {
      entrypoint: [],
      cmd: [],
      workingDir: '/',
      user: 0,
      ...definition.config(tag),
      env: { PATH: path, ...definition.config(tag).env },
    },
    root: baseRoot(definition.root),
    pullMs: 300 + definition.sizeBytes / 50_000,
    preloaded: false,
  }
  resolved.set(full, made)
  return made
}
