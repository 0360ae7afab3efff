import type { ApiRequest, ApiResponse, ObjectSelector, Snapshot, WatchEvent } from '../engine.ts'
import { defaultAdmission } from './admission/index.ts'
import type { WebhookConnector } from './admission/webhook-call.ts'
import { conversionConnector, type WebhookReach, webhookConnector } from './admission/webhook-connector.ts'
import { admissionWebhooks } from './admission/webhooks.ts'
import { Aggregator } from './aggregation/aggregator.ts'
import { startAvailability } from './aggregation/availability.ts'
import { forwarder } from './aggregation/forward.ts'
import { startRegistration } from './aggregation/registration.ts'
import { ServiceAllocator } from './api/allocator.ts'
import { ApiServer } from './api/api-server.ts'
import { type AuditEvent, AuditLog } from './api/audit.ts'
import { bootstrap } from './api/bootstrap.ts'
import { Discovery } from './api/discovery.ts'
import { FlowControl } from './api/flow-control.ts'
import { startFlowSchemaStatus } from './api/flow-schema-status.ts'
import { HttpServer, inClusterServer, type ListenAddress, type ServingParts } from './api/http-server.ts'
import { InProcessApi } from './api/in-process.ts'
import { Limits } from './api/limits.ts'
import { NonResourceHandler, version } from './api/non-resource.ts'
import { RequestMetrics } from './api/request-metrics.ts'
import { ResourceHandler } from './api/resource-handler.ts'
import { ServedResources, tableOf } from './api/resources.ts'
import { Rest } from './api/rest.ts'
import { specialHandlers } from './api/special.ts'
import { upgradeHandler } from './api/streaming/upgrade.ts'
import { customScalePaths } from './api/subresources/scale.ts'
import { Authenticator } from './auth/authenticate.ts'
import { ClusterIdentity, type KeyPair } from './auth/certificates.ts'
import { Authorizer } from './auth/rbac.ts'
import { Reviews } from './auth/reviews.ts'
import { ServiceAccountTokens } from './auth/tokens.ts'
import { ClusterClock } from './clock.ts'
import { type ClusterOptions, type Settings, settingsFrom, settingsOf, settingsRecord } from './cluster-settings.ts'
import { createRuntime, type LocalRuntime } from './containers/index.ts'
import { NodeMachine } from './containers/node-machine.ts'
import type { Process, Volume } from './containers/runtime.ts'
import type { ComponentName } from './containers/servers/control-plane.ts'
import { type StandIn, StandIns } from './containers/stand-in.ts'
import { startControllers } from './controllers/index.ts'
import { startCustomResources } from './crd/establish.ts'
import { customResources } from './crd/resource.ts'
import { plainTable } from './etcd/keys.ts'
import { installGateway } from './gateway/install.ts'
import { gatewayAccount } from './gateway/manifest.ts'
import { createGatewaySeat } from './gateway/seat.ts'
import { filesOfNode, type Kubelets, restoredNetwork, startKubelets } from './kubelet/index.ts'
import { createCache } from './machinery/cache.ts'
import { administrator, boundAdministrator, createClient, gatedClient } from './machinery/client.ts'
import type { Client, ClusterContext } from './machinery/context.ts'
import { ApiError } from './machinery/errors.ts'
import { startEventExpiry } from './machinery/event-expiry.ts'
import { createEventRecorder } from './machinery/events.ts'
import { fairShare, type Share } from './machinery/fair-share.ts'
import type { NodeApi } from './machinery/node-api.ts'
import { groupVersionOf, type KubeObject, resources as kinds, type UserInfo } from './machinery/object.ts'
import { Random } from './machinery/random.ts'
import { Store } from './machinery/store.ts'
import { addressIn } from './network/addresses.ts'
import { internalIP, nodeCIDR } from './network/hosts.ts'
import { duplexOf } from './network/http-bridge.ts'
import { apiServerPort, createNetwork } from './network/index.ts'
import type { Connection, HttpRequest, Network } from './network/network.ts'
import type { Outside } from './network/outside.ts'
import { processNumbers } from './node/pids.ts'
import type { CustomKind } from './openapi/index.ts'
import { startScheduler } from './scheduler/index.ts'
import type { Schema } from './schema/index.ts'
import type { CustomResourceDefinition } from './schema/types/apiextensions.v1.ts'
import type { Node } from './schema/types/core.v1.ts'
import { Components } from './system/components.ts'
import { kubeconfigText } from './system/kubeconfig.ts'
import { kubeadmFiles } from './system/node-files.ts'

