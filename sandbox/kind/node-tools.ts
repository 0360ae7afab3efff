import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Docker } from './docker.ts'

const execute = promisify(execFile)
const timeout = 60_000

/** By image: the archive of the tools, made once for this process. */
const bundles = new Map<string, Promise<Uint8Array>>()

/**
 * Gives nodes the commands that work on networks needs and node images lack: ping and tcpdump, out of the toolbox's image with
 * the libraries they were built for, whatever the nodes' own are. Rejects when a node cannot be written to.
 */
export async function equipNodes(docker: Docker, image: string, nodes: readonly string[], signal?: AbortSignal): Promise<void> {
  const bundle = bundles.get(image) ?? bundleOf(docker, image)
  bundles.set(image, bundle)
  bundle.catch(() => bundles.delete(image))
  const stdin = await bundle
  const argv = (node: string) => ['exec', '--interactive', node, 'tar', '--extract', '--gzip', '--directory', '/', '--no-same-owner']
  await Promise.all(nodes.map((node) => docker.call(argv(node), { stdin, timeout, ...(signal ? { signal } : {}) })))
}

async function bundleOf(docker: Docker, image: string): Promise<Uint8Array> {
  const argv = ['run', '--rm', '--network', 'none', '--user', '0', '--entrypoint', '/bin/sh', image, '-c', bundleScript]
  const { stdout } = await execute(docker.program, argv, { encoding: 'buffer', maxBuffer: 2 ** 26, timeout })
  return stdout
}

/** Debian's tcpdump becomes a user of its own, whom nodes do not have. */
const bundleScript = `
set -e
root=$(mktemp -d)
at=opt/labernetes/node-tools
mkdir -p "$root/$at/lib" "$root/usr/local/bin"
for tool in ping tcpdump; do
  program=$(command -v "$tool")
  cp -L "$program" "$root/$at/$tool"
  ldd "$program" | grep -o '/[^ ]*' | while read -r library; do cp -L "$library" "$root/$at/lib/"; done
  loader=$(basename "$(ldd "$program" | grep -o '/[^ ]*/ld-[^ ]*')")
  options=
  [ "$tool" != tcpdump ] || options='-Z root'
  printf '#!/bin/sh\\nexec /%s/lib/%s --argv0 %s --library-path /%s/lib /%s/%s %s "$@"\\n' "$at" "$loader" "$tool" "$at" "$at" "$tool" "$options" > "$root/usr/local/bin/$tool"
  chmod 755 "$root/usr/local/bin/$tool" "$root/$at/$tool"
done
tar --create --gzip --directory "$root" opt/labernetes usr/local/bin/ping usr/local/bin/tcpdump
`
