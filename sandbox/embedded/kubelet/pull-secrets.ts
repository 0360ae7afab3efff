import type { Credentials } from '../containers/runtime.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Pod, Secret } from '../schema/types/core.v1.ts'

export interface PullSecrets {
  /** Names of those that are not there. */
  missing: string[]
  /** What they have for a registry's host. */
  credentials(host: string): Credentials[]
}

interface DockerConfig {
  [registry: string]: { username?: string; password?: string; auth?: string }
}

/** The credentials that a pod's imagePullSecrets hold; a Secret of another form holds none. */
export function pullSecretsOf({ cache }: Pick<ClusterContext, 'cache'>, { metadata, spec }: Pod): PullSecrets {
  const missing: string[] = []
  const configs: DockerConfig[] = []
  for (const { name = '' } of spec?.imagePullSecrets ?? []) {
    const secret = cache.get<Secret>(resources.secrets, name, metadata.namespace)
    if (secret) configs.push(configOf(secret))
    else missing.push(name)
  }
  return {
    missing,
    credentials: (host) =>
      configs.flatMap((config) =>
        Object.entries(config).flatMap(([registry, entry]) => (hostOf(registry) === host ? [credentialsOf(entry)] : [])),
      ),
  }
}

function configOf({ type, data = {} }: Secret): DockerConfig {
  const read = (key: string): unknown => {
    try {
      return JSON.parse(Buffer.from(data[key] ?? '', 'base64').toString())
    } catch (error) {
      if (error instanceof SyntaxError) return undefined
      throw error
    }
  }
  if (type === 'kubernetes.io/dockercfg') return (read('.dockercfg') as DockerConfig | undefined) ?? {}
  return (read('.dockerconfigjson') as { auths?: DockerConfig } | undefined)?.auths ?? {}
}

/** https://index.docker.io/v1/ is Docker Hub's. */
function hostOf(registry: string): string {
  const host = registry.replace(/^https?:\/\//, '').split('/')[0] as string
  return /^(index\.|registry-1\.)?docker\.io$/.test(host) ? 'docker.io' : host
}

function credentialsOf({ username, password, auth }: DockerConfig[string]): Credentials {
  const decoded = Buffer.from(auth ?? '', 'base64').toString()
  const colon = decoded.indexOf(':')
  return { username: username ?? decoded.slice(0, Math.max(0, colon)), password: password ?? decoded.slice(colon + 1) }
}