/** By how much cluster time is ahead of real time, for a cluster that has skipped. */
const clockRecord = 'cluster/clock'

/**
 * A Kubernetes cluster in this process: its store, API server, controllers, scheduler, nodes and network under one
 * clock. Dispose it to end everything it started.
 */
export class Cluster implements AsyncDisposable {
  readonly context: ClusterContext
  readonly clock: ClusterClock
  readonly name: string
  private readonly settings: Settings
  private readonly standIns: Readonly<Record<string, StandIn>>
  private readonly webhookReach: WebhookReach
  private readonly served = Promise.withResolvers<{ host: string; port: number }>()
  private readonly store: Store
  private readonly random: Random
  private readonly api: ApiServer
  private readonly inProcess: InProcessApi
  private readonly resources: ServedResources
  private readonly generic: ResourceHandler
  private readonly identity: ClusterIdentity
  private readonly authenticator: Authenticator
  private readonly connect: WebhookConnector
  private readonly aggregator: Aggregator
  private readonly audit: AuditLog
  private readonly flow: FlowControl
  private readonly limits: Limits
  private readonly share: Share
  private readonly reportTo: (where: string, error: unknown) => void
  private runtime: LocalRuntime | undefined
  private readonly ended = new AbortController()
  private readonly parts = new AsyncDisposableStack()
  private readonly servers = new Set<AsyncDisposable>()
  private readonly apiServers = new Set<HttpServer>()
  /** Whether the API server answers: its static pod runs, and etcd's. */
  private apiUp = true
  private nodes: Kubelets | undefined
  private network: Network | undefined
  private readonly machines = new Map<string, NodeMachine>()

  /** A new cluster, or the one that lives in `dir`, ready for requests. */
  static async open(options: ClusterOptions): Promise<Cluster> {
    const report = options.report ?? (() => {})
    const clock = new ClusterClock(options.clock)
    const storeReport = (error: unknown) => report('store', error)
    const store = options.dir ? await Store.open(options.dir, clock, storeReport) : new Store(clock, storeReport)
    const known = store.records.get<Settings>(settingsRecord)
    const settings = known ?? settingsOf(options)
    if (!known) store.records.put(settingsRecord, settings)
    const ahead = store.records.get<number>(clockRecord)
    if (ahead && options.clock?.start === undefined) await clock.advance(ahead)
    const cluster = new Cluster(
      store,
      clock,
      new Random(settings.seed + store.revision),
      settings,
      report,
      options.standIns,
      options.webhooks,
    )
    await cluster.start(options.addons)
    return cluster
  }

  /**
   * A cluster in memory from a snapshot of an etcd (`etcdctl snapshot save`, of this or of a real cluster): its objects as
   * they were. Rejects with what is wrong with the file.
   */
  static async fromEtcd(snapshot: Uint8Array, options: Pick<ClusterOptions, 'clock' | 'report'> = {}): Promise<Cluster> {
    const { objectsOf } = await import('./etcd/snapshot.ts')
    const { objects, revision } = objectsOf(Buffer.from(snapshot))
    const report = options.report ?? (() => {})
    const clock = new ClusterClock(options.clock)
    const store = new Store(clock, (error) => report('store', error))
    return Cluster.loaded(store, clock, objects, {}, revision, report)
  }

  /** A cluster in memory as a snapshot has it; its clock starts at the snapshot's time and stands still. */
  static async fromSnapshot(snapshot: Snapshot, report: (where: string, error: unknown) => void = () => {}): Promise<Cluster> {
    const clock = new ClusterClock({ start: snapshot.time, rate: 0 })
    const store = new Store(clock, (error) => report('store', error))
    const records = (snapshot.runtime ?? {}) as Record<string, unknown>
    const objects = snapshot.objects as unknown as KubeObject[]
    return Cluster.loaded(store, clock, objects, records, Number(snapshot.resourceVersion), report)
  }

  private static async loaded(
    store: Store,
    clock: ClusterClock,
    objects: readonly KubeObject[],
    records: Record<string, unknown>,
    revision: number,
    report: (where: string, error: unknown) => void,
  ): Promise<Cluster> {
    const settings = (records[settingsRecord] as Settings | undefined) ?? settingsFrom(objects)
    const resources = new ServedResources()
    for (const object of objects) {
      if (object.kind !== 'CustomResourceDefinition') continue
      resources.setCustom(object.metadata.name as string, customResources(object as CustomResourceDefinition))
    }
    store.load(
      objects.map((object) => placed(resources, object)),
      records,
      revision,
    )
    const cluster = new Cluster(store, clock, new Random(settings.seed + store.revision), settings, report)
    await cluster.start()
    return cluster
  }

