import { expect, test } from 'vitest'
import { World } from '../test-world.ts'

/** What busybox' own print, tried by hand; those of tree, split and cksum after its sources and POSIX. */
const rows: [command: string, prints: string][] = [
  ['printf "a\\tb\\n\\tc\\n" | expand', 'a       b\n        c\n'],
  ['printf "a\\tb\\n\\tc\\n" | expand -t 4', 'a   b\n    c\n'],
  ['printf "        x       y\\n  z\\n" | unexpand', '\tx       y\n  z\n'],
  ['printf "        x       y\\n" | unexpand -a', '\tx\ty\n'],
  ['printf "ab\\0hello\\1wor\\nlonger text\\n" > s; strings s', 'hello\nlonger text\n'],
  ['strings -n 3 s', 'hello\nwor\nlonger text\n'],
  ['strings -o s; strings -f s', '      3 hello\n     15 longer text\ns: hello\ns: longer text\n'],
  ['crc32 s; printf "a\\tb\\n\\tc\\n" | crc32', 'bb3a1b6e s\nba39e75b\n'],
  ['crc32 nope', "crc32: can't open 'nope': No such file or directory\n"],
  ['printf 123456789 | cksum; : > empty; cksum empty', '930766865 9\n4294967295 0 empty\n'],
  ['link s s2; cat s2 | strings | head -1; link s s2', "hello\nlink: can't create hardlink 's2' to 's': File exists\n"],
  [': > s2; unlink s2; unlink s2', "unlink: can't remove file 's2': No such file or directory\n"],
  ['mkdir q; unlink q', "unlink: can't remove file 'q': Is a directory\n"],
  ['printf "a\\r\\nb\\n" > d; dos2unix d; od -An -c d; unix2dos < d | od -An -c', '   a  \\n   b  \\n\n   a  \\r  \\n   b  \\r  \\n\n'],
  ['dos2unix nope', "dos2unix: can't open 'nope': No such file or directory\n"],
  ['shuf -i 1-5 | sort | tr "\\n" " "; shuf -n 2 -e a b c | wc -l; printf "1\\n2\\n3\\n" | shuf | sort | wc -l', '1 2 3 4 5 2\n3\n'],
  ['shuf -i 5; shuf nope', "shuf: bad range '5'\nshuf: nope: No such file or directory\n"],
  [
    'mkdir -p t/a/b; : > t/a/b/c; : > t/.hidden; ln -s a t/l; tree t',
    't\n|-- a\n|   `-- b\n|       `-- c\n`-- l -> a\n\n2 directories, 2 files\n',
  ],
  ['tree nowhere', 'nowhere [error opening dir]\n\n0 directories, 0 files\n'],
  ['seq 5 | split -l 2; head xa?', '==> xaa <==\n1\n2\n\n==> xab <==\n3\n4\n\n==> xac <==\n5\n'],
  ['printf abcdef | split -b 4 -a 1 - part-; cat part-b', 'ef'],
]

test.each(rows)('%s', async (command, prints) => {
  const world = new World()
  const container = await world.run({ command: ['sleep', '1000'] })
  await world.exec(container, ['sh', '-c', 'mkdir /t; cd /t; printf "ab\\0hello\\1wor\\nlonger text\\n" > s'])
  const { stdout, stderr } = await world.exec(container, ['sh', '-c', `cd /t; (${command}) 2>&1`])
  expect(stdout + stderr).toBe(prints)
})
