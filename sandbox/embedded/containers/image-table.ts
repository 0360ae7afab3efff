import { nginxFiles, nginxModes } from './nginx-files.ts'
import type { RootOptions } from './rootfs.ts'

export interface ImageConfig {
  entrypoint: string[]
  cmd: string[]
  env: Record<string, string>
  workingDir: string
  user: number
}

export interface ImageDefinition {
  /** In full: docker.io/library/nginx. */
  repositories: string[]
  /** Tags that exist. */
  tags: RegExp
  /** Even tags that look like a mistake exist. */
  anyTag?: boolean
  sizeBytes: number
  /** On every node from the start, never pulled. */
  preloaded?: boolean
  root: RootOptions
  config: (tag: string) => Partial<ImageConfig>
}

const versions = (numbers: string, flavors: string) =>
  new RegExp(
    `^(?:latest|stable|mainline|(?:${flavors})|(?:${numbers})(?:\\.\\d+){0,2}(?:-(?:${flavors}))?(?:\\d+(?:\\.\\d+)?)?(?:-\\d+)?)$`,
  )
const debianFlavors = 'alpine|slim|bookworm|bullseye|trixie|perl|slim-bookworm|slim-bullseye|slim-trixie|alpine-slim|otel'
const any = /./

/** agnhost-2 is the same program by another name, for tests of entrypoints; the user is for tests of groups. */
const agnhostRoot: RootOptions = {
  base: 'alpine',
  bash: true,
  tools: ['curl', 'dig', 'host', 'netcat', 'ss'],
  programs: { '/agnhost': 'agnhost', '/agnhost-2': 'agnhost' },
  folders: ['/uploads'],
  users: [{ name: 'user-defined-in-image', uid: 1000, groups: [{ name: 'group-defined-in-image', gid: 50000 }] }],
  localhostCertificate: { certificate: '/localhost.crt', key: '/localhost.key' },
}