  private constructor(
    store: Store,
    clock: ClusterClock,
    random: Random,
    settings: Settings,
    reportTo: (where: string, error: unknown) => void,
    standIns: Readonly<Record<string, StandIn>> = {},
    webhooks: WebhookReach = 'cluster',
  ) {
    this.store = store
    this.standIns = standIns
    this.webhookReach = webhooks
    this.clock = clock
    this.random = random
    this.settings = settings
    this.name = settings.name
    this.reportTo = reportTo
    const chance = () => random.next()
    const cache = createCache(store)
    this.identity = new ClusterIdentity(store.records, clock)
    this.audit = new AuditLog(store.records)
    this.limits = this.parts.use(new Limits(store, settings.limits))
    this.share = this.parts.use(fairShare.join())
    this.flow = this.parts.use(new FlowControl(cache))
    const authorizer = this.parts.use(new Authorizer(cache))
    const tokens = new ServiceAccountTokens(this.identity, cache, clock)
    this.authenticator = new Authenticator(this.identity, tokens, authorizer, clock)
    this.resources = new ServedResources()
    this.connect = webhookConnector({ cache, clock }, () => this.network, this.controlPlane, webhooks)
    const hooks = admissionWebhooks({ cache, random: chance, resources: this.resources, authorizer }, this.connect)
    const admission = defaultAdmission({ cache, clock, random: chance }, authorizer, this.resources, hooks)
    const rest = new Rest({ store, clock, random: chance, admission, allocator: new ServiceAllocator(store, chance), limits: this.limits })
    const generic = new ResourceHandler(rest)
    this.generic = generic
    const forward = forwarder({ cache, clock }, () => this.network, this.controlPlane)
    this.aggregator = new Aggregator(cache, forward, answersItself)
    const discovery = new Discovery(this.resources, this.aggregator)
    const metrics = new RequestMetrics(() => clock.now())
    this.api = new ApiServer({
      resources: this.resources,
      metrics,
      aggregator: this.aggregator,
      authorizer,
      generic,
      special: specialHandlers({
        generic,
        resources: this.resources,
        reviews: new Reviews(authorizer, tokens, clock),
        tokens: { cache, tokens, clock },
        scalePaths: customScalePaths,
        nodes: () => this.nodeApi,
        proxy: {
          cache,
          clock,
          random: chance,
          nodes: () => this.nodeApi,
          network: () => this.podNetwork,
          controlPlane: this.controlPlane,
        },
      }),
      nonResource: new NonResourceHandler({
        discovery,
        resources: this.resources,
        tokens,
        store,
        metrics,
        customKinds: () => this.customKinds(),
        advertised: () => this.advertised(),
        remotes: () => this.aggregator.remotes(),
        measures: settings.only !== 'api',
        now: () => clock.now(),
        generation: () => `${this.resources.generation} ${this.aggregator.generation}`,
      }),
    })
    const report = (where: string, error: unknown) => this.report(where, error)
    this.inProcess = new InProcessApi({
      api: this.api,
      durable: () => store.durable(),
      refusal: () => this.apiRefusal,
      now: () => clock.now(),
      signal: this.ended.signal,
      report,
    })
    const events = createEventRecorder({
      clock,
      random: chance,
      clientOf: (component) => this.outsideClient(component),
      report,
    })
    this.context = {
      clock,
      client: this.clientOf('labernetes'),
      cache,
      events,
      records: store.records,
      random: chance,
      signal: this.ended.signal,
      report,
    }
  }

  /** Serves the API over TLS until the cluster ends; port 0 takes a free one. Resolves with the address. */
  async listen(address: ListenAddress): Promise<ListenAddress> {
    const server = await HttpServer.listen(this.serving(), address)
    this.servers.add(server)
    if ('port' in server.address) this.served.resolve({ host: server.address.host, port: server.address.port })
    this.apiServers.add(server)
    if (!this.apiUp) await server.pause()
    return server.address
  }

  /** A kubeconfig (YAML) with a client certificate; for the administrator unless a user is given. */
  kubeconfig({ server, user = boundAdministrator }: { server: string; user?: Pick<UserInfo, 'username' | 'groups'> }): string {
    const groups = user.groups.filter((group) => group !== 'system:authenticated')
    const { certificate, key } = this.identity.client({ username: user.username, groups })
    const ca = this.identity.caCertificate
    return kubeconfigText({ cluster: this.name, server, ca, user: user.username, credentials: { certificate, key } })
  }

