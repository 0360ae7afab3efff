import { expect, test } from 'vitest'
import { World } from '../test-world.ts'

/** Scripts of a Pod of busybox with what they print, complaints first, and how they end; tried in a Pod of a kind cluster. */
const tried: [script: string, printed: string, code: number][] = [
  ['whoami', 'root\n', 0],
  ['[ a b ]', 'sh: b: unknown operand\n', 2],
  ['[ 1 -eq ]', 'sh: -eq: argument expected\n', 2],
  ['[ 1 -eq x ]', 'sh: x: bad number\n', 2],
  ['[ a = b = c ]', 'sh: =: unknown operand\n', 2],
  ["printf '%d\\n' abc", "sh: invalid number 'abc'\n0\n", 1],
  ['printf', 'sh: usage: printf FORMAT [ARGUMENT...]\n', 2],
  ['kill', 'sh: you need to specify whom to kill\n', 1],
  ['kill abc', "sh: invalid number 'abc'\n", 1],
  ['kill -FOO 1', "sh: bad signal name 'FOO'\n", 1],
  ['kill %1', 'sh: kill: line 0: %1: no such job\n', 2],
  ['cd /nofile', "sh: cd: line 0: can't cd to /nofile: No such file or directory\n", 2],
  ['cd -', '/\n', 0],
  ['unset 1', 'sh: unset: line 0: 1: bad variable name\n', 2],
  ['export 1a=2', 'sh: export: line 0: 1a: bad variable name\n', 2],
  ['shift x', 'sh: shift: line 0: Illegal number: x\n', 2],
  ['alias x', 'alias: x not found\n', 1],
  ['sleep 100 & kill $!; wait $!; echo $?', 'Terminated\n143\n', 0],
  ['timeout 1 sleep 5; echo $?', 'Terminated\n143\n', 0],
  ['echo "unclosed', 'sh: syntax error: unterminated quoted string\n', 2],
  ['echo `date', 'sh: syntax error: EOF in backquote substitution\n', 2],
  ['if true; then echo', 'sh: syntax error: unexpected end of file (expecting "fi")\n', 2],
  ['for x in 1 2; echo $x; done', 'sh: syntax error: unexpected word (expecting "do")\n', 2],
  ['cat <<< hi', 'sh: syntax error: unexpected redirection\n', 2],
  ['echo hi |& cat', 'sh: syntax error: unexpected "&"\n', 2],
  ['arr=(1 2)', 'sh: syntax error: unexpected "("\n', 2],
  ['echo ${HOSTNAME^^}', 'sh: syntax error: bad substitution\n', 2],
  ['echo x | xargs nosuch', 'xargs: nosuch: No such file or directory\n', 127],
  ['cat /', 'cat: read error: Is a directory\n', 1],
  ['ln /nofile /tmp/z', 'ln: /nofile: No such file or directory\n', 1],
  ['id nosuch', 'id: unknown user nosuch\n', 1],
  ['echo abc | sed s/b', "sed: unmatched '/'\n", 1],
  ['tail -n +2 /etc/hostname', '', 0],
  ['tar cf - /nofile > /dev/null', 'tar: /nofile: No such file or directory\ntar: error exit delayed from previous errors\n', 1],
  ["grep -E '^Cap(Eff|Bnd)' /proc/self/status", 'CapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\n', 0],
]

test.each(tried)('%s', async (script, printed, code) => {
  const world = new World()
  const container = await world.run({ image: 'busybox:1.36', command: ['sleep', '1000000'] })
  const ended = await world.exec(container, ['sh', '-c', script])
  expect({ printed: ended.stderr + ended.stdout, code: ended.code }).toEqual({ printed, code })
  expect(world.reported).toEqual([])
})
