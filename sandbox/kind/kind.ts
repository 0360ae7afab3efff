import { createHash } from 'node:crypto'
import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { Shortage } from '../text.ts'
import { type Docker, findProgram, runProgram } from './docker.ts'
import type { NodePlan, Shape } from './shape.ts'

/** The release that is fetched where PATH has no kind. */
export const kindVersion = 'v0.33.0'

/** Where the project publishes its releases. */
const kindReleases = 'https://github.com/kubernetes-sigs/kind/releases/download'

/**
 * The kind CLI: from PATH, or else the official release in `cache`, whose SHA-256 is compared with the published one.
 * Rejects with a Shortage that says what to install.
 */
export async function findKind(cache: string, releases = kindReleases): Promise<string> {
  const present = await findProgram('kind')
  if (present) return present
  const file = join(cache, `kind-${kindVersion}`)
  if (await findProgram(`kind-${kindVersion}`, cache)) return file
  const machine = process.arch === 'x64' ? 'amd64' : process.arch
  const url = `${releases}/${kindVersion}/kind-${process.platform}-${machine}`
  const [bytes, published] = await Promise.all([get(url), get(`${url}.sha256sum`)])
  const digest = createHash('sha256').update(bytes).digest('hex')
  if (new TextDecoder().decode(published).trim().split(/\s/)[0] !== digest)
    throw new Shortage({
      en: `kind ${kindVersion} was downloaded, but its checksum is not the published one. ${install.en}`,
      zh: `已下载 kind ${kindVersion}，但校验和与公布的不符。${install.zh}`,
    })
  await mkdir(cache, { recursive: true })
  const draft = `${file}.${process.pid}`
  await writeFile(draft, bytes)
  await chmod(draft, 0o755)
  await rename(draft, file)
  return file
}

const install = {
  en: 'Put kind (0.30 or later, kind.sigs.k8s.io) into PATH and start again.',
  zh: '请把 kind（0.30 或更新版本，kind.sigs.k8s.io）放到 PATH 里，然后重新启动。',
}

async function get(url: string): Promise<Uint8Array> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(300_000) }).catch((cause) => {
    throw noKind('', { cause })
  })
  if (!answer.ok) throw noKind(` (${answer.status})`)
  return new Uint8Array(await answer.arrayBuffer())
}

function noKind(status: string, options?: ErrorOptions): Shortage {
  const en = `kind is not installed and could not be downloaded${status}. ${install.en}`
  return new Shortage({ en, zh: `没有安装 kind，也下载不到${status}。${install.zh}` }, options)
}

export interface CreateOptions {
  kind: string
  docker: Docker
  /** kind's name of the cluster, the prefix of its containers. */
  name: string
  shape: Shape
  nodes: readonly NodePlan[]
  network: string
  gateway: string
  labels: Readonly<Record<string, string>>
  /** A folder of this cluster's own, for what kind is given and leaves. */
  folder: string
  /** ms for all of it. */
  timeout: number
  signal?: AbortSignal
  onStep: (step: 'image' | 'nodes' | 'configuration' | 'control plane' | 'network' | 'storage' | 'workers') => void
}

const steps: [RegExp, Parameters<CreateOptions['onStep']>[0]][] = [
  [/Ensuring node image/, 'image'],
  [/Preparing nodes/, 'nodes'],
  [/Writing configuration/, 'configuration'],
  [/Starting control-plane/, 'control plane'],
  [/Installing CNI/, 'network'],
  [/Installing StorageClass/, 'storage'],
  [/Joining worker/, 'workers'],
]

/**
 * Runs `kind create cluster`. Rejects with the cause, in kind's or kubeadm's words. What a failure leaves is the caller's to
 * remove, by label. kind ends with this process, however that ends.
 */