  /**
   * Serves the store as etcd's v3 API until the cluster ends; `address` is host:port (0 for a free one) or unix:PATH.
   * Resolves with the bound port (0 for a socket).
   */
  async listenEtcd(address: string): Promise<number> {
    // who does without etcd does without gRPC
    const [{ EtcdServer }, { Keyspace }] = await Promise.all([import('./etcd/server.ts'), import('./etcd/keyspace.ts')])
    const { identity, context } = this
    const name = this.controlPlane
    const node = context.cache.get<Node>(kinds.nodes, name)
    const internal = node?.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? '127.0.0.1'
    const server = await EtcdServer.listen(
      {
        keyspace: await Keyspace.open(this.store, this.resources),
        clock: this.clock,
        name,
        address: internal,
        keys: identity.etcdServer(name, internal),
        ca: identity.etcdCertificate,
        report: (where, error) => this.report(where, error),
      },
      address,
    )
    this.servers.add(server)
    return server.port
  }

  /** What etcdctl needs to be let in: the CA's certificate and a client's pair, PEM. */
  etcdCredentials(): KeyPair & { ca: string } {
    return { ca: this.identity.etcdCertificate, ...this.identity.etcdClient() }
  }

  /** One request from within the process, by the same way as over HTTP. Never rejects for an answer that is an error. */
  request(request: ApiRequest): Promise<ApiResponse> {
    return this.inProcess.request(request)
  }

  /** First every object that is selected (ADDED), then the changes, until the signal aborts. */
  watch(selector: ObjectSelector, onEvent: (event: WatchEvent) => void, signal: AbortSignal): Promise<void> {
    return this.inProcess.watch(selector, onEvent, signal)
  }

  /** Everything that is in the cluster now. */
  snapshot(): Snapshot {
    this.checkpoint()
    const records = Object.fromEntries(this.store.records.keys('').map((key) => [key, this.store.records.get(key)]))
    return {
      format: 1,
      engine: 'embedded',
      kubernetesVersion: version.gitVersion,
      time: this.clock.now(),
      resourceVersion: String(this.store.revision),
      objects: objectTables(this.store).flatMap((table) => this.store.list(table)) as unknown as Snapshot['objects'],
      runtime: records,
    }
  }

  /** The changes of objects that are still stored, oldest first. */
  async history(): Promise<WatchEvent[]> {
    const changes = await this.store.history()
    return changes.map(({ type, object, time }) => ({ type, object: object as unknown as WatchEvent['object'], time }))
  }

  /** Who did what, by HTTP, oldest first: the latest thousands of events. Lies in snapshots too (`auditEvents`). */
  auditEvents(): AuditEvent[] {
    return this.audit.events()
  }

  /** A copy in memory that shares nothing changeable; its clock stands still until it is advanced. */
  async fork(): Promise<Cluster> {
    this.checkpoint()
    const clock = new ClusterClock({ start: this.clock.now(), rate: 0 })
    const store = this.store.fork(clock, (error) => this.report('store of a fork', error))
    const fork = new Cluster(store, clock, this.random.fork(), this.settings, this.reportTo, this.standIns, this.webhookReach)
    await fork.start()
    return fork
  }

  /** Skips ahead by ms of cluster time; what would have happened meanwhile has happened when it resolves. */
  async advance(ms: number): Promise<void> {
    const ahead = this.store.records.get<number>(clockRecord) ?? 0
    this.store.records.put(clockRecord, ahead + ms)
    await this.clock.advance(ms)
    await this.store.durable()
  }

  /** What the kubelets answer: exec, attach, logs, port-forward, figures. */
  get nodeApi(): NodeApi {
    return this.kubelets
  }

  private get kubelets(): Kubelets {
    if (this.settings.only === 'api') throw ApiError.serviceUnavailable('this cluster has no nodes')
    if (!this.nodes) throw new Error('the cluster has not started')
    return this.nodes
  }

  private get podNetwork(): Network {
    if (!this.network) throw new Error('the cluster has not started')
    return this.network
  }

  /** The cluster as a machine beside its nodes sees it. */
  outside(): Outside {
    return this.podNetwork.outside()
  }

