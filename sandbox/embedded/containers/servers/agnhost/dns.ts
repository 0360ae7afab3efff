import { command } from '../../go/flags.ts'
import type { Process } from '../../kernel/process.ts'

/** What the pod's resolver is told. */
export const dnsSuffix = command({
  short: "Prints the host's DNS suffix list",
  flags: {},
  args: 0,
  run: (process) => printList(process, 'search'),
})

export const dnsServerList = command({
  short: "Prints the host's DNS Server list",
  flags: {},
  args: 0,
  run: (process) => printList(process, 'nameserver'),
})

export const etcHosts = command({
  short: "Prints the host's /etc/hosts file",
  flags: {},
  args: 0,
  async run(process) {
    await process.print(`${new TextDecoder().decode(await process.readWhole('/etc/hosts'))}\n`)
    return 0
  },
})

/** The words after a keyword of /etc/resolv.conf, from the first line that has it. */
export async function resolvConf(process: Process, keyword: string): Promise<string[] | undefined> {
  const text = new TextDecoder().decode(await process.readWhole('/etc/resolv.conf'))
  return text
    .split('\n')
    .find((line) => line.startsWith(keyword))
    ?.split(' ')
    .slice(1)
}

async function printList(process: Process, keyword: string): Promise<number> {
  const words = await resolvConf(process, keyword)
  if (!words) {
    await process.complain('panic: Could not find DNS search list!\n')
    return 2
  }
  await process.print(`${words.join(',')}\n`)
  return 0
}
