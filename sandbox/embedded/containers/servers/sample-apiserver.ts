import { AdmissionChain, type AdmissionPlugin, refuse } from '../../admission/admission.ts'
import { ServiceAllocator } from '../../api/allocator.ts'
import { ApiServer } from '../../api/api-server.ts'
import type { ApiCall, Outcome } from '../../api/call.ts'
import { Discovery } from '../../api/discovery.ts'
import { inClusterServer } from '../../api/http-server.ts'
import type { RequestInfo } from '../../api/request-info.ts'
import { ResourceHandler } from '../../api/resource-handler.ts'
import { ServedResources } from '../../api/resources.ts'
import { Rest } from '../../api/rest.ts'
import { customResources } from '../../crd/resource.ts'
import { ApiError } from '../../machinery/errors.ts'
import type { KubeObject, UserInfo } from '../../machinery/object.ts'
import { Store } from '../../machinery/store.ts'
import { duplexOf } from '../../network/http-bridge.ts'
import { NetworkError } from '../../network/network.ts'
import { openApiDocument, openApiVersion2Of } from '../../openapi/index.ts'
import type { CustomResourceDefinition } from '../../schema/types/apiextensions.v1.ts'
import { klogError, klogInfo } from '../go/log.ts'
import { dieOfSignals, forever } from '../go/signals.ts'
import type { Process, Program } from '../kernel/process.ts'

/**
 * Kubernetes' example of an API server behind an APIService: Flunders and Fischers of wardle.example.com, in a store of its
 * own. It trusts the aggregator's word for who asks.
 * @see https://github.com/kubernetes/sample-apiserver
 */
export const sampleApiServer: Program = { run, memoryBytes: 30 * 1024 * 1024 }

async function run(process: Process): Promise<number> {
  dieOfSignals(process)
  // Flags that are not read here change nothing that shows.
  const flag = (name: string) => process.args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3)
  const port = Number(flag('secure-port') ?? 443)
  try {
    const certificate = Buffer.from(await process.readWhole(flag('tls-cert-file') ?? '')).toString()
    const key = Buffer.from(await process.readWhole(flag('tls-private-key-file') ?? '')).toString()
    const listener = serve(process, port, { certificate, key })
    process.onEnd(() => listener[Symbol.dispose]())
  } catch (error) {
    if (process.ended) throw error
    const why = error instanceof NetworkError ? `failed to listen on 0.0.0.0:${port}` : (error as Error).message
    await klogError(process, 'run.go:72', `"command failed" err=${JSON.stringify(why)}`)
    return 1
  }
  await klogInfo(process, 'secure_serving.go:213', `Serving securely on [::]:${port}`)
  return forever(process)
}

function serve(process: Process, port: number, keys: { certificate: string; key: string }): Disposable {
  const { clock, random, network } = process.machine
  const stack = new DisposableStack()
  const report = (error: unknown) => void klogError(process, 'runtime.go:142', error instanceof Error ? error.message : String(error))
  const resources = new ServedResources(definitions.flatMap((definition) => customResources(definition, convert)))
  const store = storeOf(process, report)
  const allocator = new ServiceAllocator(store, random)
  const admission = new AdmissionChain([banFlunder(store)])
  const generic = new ResourceHandler(new Rest({ store, clock, random, admission, allocator }))
  const api = new ApiServer({
    resources,
    authorizer: { authorize: ({ user, path }) => ({ allowed: user.username !== anonymous || healthPaths.has(path ?? ''), reason: '' }) },
    generic,
    special: new Map(),
    nonResource: documents(resources),
  })
  const inside = stack.use(
    inClusterServer({
      api,
      authenticator: { authenticate: ({ rawHeaders }) => frontProxyUser(rawHeaders) },
      random,
      now: () => clock.now(),
      durable: async () => {},
      // its host's time is the cluster's, which has waited for its turn already
      share: { turn: async () => {} },
      upgrade: () => Promise.reject(ApiError.unknownPath()),
      report: (_where, error) => report(error),
      keys: () => keys,
      ca: () => keys.certificate,
    }),
  )
  stack.use(network.listen(port, { accept: (connection) => inside.accept(duplexOf(connection)) }))
  return stack
}

/** What it holds outlives a restart of the platform. */
function storeOf(process: Process, report: (error: unknown) => void): Store {
  const store = new Store(process.machine.clock, report)
  for (const [table, key, object] of process.resume<[string, string, KubeObject][]>() ?? []) store.put(table, key, object)
  process.save(() =>
    store.tableNames().flatMap((table) =>
      store.list(table).map((object) => {
        const { namespace, name = '' } = object.metadata
        return [table, namespace ? `${namespace}/${name}` : name, object]
      }),
    ),
  )
  return store
}

