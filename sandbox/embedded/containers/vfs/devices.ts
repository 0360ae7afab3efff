import type { Machine } from '../kernel/machine.ts'
import { FullFile, NullFile, type OpenFile, RandomFile, ZeroFile } from '../kernel/open-file.ts'
import type { Process } from '../kernel/process.ts'
import { Errno } from './errno.ts'
import { type DeviceNode, type DirNode, directory, type Node, symlink } from './node.ts'

/** /dev of a container. */
export function devices(machine: () => Machine): DirNode {
  const dev = directory(0o755)
  const put = (name: string, node: Node) => dev.entries.set(name, node)
  put(
    'null',
    device(1, 3, () => new NullFile()),
  )
  put(
    'zero',
    device(1, 5, () => new ZeroFile()),
  )
  put(
    'full',
    device(1, 7, () => new FullFile()),
  )
  put(
    'random',
    device(1, 8, () => new RandomFile(machine().random)),
  )
  put(
    'urandom',
    device(1, 9, () => new RandomFile(machine().random)),
  )
  put(
    'tty',
    device(5, 0, (process) => {
      if (!process.terminal) throw new Errno('ENOENT')
      return process.terminal.open()
    }),
  )
  put('fd', symlink('/proc/self/fd'))
  put('stdin', symlink('/proc/self/fd/0'))
  put('stdout', symlink('/proc/self/fd/1'))
  put('stderr', symlink('/proc/self/fd/2'))
  put('ptmx', symlink('pts/ptmx'))
  put('pts', directory(0o755))
  put('mqueue', directory(0o1777))
  put('shm', directory(0o1777))
  return dev
}

/** A descriptor that is open already, as /proc/self/fd/1 leads to it. */
export function descriptor(open: OpenFile): DeviceNode {
  return device(136, 0, () => open)
}

function device(major: number, minor: number, open: (process: Process) => OpenFile): DeviceNode {
  return { type: 'device', mode: 0o666, uid: 0, gid: 0, mtime: 0, owner: undefined, open, major, minor }
}