export async function createWithKind(options: CreateOptions): Promise<void> {
  const { folder, name, docker } = options
  const bin = join(folder, 'bin')
  await mkdir(bin, { recursive: true, mode: 0o700 })
  await writeFile(join(bin, 'docker'), shim, { mode: 0o755 })
  await writeFile(join(folder, 'kind.yaml'), kindConfig(options))
  const lines: string[] = []
  const result = await runProgram('/bin/sh', ['-c', tied, 'kind', options.kind, ...createArguments(options)], {
    timeout: options.timeout,
    holdStdin: true,
    ...(options.signal ? { signal: options.signal } : {}),
    environment: {
      PATH: `${bin}:${process.env['PATH'] ?? ''}`,
      KIND_EXPERIMENTAL_PROVIDER: 'docker',
      KIND_EXPERIMENTAL_DOCKER_NETWORK: options.network,
      LABERNETES_DOCKER: docker.program,
      LABERNETES_CLUSTER: name,
      LABERNETES_FOLDER: folder,
      // a node asks for this name as it starts, and waits five seconds where nobody knows it
      LABERNETES_GATEWAY: options.gateway,
      LABERNETES_ADDRESSES: options.nodes.map(({ container, ip }) => `${container}=${ip}`).join(' '),
      LABERNETES_LABELS: Object.entries(options.labels)
        .map(([label, value]) => `--label=${label}=${value}`)
        .join(' '),
    },
    onLine: (line) => {
      lines.push(line)
      const step = steps.find(([pattern]) => pattern.test(line) && !line.includes('✓'))
      if (step) options.onStep(step[1])
    },
  })
  await rm(bin, { recursive: true, force: true })
  if (result.exitCode === 124) throw new Error(`The cluster was not there after ${options.timeout / 1000} s. ${lastOf(lines)}`)
  if (result.exitCode !== 0) throw new Error(`kind could not create the cluster. ${causeOf(result.stderr)}`)
}

function createArguments({ name, folder, shape }: CreateOptions): string[] {
  return [
    'create',
    'cluster',
    `--name=${name}`,
    `--image=${shape.nodeImage}`,
    `--config=${join(folder, 'kind.yaml')}`,
    `--kubeconfig=${join(folder, 'kind.kubeconfig')}`,
    '--wait=0s',
    '--retain',
  ]
}

/** Runs a command that is killed once stdin closes: when the platform dies, so does kind. */
const tied = `exec 3<&0
"$@" 3<&- & child=$!
{ cat <&3 >/dev/null; kill -9 $child; } 2>/dev/null & watch=$!
wait $child; code=$?
kill $watch
exit $code`

/**
 * Stands before the docker CLI in kind's PATH and gives \`docker run\` what kind has no setting for: our labels, an address
 * of our choice, a volume of ours and the node's name, which is the same in every learner's cluster while its container's is
 * not. What kind asked for is kept, so that a clone's container can be made just so.
 */
const shim = `#!/bin/sh
if [ "$1" != run ]; then exec "$LABERNETES_DOCKER" "$@"; fi
shift
for argument in "$@"; do
  shift
  if [ "$before" = --name ]; then container=$argument; fi
  if [ "$before" = --hostname ]; then argument=labernetes-\${argument#"$LABERNETES_CLUSTER"-}; fi
  if [ "$before" = --volume ] && [ "$argument" = /var ]; then argument=$container-var:/var; fi
  before=$argument
  set -- "$@" "$argument"
done
printf '%s\\n' "$@" >"$LABERNETES_FOLDER/$container.args"
for pair in $LABERNETES_ADDRESSES; do
  if [ "\${pair%%=*}" = "$container" ]; then ip=\${pair#*=}; fi
done
exec "$LABERNETES_DOCKER" run $LABERNETES_LABELS --add-host "host.docker.internal:$LABERNETES_GATEWAY" --network-alias "labernetes-\${container#"$LABERNETES_CLUSTER"-}" --ip "$ip" "$@"
`

/** kind's own configuration of a cluster. */
function kindConfig({ shape, nodes }: CreateOptions): string {
  return stringify({
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    nodes: nodes.map(({ role }) => ({
      role,
      ...(role === 'control-plane' && shape.portMappings.length > 0
        ? { extraPortMappings: shape.portMappings.map((mapping) => ({ ...mapping, listenAddress: '127.0.0.1' })) }
        : {}),
    })),
    networking: { disableDefaultCNI: shape.cni !== 'kindnet', apiServerAddress: '127.0.0.1' },
    ...(Object.keys(shape.featureGates).length > 0 ? { featureGates: shape.featureGates } : {}),
    kubeadmConfigPatches: [
      stringify({
        kind: 'ClusterConfiguration',
        clusterName: 'labernetes',
        controlPlaneEndpoint: 'labernetes-control-plane:6443',
      }),
    ],
  })
}

/** The line of kind's and kubeadm's output that says what went wrong. */
function causeOf(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.trim())
  const telling = lines.filter((line) => /^(ERROR|error|\[ERROR|Error)|: (failed|error|exit)|denied|no space|not found/i.test(line))
  return [...new Set(telling)].slice(-3).join(' ') || lastOf(lines)
}

function lastOf(lines: readonly string[]): string {
  return lines
    .filter((line) => line.trim())
    .slice(-3)
    .join(' ')
    .slice(-600)
}
