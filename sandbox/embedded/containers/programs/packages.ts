import { NetworkError } from '../../network/network.ts'
import type { Process, Run } from '../kernel/process.ts'

/**
 * Package managers where there is nothing to be had from: they ask for their servers' names, are told what the cluster's DNS tells
 * them, and give up in their own words (apk-tools 2.14, apt 2.6, pip 25). What an image has counts as installed.
 */
export const packagePrograms: Record<string, Run> = { apk, 'apt-get': apt, apt, pip: (process) => pip(process) }

/** Why a server cannot be asked: its name is not known, or nobody answered. */
type Unreachable = 'unknown' | 'unanswered'

async function unreachable(process: Process, host: string): Promise<Unreachable> {
  try {
    await process.until(() => process.machine.network.lookup(host))
    return 'unanswered'
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error
    return error.code === 'ENOTFOUND' ? 'unknown' : 'unanswered'
  }
}

const alpinePackages = [
  ...['alpine-baselayout', 'alpine-baselayout-data', 'alpine-keys', 'apk-tools', 'busybox', 'busybox-binsh', 'ca-certificates-bundle'],
  ...['libcrypto3', 'libssl3', 'musl', 'musl-utils', 'scanelf', 'ssl_client', 'zlib'],
]

async function apk(process: Process): Promise<number> {
  const [command, ...names] = process.args.filter((arg) => !arg.startsWith('-'))
  const has = (name: string) => alpinePackages.includes(name) || process.machine.search(name, process) !== undefined
  switch (command) {
    case 'add': {
      const missing = names.filter((name) => !has(name))
      await fetchIndexes(process)
      if (missing.length === 0) {
        await process.print(`OK: 8 MiB in ${alpinePackages.length} packages\n`)
        return 0
      }
      const rows = missing.map((name) => `  ${name} (no such package):\n    required by: world[${name}]\n`)
      await process.complain(`ERROR: unable to select packages:\n${rows.join('')}`)
      return missing.length
    }
    case 'update': {
      const failed = await fetchIndexes(process)
      await process.complain(`${failed} unavailable, 0 stale; ${alpinePackages.length} distinct packages available\n`)
      return failed
    }
    case 'upgrade':
      await fetchIndexes(process)
      await process.print(`OK: 8 MiB in ${alpinePackages.length} packages\n`)
      return 0
    case 'info':
      await process.print(
        names.length > 0
          ? names
              .filter(has)
              .map((name) => `${name}\n`)
              .join('')
          : `${alpinePackages.join('\n')}\n`,
      )
      return names.every(has) ? 0 : 1
    case 'search':
      await fetchIndexes(process)
      return 0
    case 'del':
      for (const name of names.filter((each) => !has(each))) await process.complain(`ERROR: No such package: ${name}\n`)
      return names.every(has) ? 0 : 1
    default:
      await process.print('apk-tools 2.14.4, compiled for x86_64.\n\nusage: apk [<OPTIONS>...] COMMAND [<ARGUMENTS>...]\n')
      return process.args.includes('--version') || process.args.includes('-V') ? 0 : 1
  }
}

/** Tries both of Alpine's repositories, and says how many could not be had. */
async function fetchIndexes(process: Process): Promise<number> {
  const repositories = ['main', 'community'].map((name) => `https://dl-cdn.alpinelinux.org/alpine/v3.20/${name}`)
  for (const repository of repositories) {
    await process.complain(`fetch ${repository}/x86_64/APKINDEX.tar.gz\n`)
    const why = await unreachable(process, 'dl-cdn.alpinelinux.org')
    const said = why === 'unknown' ? 'DNS lookup error' : 'temporary error (try again later)'
    await process.complain(`WARNING: updating and opening ${repository}: ${said}\n`)
  }
  return repositories.length
}

const suites = [
  ['http://deb.debian.org/debian', 'bookworm'],
  ['http://deb.debian.org/debian', 'bookworm-updates'],
  ['http://deb.debian.org/debian-security', 'bookworm-security'],
] as const