/** What the embedded engine knows to run, by image. */
export const definitions: ImageDefinition[] = [
  {
    repositories: [
      'docker.io/library/busybox',
      'docker.io/kindest/local-path-helper',
      'gcr.io/google-containers/busybox',
      'registry.k8s.io/busybox',
      'registry.k8s.io/e2e-test-images/busybox',
      'quay.io/prometheus/busybox',
    ],
    tags: /^(?:latest|stable|unstable|musl|glibc|uclibc|v?[12](?:[.\d]*)(?:-(?:musl|glibc|uclibc|\d+))?|v\d+-[0-9a-f]+)$/,
    sizeBytes: 2_156_518,
    root: { base: 'busybox' },
    config: () => ({ cmd: ['sh'] }),
  },
  {
    repositories: ['docker.io/library/alpine'],
    tags: /^(?:latest|edge|3(?:\.\d+){0,2}|2\.\d+)$/,
    sizeBytes: 3_644_116,
    root: { base: 'alpine' },
    config: () => ({ cmd: ['/bin/sh'] }),
  },
  {
    repositories: ['docker.io/library/debian', 'docker.io/library/ubuntu', 'docker.io/library/bash', 'docker.io/library/buildpack-deps'],
    tags: /^(?:latest|stable|testing|(?:bookworm|bullseye|trixie|sid|noble|jammy|focal)(?:-slim)?|(?:1[0-3]|5|20\.04|22\.04|24\.04|25\.\d+)(?:\.\d+)*(?:-slim)?)$/,
    sizeBytes: 49_580_000,
    root: { base: 'debian' },
    config: () => ({ cmd: ['bash'] }),
  },
  {
    repositories: [
      'docker.io/library/nginx',
      'docker.io/nginxinc/nginx-unprivileged',
      'registry.k8s.io/e2e-test-images/nginx',
      'public.ecr.aws/nginx/nginx',
    ],
    tags: versions('1', debianFlavors),
    sizeBytes: 72_950_530,
    root: { base: 'debian', programs: { '/usr/sbin/nginx': 'nginx' }, files: nginxFiles, modes: nginxModes },
    config: () => ({ entrypoint: ['/docker-entrypoint.sh'], cmd: ['nginx', '-g', 'daemon off;'], env: { NGINX_VERSION: '1.27.5' } }),
  },
  {
    repositories: ['docker.io/library/httpd', 'registry.k8s.io/e2e-test-images/httpd'],
    tags: versions('2', debianFlavors),
    sizeBytes: 58_100_000,
    root: {
      base: 'debian',
      programs: { '/usr/local/apache2/bin/httpd': 'apache', '/usr/local/bin/httpd-foreground': 'apache' },
      files: { '/usr/local/apache2/htdocs/index.html': '<html><body><h1>It works!</h1></body></html>\n' },
    },
    config: () => ({ cmd: ['httpd-foreground'], workingDir: '/usr/local/apache2' }),
  },
  {
    repositories: ['docker.io/library/redis', 'docker.io/valkey/valkey', 'docker.io/bitnami/redis'],
    tags: versions('[2-9]', debianFlavors),
    sizeBytes: 45_900_000,
    root: {
      base: 'debian',
      programs: {
        '/usr/local/bin/redis-server': 'redis-server',
        '/usr/local/bin/redis-cli': 'redis-cli',
        '/usr/local/bin/valkey-server': 'redis-server',
        '/usr/local/bin/valkey-cli': 'redis-cli',
      },
    },
    config: () => ({ cmd: ['redis-server'], workingDir: '/data' }),
  },
  {
    repositories: ['docker.io/library/postgres', 'docker.io/bitnami/postgresql'],
    tags: versions('9|1\\d', debianFlavors),
    sizeBytes: 155_000_000,
    root: {
      base: 'debian',
      programs: { '/usr/local/bin/postgres': 'postgres', '/usr/local/bin/psql': 'psql', '/usr/local/bin/pg_isready': 'pg_isready' },
    },
    config: () => ({ cmd: ['postgres'], env: { PGDATA: '/var/lib/postgresql/data' } }),
  },
  {
    repositories: ['docker.io/library/mysql', 'docker.io/library/mariadb'],
    tags: versions('5|8|9|10|11', `${debianFlavors}|debian|oracle|lts|innovation`),
    sizeBytes: 232_000_000,
    root: {
      base: 'debian',
      programs: {
        '/usr/sbin/mysqld': 'mysqld',
        '/usr/bin/mysql': 'mysql',
        '/usr/bin/mariadb': 'mysql',
        '/usr/bin/mysqladmin': 'mysqladmin',
      },
    },
    config: () => ({ cmd: ['mysqld'] }),
  },
  {
    repositories: ['docker.io/curlimages/curl'],
    tags: /^(?:latest|\d+\.\d+\.\d+)$/,
    sizeBytes: 9_700_000,
    root: { base: 'alpine', tools: ['curl'] },
    config: () => ({ entrypoint: ['curl'], cmd: ['--help'], user: 100 }),
  },
  {
    repositories: [
      'docker.io/nicolaka/netshoot',
      'docker.io/wbitt/network-multitool',
      'docker.io/praqma/network-multitool',
      'registry.k8s.io/e2e-test-images/jessie-dnsutils',
      'docker.io/tutum/dnsutils',
    ],
    tags: any,
    sizeBytes: 200_000_000,
    root: { base: 'alpine', bash: true, tools: 'all', programs: { '/usr/bin/tcpdump': 'tcpdump' } },
    config: () => ({ cmd: ['bash'] }),
  },
  {
    repositories: ['docker.io/polinux/stress', 'docker.io/progrium/stress', 'docker.io/alexeiled/stress-ng', 'docker.io/vish/stress'],
    tags: any,
    sizeBytes: 4_000_000,
    root: { base: 'alpine', tools: ['stress', 'stress-ng'] },
    config: () => ({ cmd: ['stress', '--help'] }),
  },
  {
    repositories: ['docker.io/library/labapp', 'docker.io/labernetes/labapp', 'ghcr.io/labernetes/labapp'],
    tags: any,
    sizeBytes: 9_437_184,
    preloaded: true,
    root: { base: 'busybox', tools: ['curl'], programs: { '/usr/local/bin/labapp': 'labapp' } },
    config: (tag) => ({ entrypoint: ['labapp'], env: { VERSION: tag === 'latest' ? 'v1' : tag } }),
  },
  {
    repositories: ['registry.k8s.io/pause', 'k8s.gcr.io/pause', 'gcr.io/google_containers/pause', 'gcr.io/google-containers/pause'],
    tags: /^(?:latest|[23]\.\d+(?:\.\d+)?)$/,
    sizeBytes: 320_368,
    preloaded: true,
    root: { base: 'scratch', programs: { '/pause': 'pause' } },
    config: () => ({ entrypoint: ['/pause'], user: 65535 }),
  },
  {
    repositories: ['registry.k8s.io/e2e-test-images/agnhost', 'k8s.gcr.io/e2e-test-images/agnhost'],
    tags: /^(?:latest|2\.\d+(?:\.\d+)?)$/,
    sizeBytes: 51_000_000,
    root: agnhostRoot,
    config: () => ({ entrypoint: ['/agnhost'], cmd: ['pause'] }),
  },
  ...['kitten', 'nautilus'].map(
    (name): ImageDefinition => ({
      repositories: [`registry.k8s.io/e2e-test-images/${name}`],
      tags: /^1\.\d+$/,
      sizeBytes: 49_000_000,
      root: { ...agnhostRoot, files: { '/data.json': `{\n  "image": "${name}.jpg"\n}\n` } },
      config: () => ({ entrypoint: ['/agnhost'], cmd: ['test-webserver'] }),
    }),
  ),
  {
    repositories: ['registry.k8s.io/e2e-test-images/resource-consumer'],
    tags: /^1\.\d+$/,
    sizeBytes: 42_000_000,
    root: { base: 'debian', tools: ['stress'], programs: { '/consumer': 'resource-consumer' } },
    config: () => ({ entrypoint: ['/consumer'] }),
  },
  {
    repositories: ['registry.k8s.io/e2e-test-images/nonewprivs'],
    tags: /^1\.\d+$/,
    sizeBytes: 3_300_000,
    root: { base: 'alpine', programs: { '/usr/local/bin/nnp': 'nnp' }, modes: { '/usr/local/bin/nnp': 0o6755 } },
    config: () => ({ cmd: ['nnp'] }),
  },
  {
    repositories: ['registry.k8s.io/e2e-test-images/nonroot'],
    tags: /^1\.\d+$/,
    sizeBytes: 42_000_000,
    root: { base: 'debian' },
    config: () => ({ user: 1234 }),
  },
  {
    repositories: ['registry.k8s.io/e2e-test-images/ipc-utils'],
    tags: /^1\.\d+$/,
    sizeBytes: 5_000_000,
    root: { base: 'alpine' },
    config: () => ({ cmd: ['/bin/sh'] }),
  },
  {
    repositories: ['registry.k8s.io/e2e-test-images/sample-apiserver'],
    tags: /^1\.\d+(?:\.\d+)?$/,
    sizeBytes: 60_000_000,
    root: { base: 'scratch', programs: { '/sample-apiserver': 'sample-apiserver' } },
    config: () => ({ entrypoint: ['/sample-apiserver', '--audit-log-path=-'] }),
  },
  {
    repositories: ['registry.k8s.io/liveness', 'k8s.gcr.io/liveness', 'registry.k8s.io/e2e-test-images/liveness'],
    tags: any,
    sizeBytes: 3_000_000,
    root: { base: 'busybox', programs: { '/server': 'agnhost' } },
    config: () => ({ entrypoint: ['/server'], cmd: ['liveness'] }),
  },
  {
    repositories: ['docker.io/traefik/whoami', 'docker.io/containous/whoami', 'docker.io/jwilder/whoami'],
    tags: /^(?:latest|v?1(?:\.\d+)*)$/,
    sizeBytes: 2_800_000,
    root: { base: 'scratch', programs: { '/whoami': 'whoami-server' } },
    config: () => ({ entrypoint: ['/whoami'] }),
  },
  {
    repositories: ['docker.io/hashicorp/http-echo'],
    tags: /^(?:latest|alpine|[01](?:\.\d+)*)$/,
    sizeBytes: 3_100_000,
    root: { base: 'scratch', programs: { '/http-echo': 'http-echo' } },
    config: () => ({ entrypoint: ['/http-echo'] }),
  },
  {
    repositories: [
      'registry.k8s.io/echoserver',
      'k8s.gcr.io/echoserver',
      'gcr.io/google_containers/echoserver',
      'docker.io/ealen/echo-server',
    ],
    tags: any,
    sizeBytes: 46_000_000,
    root: { base: 'debian', programs: { '/usr/local/bin/echoserver': 'echoserver' } },
    config: () => ({ cmd: ['echoserver'] }),
  },
  {
    repositories: ['registry.k8s.io/hpa-example', 'k8s.gcr.io/hpa-example'],
    tags: any,
    sizeBytes: 180_000_000,
    root: { base: 'debian', programs: { '/usr/local/bin/apache2-foreground': 'hpa-example' } },
    config: () => ({ cmd: ['apache2-foreground'] }),
  },
  {
    repositories: ['docker.io/library/python'],
    tags: versions('[23]', debianFlavors),
    sizeBytes: 120_000_000,
    root: {
      base: 'debian',
      programs: {
        '/usr/local/bin/python3': 'python3',
        '/usr/local/bin/python': 'python3',
        '/usr/local/bin/pip': 'pip',
        '/usr/local/bin/pip3': 'pip',
      },
    },
    config: () => ({ cmd: ['python3'] }),
  },
  {
    repositories: ['docker.io/library/perl', 'registry.k8s.io/e2e-test-images/perl'],
    tags: versions('5', debianFlavors),
    sizeBytes: 350_000_000,
    root: { base: 'debian', programs: { '/usr/local/bin/perl': 'perl' } },
    config: () => ({ cmd: ['perl', '-de0'] }),
  },
  {
    repositories: ['docker.io/library/node', 'docker.io/library/openjdk', 'docker.io/library/eclipse-temurin'],
    tags: versions('\\d+', `${debianFlavors}|jre|jdk|current|lts`),
    sizeBytes: 160_000_000,
    root: { base: 'debian', programs: { '/usr/local/bin/node': 'node', '/usr/local/bin/java': 'node' } },
    config: () => ({ cmd: ['node'] }),
  },
]

