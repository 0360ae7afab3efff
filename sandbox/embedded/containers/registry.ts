import type { ImageDefinition } from './image-table.ts'

/** Who asks a registry. */
export interface Credentials {
  username: string
  password: string
}

/** A name in full. */
export interface Reference {
  repository: string
  tag: string
  digest?: string
}

/** Why there is no image, as the kubelet says it. */
export interface Refusal {
  message: string
}

/** The registry that wants to know who asks, and whom it knows. docs/images.md says so to authors. */
export const privateRegistry = { host: 'registry.example.com', username: 'learner', password: 'kubernetes' }

/** Registries that are there, public for the most part. */
const known = [
  'docker.io',
  'registry.k8s.io',
  'k8s.gcr.io',
  'gcr.io',
  'ghcr.io',
  'quay.io',
  'mcr.microsoft.com',
  'public.ecr.aws',
  'registry.gitlab.com',
  'docker.elastic.co',
  'nvcr.io',
  'cgr.dev',
  'lscr.io',
  'registry.access.redhat.com',
  'registry.redhat.io',
  'registry.suse.com',
  'xpkg.upbound.io',
  'example.com',
]
const knownDomains = ['.gcr.io', '.pkg.dev', '.azurecr.io', '.amazonaws.com', '.googleapis.com', '.docker.com', '.jfrog.io']

/** Repositories of public registries that only their owners may pull. */
const closed = ['gcr.io/authenticated-image-pulling', 'gcr.io/k8s-authenticated-test']

/** Tags and names that stand for a mistake wherever they appear. */
const mistaken = /nope|doesnotexist|does-not-exist|not-?exist|nonexist|missing|invalid|typo|broken|\bbad\b|\bwrong\b/i

/** Why a registry gives no such image, in containerd's words; undefined where it gives one. */
export function refusalOf(
  { repository, tag, digest }: Reference,
  definition: ImageDefinition | undefined,
  credentials: readonly Credentials[],
): Refusal | undefined {
  const full = digest ? `${repository}@${digest}` : `${repository}:${tag}`
  const host = repository.slice(0, repository.indexOf('/'))
  const path = repository.slice(host.length + 1)
  const failed = (cause: string, prefix = ''): Refusal => ({
    message: `${prefix}failed to pull and unpack image "${full}": failed to resolve reference "${full}": ${cause}`,
  })
  const url = `https://${host === 'docker.io' ? 'registry-1.docker.io' : host}/v2/${path}/manifests/${digest ?? tag}`
  const denied = 'pull access denied, repository does not exist or may require authorization: '
  const notFound = failed(`${full}: not found`, 'rpc error: code = NotFound desc = ')
  const unreachable = unreachableBecause(host)
  if (unreachable) return failed(`failed to do request: Head "${url}": dial tcp${unreachable}`)
  if (host === privateRegistry.host) {
    if (credentials.length === 0) return failed(`${denied}authorization failed: no basic auth credentials`)
    const fits = credentials.some(
      ({ username, password }) => username === privateRegistry.username && password === privateRegistry.password,
    )
    if (!fits) return failed(`unexpected status from HEAD request to ${url}: 401 Unauthorized`)
  }
  if (closed.some((owner) => repository.startsWith(`${owner}/`))) {
    return failed(
      `failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://${host}/v2/token?scope=repository%3A${encodeURIComponent(path)}%3Apull&service=${host}: 403 Forbidden`,
    )
  }
  if (definition) return definition.tags.test(tag) && (definition.anyTag || !mistaken.test(tag)) ? undefined : notFound
  // A repository without a folder that nobody knows: Docker Hub would not have it either.
  if (/^docker\.io\/library\//.test(repository)) return failed(`${denied}server message: insufficient_scope: authorization failed`)
  return mistaken.test(full) ? notFound : undefined
}

/** What dialling a registry comes to where nobody answers. */
function unreachableBecause(host: string): string | undefined {
  const [name = '', port] = host.split(':')
  const at = port ?? '443'
  if (name === 'localhost') return ` [::1]:${at}: connect: connection refused`
  if (/^\d+(\.\d+){3}$/.test(name)) return ` ${name}:${at}: connect: connection refused`
  const there = host === privateRegistry.host || known.includes(host) || knownDomains.some((domain) => host.endsWith(domain))
  return there ? undefined : `: lookup ${name} on ${resolver}: no such host`
}

/** The nodes' own name server. */
const resolver = '172.18.0.1:53'
