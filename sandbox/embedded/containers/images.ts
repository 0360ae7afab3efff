import { createHash } from 'node:crypto'
import { definitions, type ImageConfig, type ImageDefinition, unknownImage } from './image-table.ts'
import { baseRoot } from './rootfs.ts'
import { type Image, ImageError } from './runtime.ts'
import type { DirNode } from './vfs/node.ts'

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

/** An image name in full, with registry and tag: nginx is docker.io/library/nginx:latest. Throws ImageError InvalidImageName. */
export function canonicalName(name: string): { repository: string; tag: string; digest: string | undefined } {
  const [named = '', digest] = name.split('@')
  const slash = named.lastIndexOf('/')
  const colon = named.indexOf(':', slash + 1)
  const repository = colon === -1 ? named : named.slice(0, colon)
  const tag = colon === -1 ? 'latest' : named.slice(colon + 1)
  if (!/^[a-z0-9]+(?:(?:[._/:]|__|-+)[a-z0-9]+)*$/.test(repository) || !/^[\w][\w.-]{0,127}$/.test(tag)) {
    throw new ImageError(
      'InvalidImageName',
      `Failed to apply default image tag "${name}": couldn't parse image name "${name}": invalid reference format`,
    )
  }
  const host = repository.split('/')[0] as string
  const explicit = repository.includes('/') && (host.includes('.') || host.includes(':') || host === 'localhost')
  if (explicit) return { repository: repository.replace(/^(?:index\.)?docker\.io\/(?=[^/]+$)/, 'docker.io/library/'), tag, digest }
  return { repository: `docker.io/${repository.includes('/') ? repository : `library/${repository}`}`, tag, digest }
}

const resolved = new Map<string, ResolvedImage>()

/** The image that a name stands for; `missing` tells why there is none. Throws ImageError InvalidImageName. */
export function resolveImage(name: string): ResolvedImage {
  const { repository, tag } = canonicalName(name)
  const full = `${repository}:${tag}`
  let found = resolved.get(full)
  if (!found) {
    found = resolve(repository, tag, full)
    if (resolved.size > 1000) resolved.clear()
    resolved.set(full, found)
  }
  return found
}

/** Tags and names that stand for a mistake wherever they appear. */
const mistaken = /nope|doesnotexist|does-not-exist|not-?exist|nonexist|missing|invalid|typo|broken|\bbad\b|\bwrong\b/i

function resolve(repository: string, tag: string, full: string): ResolvedImage {
  const definition = definitions.find((each) => each.repositories.includes(repository))
  if (definition ? !definition.tags.test(tag) || (!definition.anyTag && mistaken.test(tag)) : mistaken.test(full)) return absent(full)
  // A repository without a folder that nobody knows: Docker Hub would not have it either.
  if (!definition && /^docker\.io\/library\//.test(repository)) {
    return absent(
      full,
      `failed to pull and unpack image "${full}": failed to resolve reference "${full}": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed`,
      '',
    )
  }
  const known: ImageDefinition = definition ?? unknownImage
  const config = known.config(tag)
  const hash = createHash('sha256').update(full).digest('hex')
  return {
    image: { name: full, id: `${repository}@sha256:${hash}`, sizeBytes: known.sizeBytes, ...(definition ? {} : { unknown: true }) },
    config: { entrypoint: [], cmd: [], workingDir: '/', user: 0, ...config, env: { PATH: searchPath, ...config.env } },
    root: baseRoot(known.root),
    pullMs: 250 + known.sizeBytes / 60_000,
    preloaded: known.preloaded ?? false,
  }
}

const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

function absent(
  full: string,
  cause = `failed to pull and unpack image "${full}": failed to resolve reference "${full}": ${full}: not found`,
  prefix = 'rpc error: code = NotFound desc = ',
): ResolvedImage {
  return {
    image: { name: full, id: '', sizeBytes: 0 },
    config: { entrypoint: [], cmd: [], env: {}, workingDir: '/', user: 0 },
    root: baseRoot({ base: 'scratch' }),
    pullMs: 600,
    preloaded: false,
    missing: prefix + cause,
  }
}