definitions.push({
  repositories: ['registry.k8s.io/coredns/coredns', 'docker.io/coredns/coredns'],
  tags: any,
  sizeBytes: 22_384_805,
  preloaded: true,
  root: { base: 'scratch', programs: { '/coredns': 'coredns' } },
  config: () => ({ entrypoint: ['/coredns'] }),
})

/** The built-in gateway (gateway/manifest.ts). */
definitions.push({
  repositories: ['ghcr.io/labernetes/gateway'],
  tags: /^(?:latest|v1)$/,
  sizeBytes: 18_400_000,
  preloaded: true,
  root: { base: 'scratch', programs: { '/gateway': 'gateway' } },
  config: () => ({ entrypoint: ['/gateway'] }),
})

/** The machine under the kubelet: what kind's nodes have, and the tools by which one looks at a network. */
definitions.push(
  {
    repositories: ['docker.io/kindest/node'],
    tags: any,
    sizeBytes: 412_000_000,
    preloaded: true,
    root: {
      base: 'debian',
      tools: 'all',
      bash: true,
      programs: {
        '/usr/sbin/ip': 'ip',
        '/usr/sbin/bridge': 'bridge',
        '/usr/sbin/iptables': 'iptables',
        '/usr/sbin/iptables-save': 'iptables-save',
        '/usr/sbin/sysctl': 'sysctl',
        '/usr/bin/systemctl': 'systemctl',
        '/usr/bin/journalctl': 'journalctl',
        '/usr/local/bin/crictl': 'crictl',
        '/usr/bin/nsenter': 'nsenter',
        '/usr/bin/dmesg': 'dmesg',
        '/usr/bin/lsblk': 'lsblk',
        '/usr/bin/tcpdump': 'tcpdump',
        ...Object.fromEntries(['bridge', 'host-local', 'loopback', 'portmap', 'ptp'].map((name) => [`/opt/cni/bin/${name}`, 'cni-plugin'])),
      },
      folders: ['/etc/cni/net.d', '/etc/kubernetes/manifests', '/run/netns', '/var/run/netns', '/var/lib/kubelet', '/sys'],
    },
    config: () => ({ cmd: ['bash'] }),
  },
  {
    repositories: ['ghcr.io/flannel-io/flannel', 'docker.io/flannel/flannel'],
    tags: any,
    sizeBytes: 33_900_000,
    root: { base: 'alpine', programs: { '/opt/bin/flanneld': 'flanneld' } },
    config: () => ({ entrypoint: ['/opt/bin/flanneld'] }),
  },
  {
    repositories: ['ghcr.io/flannel-io/flannel-cni-plugin', 'docker.io/flannel/flannel-cni-plugin'],
    tags: any,
    sizeBytes: 5_000_000,
    root: { base: 'alpine', programs: { '/flannel': 'cni-plugin' } },
    config: () => ({ cmd: ['/flannel'] }),
  },
)

