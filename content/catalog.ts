/** The course: modules in teaching order, and in each its lessons. A lesson without files yet is shown as in preparation. */
export interface CatalogModule {
  slug: string
  title: { en: string; zh: string }
  /** What one can do after it. */
  goal: { en: string; zh: string }
  lessons: readonly string[]
}

export const catalog: readonly CatalogModule[] = [
  {
    slug: 'foundations',
    title: { en: 'Foundations and kubectl', zh: '基础与 kubectl' },
    goal: { en: 'Follow a command to a running process.', zh: '看懂一条命令怎样变成一个运行中的进程。' },
    lessons: ['what-kubernetes-does', 'objects-and-controllers', 'kubectl-daily'],
  },
  {
    slug: 'pods',
    title: { en: 'Pods', zh: 'Pod' },
    goal: { en: 'Read any Pod state down to its cause.', zh: '从任何一个 Pod 状态追到原因。' },
    lessons: ['pod-model', 'pod-states', 'graceful-shutdown'],
  },
  {
    slug: 'probes',
    title: { en: 'Probes', zh: '探针' },
    goal: { en: 'Let the cluster know what works, and what does not yet.', zh: '让集群知道什么已经能用，什么还不能。' },
    lessons: ['running-is-not-ready', 'probe-mechanics', 'liveness', 'startup-and-rollouts'],
  },
  {
    slug: 'resources',
    title: { en: 'Resources', zh: '资源' },
    goal: { en: 'Predict who is scheduled, throttled, evicted.', zh: '预判谁会被调度、被限流、被驱逐。' },
    lessons: ['requests-limits', 'qos-and-quotas'],
  },
  {
    slug: 'config',
    title: { en: 'Configuration', zh: '配置' },
    goal: { en: 'Bring settings in, and know when they change.', zh: '把配置送进容器，并且清楚它何时更新。' },
    lessons: ['config-injection', 'config-updates'],
  },
  {
    slug: 'workloads',
    title: { en: 'Workloads', zh: '工作负载' },
    goal: { en: 'Pick the controller, pace the change.', zh: '选对控制器，控制好变更的节奏。' },
    lessons: ['deployments', 'statefulsets', 'daemonsets-jobs'],
  },
  {
    slug: 'services',
    title: { en: 'Services, DNS, Ingress', zh: '服务、DNS 与 Ingress' },
    goal: { en: 'Trace a name to the Pod that answers.', zh: '从一个名字一路找到应答的 Pod。' },
    lessons: ['services', 'dns-headless', 'ingress'],
  },
  {
    slug: 'storage',
    title: { en: 'Storage', zh: '存储' },
    goal: { en: 'Bind, mount and keep a volume.', zh: '绑定、挂载并保住一个卷。' },
    lessons: ['volumes-pv-pvc', 'storageclass-csi'],
  },
  {
    slug: 'scheduling',
    title: { en: 'Scheduling', zh: '调度' },
    goal: { en: 'Say where a Pod may stand, and empty a node.', zh: '决定 Pod 能放在哪里，也能把节点腾空。' },
    lessons: ['placement', 'taints-drain'],
  },
  {
    slug: 'cni',
    title: { en: 'CNI and flannel', zh: 'CNI 与 flannel' },
    goal: { en: 'Build the Pod network by hand, then repair it.', zh: '亲手搭起 Pod 网络，再学会修它。' },
    lessons: ['cni-contract', 'bridge-and-veth', 'static-routes', 'vxlan-by-hand', 'flannel-vxlan', 'flannel-host-gw'],
  },
  {
    slug: 'rbac',
    title: { en: 'API security and RBAC', zh: 'API 安全与 RBAC' },
    goal: { en: 'Give each caller what it needs and no more.', zh: '给每个调用者恰好够用的权限，不多一分。' },
    lessons: ['request-path', 'client-certs', 'user-by-csr', 'rbac-objects', 'rbac-debugging', 'serviceaccounts'],
  },
  {
    slug: 'etcd',
    title: { en: 'etcd', zh: 'etcd' },
    goal: { en: 'Look inside the store, back it up, restore it.', zh: '看清存储里有什么，备份它，恢复它。' },
    lessons: ['etcd-inspect', 'etcd-backup-restore'],
  },
  {
    slug: 'autoscaling',
    title: { en: 'Autoscaling and aggregation', zh: '自动伸缩与聚合层' },
    goal: { en: 'Scale on a metric you can trust.', zh: '依据可信的指标伸缩。' },
    lessons: ['metrics-aggregation', 'hpa'],
  },
  {
    slug: 'helm',
    title: { en: 'Helm', zh: 'Helm' },
    goal: { en: 'Ship, upgrade and undo a release.', zh: '发布、升级、回退一个 release。' },
    lessons: ['why-helm', 'release-lifecycle', 'chart-anatomy', 'template-language', 'registries-harbor'],
  },
  {
    slug: 'extending',
    title: { en: 'Extending Kubernetes', zh: '扩展 Kubernetes' },
    goal: { en: 'Add a type of your own, and its controller.', zh: '加入自己的类型和它的控制器。' },
    lessons: ['crds-operators', 'ownership-finalizers', 'admission-webhooks', 'clients-ecosystem'],
  },
]