async function apt(process: Process): Promise<number> {
  const [command, ...names] = process.args.filter((arg) => !arg.startsWith('-'))
  const done = process.files.get(1)?.kind === 'tty' ? ' Done' : ''
  const steps = (...texts: string[]) => process.print(texts.map((text) => `${text}...${done}\n`).join(''))
  const unstable = process.name === 'apt' && !done
  if (unstable) await process.complain('\nWARNING: apt does not have a stable CLI interface. Use with caution in scripts.\n\n')
  switch (command) {
    case 'update': {
      for (let round = 0; round < 3; round++) {
        for (const [index, [url, suite]] of suites.entries()) await process.print(`Ign:${index + 1} ${url} ${suite} InRelease\n`)
        await process.sleep(1000)
      }
      const unknown = (await unreachable(process, 'deb.debian.org')) === 'unknown'
      const why = `${unknown ? 'Could not resolve' : 'Temporary failure resolving'} 'deb.debian.org'`
      for (const [index, [url, suite]] of suites.entries()) await process.print(`Err:${index + 1} ${url} ${suite} InRelease\n  ${why}\n`)
      await steps('Reading package lists')
      for (const [url, suite] of suites) await process.complain(`W: Failed to fetch ${url}/dists/${suite}/InRelease  ${why}\n`)
      await process.complain('W: Some index files failed to download. They have been ignored, or old ones used instead.\n')
      return 0
    }
    case 'install': {
      await steps('Reading package lists', 'Building dependency tree', 'Reading state information')
      const missing = names.filter((name) => process.machine.search(name, process) === undefined)
      for (const name of missing) await process.complain(`E: Unable to locate package ${name}\n`)
      if (missing.length > 0) return 100
      for (const name of names) await process.print(`${name} is already the newest version.\n`)
      await process.print('0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n')
      return 0
    }
    case 'upgrade':
    case 'dist-upgrade':
      await steps('Reading package lists', 'Building dependency tree', 'Reading state information', 'Calculating upgrade')
      await process.print('0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n')
      return 0
    case 'clean':
      return 0
    case undefined:
      await process.print(`apt 2.6.1 (amd64)\n${process.args.includes('--version') ? '' : `Usage: ${process.name} command [options]\n`}`)
      return process.args.includes('--version') ? 0 : 1
    default:
      await process.complain(`E: Invalid operation ${command}\n`)
      return 100
  }
}

/** pip, and python3 -m pip. */
export async function pip(process: Process, args: readonly string[] = process.args): Promise<number> {
  const [command, ...names] = args.filter((arg) => !arg.startsWith('-'))
  if (args.includes('--version') || args.includes('-V')) {
    await process.print('pip 25.0.1 from /usr/local/lib/python3.13/site-packages/pip (python 3.13)\n')
    return 0
  }
  if (command === 'list') {
    await process.print('Package Version\n------- -------\npip     25.0.1\n')
    return 0
  }
  if (command !== 'install' || names.length === 0) {
    const said = command === 'install' ? 'ERROR: You must give at least one requirement to install (see "pip help install")\n' : ''
    await process.complain(said || `ERROR: unknown command "${command ?? ''}"\n`)
    return 1
  }
  const [name = ''] = names
  const project = name.split(/[<>=!~[]/)[0]?.toLowerCase() ?? ''
  const unknown = (await unreachable(process, 'pypi.org')) === 'unknown'
  const why = unknown ? '[Errno -2] Name or service not known' : '[Errno -3] Temporary failure in name resolution'
  const broken = `'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f3c1a2b4d90>: Failed to establish a new connection: ${why}')'`
  for (let total = 4; total >= 0; total--) {
    const retry = `Retry(total=${total}, connect=None, read=None, redirect=None, status=None)`
    await process.complain(`WARNING: Retrying (${retry}) after connection broken by ${broken}: /simple/${project}/\n`)
    await process.sleep(250 * 2 ** (4 - total))
  }
  await process.complain(
    `ERROR: Could not find a version that satisfies the requirement ${name} (from versions: none)\nERROR: No matching distribution found for ${name}\n`,
  )
  return 1
}