  /** The names of the nodes, the control plane first. */
  nodeNames(): string[] {
    const names = this.context.cache.list<Node>(kinds.nodes).map(({ metadata }) => metadata.name ?? '')
    return names.sort(
      (a, b) => Number(b === this.controlPlane) - Number(a === this.controlPlane) || a.localeCompare(b, 'en', { numeric: true }),
    )
  }

  /** A process of root on a node, over its own files and network. Throws Error for a node that is not there. */
  nodeShell(node: string, argv: readonly string[], options: { tty: boolean; stdin: boolean; cols?: number; rows?: number }): Process {
    const { network, runtime } = this
    if (!network || !runtime || !this.nodeNames().includes(node)) throw new Error(`there is no node ${node}`)
    let machine = this.machines.get(node)
    if (!machine) {
      machine = this.parts.use(
        new NodeMachine(this.context, node, filesOfNode(runtime, node), network.node(node), this.kubelets.host(node)),
      )
      this.machines.set(node, machine)
    }
    return machine.exec(argv, options)
  }

  /** Resolves when all that was written so far is on the disk. */
  durable(): Promise<void> {
    return this.store.durable()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.ended.abort(new Error('the cluster has ended'))
    for (const server of this.servers) await server[Symbol.asyncDispose]()
    await this.parts.disposeAsync()
    this.clock[Symbol.dispose]()
    await this.store[Symbol.asyncDispose]()
  }

  private async start(addons: ClusterOptions['addons'] = []): Promise<void> {
    const kindnet = this.settings.cni !== 'none'
    const isNew = this.store.count('namespaces') === 0
    if (isNew) {
      const now = new Date(this.clock.now()).toISOString()
      const facts = { controlPlane: this.controlPlane, ca: this.identity.caCertificate, now, kindnet }
      const { store, clock } = this
      await bootstrap({ client: this.clientOf('kube-apiserver'), store, clock, random: () => this.random.next() }, facts)
    }
    // what the API server itself writes of definitions and APIServices
    const own = { ...this.context, client: this.clientOf('kube-apiserver') }
    this.parts.use(startCustomResources(own, this.resources, conversionConnector(this.connect)))
    if (isNew && addons.includes('gateway')) await installGateway(this.clientOf('kubectl'))
    const nodes = { ...this.context, client: this.outsideClient('kubelet') }
    this.parts.use(startRegistration(this.context, this.resources))
    this.parts.use(startFlowSchemaStatus(this.context))
    this.parts.use(startAvailability(own, this.aggregator, answersItself))
    const inside = this.parts.use(inClusterServer(this.serving()))
    const apiServer = {
      accept: (connection: Connection) => inside.accept(duplexOf(connection)),
      https: (request: HttpRequest) => this.inProcess.answerAnyone(request),
    }
    const gateway = createGatewaySeat({ ...this.context, client: this.clientOf('gateway-controller').as(gatewayAccount) })
    const network = this.parts.use(createNetwork(nodes, { apiServer: () => (this.apiUp ? apiServer : undefined), kindnet, gateway }))
    this.network = network
    const standIns = this.parts.use(new StandIns(this.standIns, this.clock, () => this.served.promise))
    const component = (name: ComponentName) => components.hold(name)
    const nameOf = (files: Volume) => this.nodeNames().find((name) => filesOfNode(runtime, name) === files)
    const nodeOf = (files: Volume) => {
      const node = nameOf(files)
      return node === undefined ? undefined : this.nodes?.host(node)
    }
    const pids = processNumbers(nodes.records)
    const pidsOf = (files: Volume) => {
      const node = nameOf(files)
      return node === undefined ? undefined : pids(node)
    }
    const runtime: LocalRuntime = this.parts.use(
      createRuntime(nodes, { network: restoredNetwork(nodes, network), standIns, component, nodeOf, pidsOf }),
    )
    this.runtime = runtime
    this.parts.use(startEventExpiry(this.store, this.clock))
    const controllers = { ...this.context, client: this.outsideClient('kube-controller-manager') }
    const scheduler = { ...this.context, client: this.outsideClient('kube-scheduler') }
    const usage = (namespace: string, pod: string) => this.nodes?.podUsage(namespace, pod)
    const api: ComponentName[] = ['kube-apiserver']
    const alone = this.settings.only === 'api'
    const idle = { [Symbol.dispose]: () => {} }
    const components = this.parts.use(
      new Components(this.store.records, {
        etcd: { needs: [], start: () => idle },
        'kube-apiserver': { needs: ['etcd'], start: () => this.serveApi(inside) },
        'kube-controller-manager': { needs: api, start: () => (alone ? idle : startControllers(controllers, usage)) },
        'kube-scheduler': { needs: api, start: () => (alone ? idle : startScheduler(scheduler)) },
      }),
    )
    components.begin()
    if (alone) return
    this.nodes = this.parts.use(
      await startKubelets(nodes, {
        nodes: this.settings.nodes,
        network,
        runtime,
        pids,
        cluster: this.name,
        kindnet,
        files: (node, isControlPlane) => {
          const ip = isControlPlane ? node.ip : (this.controlPlaneIP() ?? node.ip)
          return kubeadmFiles({ identity: this.identity, cluster: this.name, node, controlPlaneIP: ip, isControlPlane })
        },
      }),
    )
  }