/** The parts of a cluster that show as pods; their work is done by this process. */
const clusterParts: [repository: string, path: string, sizeBytes: number, program?: string][] = [
  ['registry.k8s.io/etcd', '/usr/local/bin/etcd', 67_870_000, 'etcd'],
  ['registry.k8s.io/kube-apiserver', '/usr/local/bin/kube-apiserver', 89_050_000, 'kube-apiserver'],
  ['registry.k8s.io/kube-controller-manager', '/usr/local/bin/kube-controller-manager', 76_000_000, 'kube-controller-manager'],
  ['registry.k8s.io/kube-scheduler', '/usr/local/bin/kube-scheduler', 53_850_000, 'kube-scheduler'],
  ['registry.k8s.io/kube-proxy', '/usr/local/bin/kube-proxy', 76_106_104],
  ['docker.io/kindest/kindnetd', '/bin/kindnetd', 37_290_000],
  ['docker.io/kindest/local-path-provisioner', '/usr/local/bin/local-path-provisioner', 20_940_000],
]

for (const [repository, path, sizeBytes, program = 'pause'] of clusterParts) {
  definitions.push({
    repositories: [repository],
    tags: any,
    sizeBytes,
    preloaded: true,
    root: { base: 'scratch', programs: { [path]: program } },
    config: () => ({ entrypoint: [path] }),
  })
}

/** An image that may well exist, but whose contents nobody here knows. */
export const unknownImage: ImageDefinition = {
  repositories: [],
  tags: any,
  sizeBytes: 30_000_000,
  root: { base: 'alpine', tools: 'all', programs: { '/usr/local/bin/unknown': 'unknown' } },
  config: () => ({ entrypoint: ['unknown'] }),
}