const anonymous = 'system:anonymous'
const healthPaths = new Set(['/healthz', '/livez', '/readyz'])

function frontProxyUser(rawHeaders: readonly string[]): UserInfo {
  const values = (name: string) => rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name)
  const [username] = values('x-remote-user')
  return username ? { username, groups: values('x-remote-group') } : { username: anonymous, groups: ['system:unauthenticated'] }
}

/** Discovery, its OpenAPI document and health. */
function documents(resources: ServedResources) {
  const discovery = new Discovery(resources)
  const kinds = resources.all().flatMap((info) => {
    const { definition } = info
    return definition ? [{ info, schema: definition.schema?.openAPIV3Schema as never }] : []
  })
  const missing = (): Outcome => ({ type: 'text', status: 404, text: '404 page not found\n' })
  const found = (document: unknown): Outcome => (document ? { type: 'document', document } : missing())
  return {
    missing,
    handle(_call: ApiCall, { path }: RequestInfo): Outcome {
      const [first = '', group, version] = path.replace(/^\/+|\/+$/g, '').split('/')
      if (healthPaths.has(path)) return { type: 'text', status: 200, text: 'ok' }
      if (path === '/openapi/v2') return found(openApiVersion2Of(kinds).bytes)
      if (first === 'openapi') return found(openApiDocument(path.replace('/openapi/v3/', ''), kinds)?.bytes)
      if (first !== 'apis') return missing()
      if (!group) return found(discovery.groupList())
      return found(version ? discovery.resourceList(group, version) : discovery.group(group))
    },
  }
}

/** Fischers say which names no Flunder may have. */
function banFlunder(store: Store): AdmissionPlugin {
  return {
    name: 'BanFlunder',
    handles: ({ operation, kind }) => operation === 'CREATE' && kind.kind === 'Flunder',
    validate(request) {
      const fischers = store.list('fischers.wardle.example.com') as (KubeObject & { disallowedFlunders?: string[] })[]
      if (fischers.some(({ disallowedFlunders }) => disallowedFlunders?.includes(request.name))) {
        throw refuse(request, 'this name may not be used, please change the resource name')
      }
    },
  }
}

const group = 'wardle.example.com'
const text = { type: 'string' }
const flunderSchema = (spec: Record<string, { type: string }>) => ({
  openAPIV3Schema: {
    type: 'object',
    properties: { spec: { type: 'object', properties: { referenceType: text, ...spec } }, status: { type: 'object' } },
  },
})

const definitions: CustomResourceDefinition[] = [
  definition('Flunder', 'Namespaced', [
    { name: 'v1alpha1', served: true, storage: true, schema: flunderSchema({ reference: text }) },
    { name: 'v1beta1', served: true, storage: false, schema: flunderSchema({ flunderReference: text, fischerReference: text }) },
  ]),
  definition('Fischer', 'Cluster', [
    {
      name: 'v1alpha1',
      served: true,
      storage: true,
      schema: { openAPIV3Schema: { type: 'object', properties: { disallowedFlunders: { type: 'array', items: text } } } },
    },
  ]),
]

function definition(kind: string, scope: string, versions: CustomResourceDefinition['spec']['versions']): CustomResourceDefinition {
  const plural = `${kind.toLowerCase()}s`
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: { group, scope, names: { plural, kind, singular: kind.toLowerCase(), listKind: `${kind}List` }, versions },
  }
}

interface Flunder extends KubeObject {
  spec?: { reference?: string; flunderReference?: string; fischerReference?: string; referenceType?: string }
}

/** v1alpha1 has one reference and its type, v1beta1 a field for each type. */
async function convert(objects: readonly KubeObject[], apiVersion: string): Promise<KubeObject[]> {
  return (objects as readonly Flunder[]).map(({ spec, ...object }) => {
    if (!spec || object.apiVersion === apiVersion) return { ...object, ...(spec ? { spec } : {}), apiVersion }
    const { reference, flunderReference, fischerReference, referenceType } = spec
    const one = flunderReference ?? fischerReference
    const next = apiVersion.endsWith('/v1beta1')
      ? { ...(reference ? { [referenceType === 'Fischer' ? 'fischerReference' : 'flunderReference']: reference } : {}) }
      : { ...(one ? { reference: one } : {}) }
    return { ...object, apiVersion, spec: { ...next, ...(referenceType ? { referenceType } : {}) } } as KubeObject
  })
}
