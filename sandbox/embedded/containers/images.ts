import { createHash } from 'node:crypto'
import { definitions, type ImageConfig, type ImageDefinition, unknownImage } from './image-table.ts'
import { type Credentials, privateRegistry, type Reference, refusalOf } from './registry.ts'
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
}

/** An image name in full, with registry and tag: nginx is docker.io/library/nginx:latest. Throws ImageError InvalidImageName. */
export function canonicalName(name: string): Reference {
  const [named = '', digest, more] = name.split('@')
  const slash = named.lastIndexOf('/')
  const colon = named.indexOf(':', slash + 1)
  const repository = colon === -1 ? named : named.slice(0, colon)
  const tag = colon === -1 ? 'latest' : named.slice(colon + 1)
  const invalid = (why = '') =>
    new ImageError(
      'InvalidImageName',
      `Failed to apply default image tag "${name}": couldn't parse image name "${name}": invalid reference format${why}`,
    )
  const host = repository.split('/')[0] as string
  const explicit = repository.includes('/') && (host.includes('.') || host.includes(':') || host === 'localhost')
  const path = explicit ? repository.slice(host.length + 1) : repository.includes('/') ? repository : `library/${repository}`
  if (/[A-Z]/.test(path)) throw invalid(`: repository name (${path}) must be lowercase`)
  const proper =
    /^[a-z0-9]+(?:(?:[._/]|__|-+)[a-z0-9]+)*$/.test(path) &&
    (!explicit || /^[a-zA-Z0-9.-]+(?::\d+)?$/.test(host)) &&
    /^[\w][\w.-]{0,127}$/.test(tag) &&
    (digest === undefined || /^[a-z0-9]+:[0-9a-f]{64}$/.test(digest)) &&
    more === undefined
  if (!proper) throw invalid()
  const full = explicit ? repository.replace(/^(?:index\.)?docker\.io\/(?=[^/]+$)/, 'docker.io/library/') : `docker.io/${path}`
  return { repository: full, tag, ...(digest && { digest }) }
}

const resolved = new Map<string, ResolvedImage>()

/** The image that a name stands for, wherever it is. Throws ImageError InvalidImageName. */
export function resolveImage(name: string): ResolvedImage {
  const reference = canonicalName(name)
  const full = fullName(reference)
  let found = resolved.get(full)
  if (!found) {
    found = resolve(reference, full)
    if (resolved.size > 1000) resolved.clear()
    resolved.set(full, found)
  }
  return found
}

/** An image whose main program somebody stands in for. Throws ImageError InvalidImageName. */
export function standInImage(name: string): ResolvedImage {
  const { image, config, ...found } = resolveImage(name)
  const { unknown: _unknown, ...known } = image
  return { ...found, image: { ...known, standIn: true }, config: { ...config, entrypoint: ['stand-in'], cmd: [] } }
}

/** Why no registry gives an image of this name to who has these credentials, in the kubelet's words; undefined where one does. */
export function missing(name: string, credentials: readonly Credentials[] = []): string | undefined {
  const reference = canonicalName(name)
  return refusalOf(reference, definitionOf(reference), credentials)?.message
}

function fullName({ repository, tag, digest }: Reference): string {
  return digest ? `${repository}@${digest}` : `${repository}:${tag}`
}

/** The private registry has copies of what Docker's library has. */
function definitionOf({ repository }: Reference): ImageDefinition | undefined {
  const inLibrary = `docker.io/library/${repository.slice(repository.lastIndexOf('/') + 1)}`
  const name = repository.startsWith(`${privateRegistry.host}/`) ? inLibrary : repository
  return definitions.find((each) => each.repositories.includes(name))
}

function resolve(reference: Reference, full: string): ResolvedImage {
  const { repository, tag, digest } = reference
  const definition = definitionOf(reference)
  const known: ImageDefinition = definition ?? unknownImage
  const config = known.config(tag)
  const hash = digest ?? `sha256:${createHash('sha256').update(full).digest('hex')}`
  return {
    image: { name: full, id: `${repository}@${hash}`, sizeBytes: known.sizeBytes, ...(definition ? {} : { unknown: true }) },
    config: { entrypoint: [], cmd: [], workingDir: '/', user: 0, ...config, env: { PATH: searchPath, ...config.env } },
    root: baseRoot(known.root),
    pullMs: 250 + known.sizeBytes / 60_000,
    preloaded: known.preloaded ?? false,
  }
}

const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The registry of an image's name: docker.io unless it says so. Throws ImageError InvalidImageName. */
export function registryOf(name: string): string {
  return canonicalName(name).repository.split('/')[0] as string
}