  /** Answers requests from without and within until disposed. */
  private serveApi(inside: { end(): void }): Disposable {
    this.setApi(true)
    return {
      [Symbol.dispose]: () => {
        if (this.ended.signal.aborted) return
        this.setApi(false)
        inside.end()
      },
    }
  }

  private setApi(up: boolean): void {
    if (this.apiUp === up) return
    this.apiUp = up
    for (const server of this.apiServers) {
      this.clock.during(up ? server.resume() : server.pause()).catch((error) => this.report('API server', error))
    }
  }

  /** What a connection to the API server fails with while it does not run. */
  private get apiRefusal(): string | undefined {
    if (this.apiUp) return undefined
    return `dial tcp ${this.advertised() ?? `127.0.0.1:${apiServerPort}`}: connect: connection refused`
  }

  /** A client of a program beside the API server, which cannot reach it while it does not run. */
  private outsideClient(userAgent: string): Client {
    return gatedClient(this.clientOf(userAgent), () => this.apiRefusal)
  }

  private checkpoint(): void {
    this.runtime?.checkpoint()
    this.network?.checkpoint()
    this.nodes?.checkpoint()
  }

  private serving(): ServingParts {
    const report = (where: string, error: unknown) => this.report(where, error)
    return {
      api: this.api,
      authenticator: this.authenticator,
      random: () => this.random.next(),
      now: () => this.clock.now(),
      durable: () => this.store.durable(),
      audit: this.audit,
      flow: this.flow,
      limits: this.limits,
      share: this.share,
      upgrade: upgradeHandler({ api: this.api, generic: this.generic, nodes: () => this.nodeApi, report }),
      report,
      keys: () => this.identity.server(this.firstNode),
      ca: () => this.identity.caCertificate,
    }
  }

  private controlPlaneIP(): string | undefined {
    const node = this.context.cache.get<Node>(kinds.nodes, this.controlPlane)
    return node && internalIP(node)
  }

  /** The node that the API server runs on, whether it is registered already or not. */
  private get firstNode(): { name: string; address: string } | undefined {
    return this.settings.nodes > 0 && this.settings.only !== 'api'
      ? { name: this.controlPlane, address: addressIn(nodeCIDR, 2) }
      : undefined
  }

  /** Where the API server is for everybody in the cluster. */
  private advertised(): string | undefined {
    const ip = this.controlPlaneIP()
    return ip && `${ip}:${apiServerPort}`
  }

  private get controlPlane(): string {
    return `${this.name}-control-plane`
  }

  private customKinds(): CustomKind[] {
    return this.resources.all().flatMap((info) => {
      const schema = info.definition?.schema?.openAPIV3Schema as Schema | undefined
      return info.definition ? [{ info, schema }] : []
    })
  }

  private clientOf(userAgent: string) {
    return createClient(this.api, { user: administrator, userAgent }, this.ended.signal)
  }

  private report(where: string, error: unknown): void {
    if (!this.ended.signal.aborted) this.reportTo(where, error)
  }
}

/** Of the groups that have an APIService elsewhere, those that are served here. */
function answersItself(group: string): boolean {
  return group === 'metrics.k8s.io'
}

/** All but what somebody put into etcd that is no object. */
function objectTables(store: Store): string[] {
  return store.tableNames().filter((table) => table !== plainTable)
}

/** Where an object of a snapshot lies in the store. */
function placed(resources: ServedResources, object: KubeObject): { table: string; key: string; object: KubeObject } {
  const { group, version: served } = groupVersionOf(object.apiVersion)
  const info = resources.findKind(group, served, object.kind)
  const { name = '', namespace } = object.metadata
  if (!info) throw new Error(`the snapshot holds a ${object.kind} of ${object.apiVersion}, which nothing defines`)
  return { table: tableOf(info), key: namespace ? `${namespace}/${name}` : name, object }
}
