import { errnoText, pathError } from '../../go/errors.ts'
import { command } from '../../go/flags.ts'
import { dieOfSignals } from '../../go/signals.ts'
import type { Process } from '../../kernel/process.ts'
import { Errno } from '../../vfs/errno.ts'
import type { Node } from '../../vfs/node.ts'

const initialContent = 'mount-tester new file\n'
const retryMs = 2000

/** Linux' numbers of file systems (sys/statfs.h), as statfs(2) gives them. */
const magic: Record<string, number> = { overlay: 0x794c7630, ext4: 0xef53, proc: 0x9fa0, sysfs: 0x62656572, devtmpfs: 0x01021994 }

/** Writes files with certain modes and tells of file systems, modes, owners and contents, in this order. */
export const mounttest = command({
  short: 'Creates files with given permissions and outputs FS type, owner, mode, permissions, contents of files',
  flags: {
    fs_type: '',
    file_mode: '',
    file_perm: '',
    file_owner: '',
    new_file_0644: '',
    new_file_0666: '',
    new_file_0660: '',
    new_file_0777: '',
    file_content: '',
    file_content_in_loop: '',
    retry_time: 180,
    break_on_expected_content: true,
  },
  args: 0,
  async run(process, flags) {
    dieOfSignals(process)
    process.umask = 0
    let failed = false
    const step = async (path: string, look: (path: string) => Promise<boolean>) => {
      if (path !== '' && !(await look(path))) failed = true
    }
    await step(flags.fs_type, (path) => fsType(process, path))
    for (const mode of ['0644', '0666', '0660', '0777'] as const) {
      await step(flags[`new_file_${mode}`], (path) => writeNew(process, path, Number.parseInt(mode, 8)))
    }
    await step(flags.file_mode, (path) => stat(process, path, 'Stat', (node) => `mode of file "${path}": ${goMode(node, true)}\n`))
    await step(flags.file_perm, (path) => stat(process, path, 'Stat', (node) => `perms of file "${path}": ${goMode(node, false)}\n`))
    await step(flags.file_owner, (path) =>
      stat(process, path, 'stat', ({ uid, gid }) => `owner UID of "${path}": ${uid}\nowner GID of "${path}": ${gid}\n`),
    )
    await step(flags.file_content, (path) => readContent(process, path))
    await step(flags.file_content_in_loop, (path) => readInLoop(process, path, flags.retry_time * 1000, flags.break_on_expected_content))
    return failed ? 1 : 0
  },
})

async function fsType(process: Process, path: string): Promise<boolean> {
  try {
    const { type } = process.fs.locate(path, process.who).mount
    process.fs.lookup(path, process.who)
    await process.print(`mount type of "${path}": ${type === 'tmpfs' ? 'tmpfs' : (magic[type] ?? magic['ext4'])}\n`)
    return true
  } catch (error) {
    if (!(error instanceof Errno)) throw error
    await process.print(`error from statfs("${path}"): ${errnoText(error)}\n`)
    return false
  }
}

async function stat(process: Process, path: string, call: 'Stat' | 'stat', tell: (node: Node) => string): Promise<boolean> {
  try {
    await process.print(tell(process.fs.lookup(path, process.who)))
    return true
  } catch (error) {
    if (!(error instanceof Errno)) throw error
    // os.Stat names the operation and the path, the bare system call does not.
    await process.print(`error from ${call}("${path}"): ${call === 'Stat' ? pathError('stat', path, error) : errnoText(error)}\n`)
    return false
  }
}

async function writeNew(process: Process, path: string, mode: number): Promise<boolean> {
  try {
    process.fs.write(path, initialContent, process.who, mode)
  } catch (error) {
    await process.print(`error writing new file "${path}": ${pathError('open', path, error)}\n`)
    return false
  }
  return readContent(process, path)
}

async function readContent(process: Process, path: string): Promise<boolean> {
  try {
    await process.print(`content of file "${path}": ${new TextDecoder().decode(await process.readWhole(path))}\n`)
    return true
  } catch (error) {
    await process.print(`error reading file content for "${path}": ${pathError('open', path, error)}\n`)
    return false
  }
}

async function readInLoop(process: Process, path: string, forMs: number, breakOnExpected: boolean): Promise<boolean> {
  const start = process.machine.now()
  let well = true
  for (; process.machine.now() - start < forMs; await process.sleep(retryMs)) {
    try {
      const text = new TextDecoder().decode(await process.readWhole(path))
      well = true
      await process.print(`content of file "${path}": ${text}\n`)
      if (!breakOnExpected) continue
      if (text === initialContent) break
      await process.print(`Unexpected content. Expected: ${initialContent}. Retrying\n`)
    } catch (error) {
      well = false
      await process.print(`Error reading file ${path}: ${pathError('open', path, error)}, retrying\n`)
    }
  }
  return well
}

/** As fs.FileMode prints itself: a letter for each special bit, or a dash, and the nine permissions. */
function goMode(node: Node, special: boolean): string {
  const { mode } = node
  const kind = { dir: 'd', link: 'L', device: 'D', fifo: 'p', file: '' }[node.type]
  const bits = `${mode & 0o4000 ? 'u' : ''}${mode & 0o2000 ? 'g' : ''}${node.type === 'device' && !node.block ? 'c' : ''}${mode & 0o1000 ? 't' : ''}`
  const permissions = [...'rwxrwxrwx'].map((letter, index) => (mode & (0o400 >> index) ? letter : '-')).join('')
  return (special ? kind + bits || '-' : '-') + permissions
}
