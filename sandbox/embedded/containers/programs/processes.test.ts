import { expect, test } from 'vitest'
import { World } from '../test-world.ts'

async function said(image: string, command: string): Promise<string> {
  const world = new World()
  const container = await world.run({ image, command: ['sh', '-c', command] })
  for (let step = 0; !container.exit && step < 200; step++) await world.clock.advance(500)
  return world.text(container)
}

test("BusyBox' ps shows the columns that one names, under headers of one's own", async () => {
  const asked = 'ps -o args; ps -o pid,user,comm; ps -o pid=PROC,comm; ps -o pid= -o comm=; ps -o pid,args=WHAT; ps -o tty,nice,stat,pid'
  expect(await said('busybox:1.36', asked)).toBe(`COMMAND
sh -c ${asked}
ps -o args
PID   USER     COMMAND
    1 root     sh
    3 root     ps
PROC COMMAND
   1 sh
   4 ps
    1 sh
    5 ps
PID   WHAT
    1 sh -
    6 ps -
TT     NI    STAT PID
?          0 R        1
`)
})

test('it names the columns that there are', async () => {
  const known = 'user,group,comm,args,pid,ppid,pgid,nice,rgroup,ruser,tty,vsz,sid,stat,rss'
  expect(await said('busybox:1.36', 'ps -o pid,size; echo $?')).toBe(`ps: bad -o argument 'size', supported arguments: ${known}\n1\n`)
  expect(await said('alpine:3.20', 'ps -o etime,time,pid')).toBe('ELAPSED TIME   PID\n  0:00    0:00     1\n')
})
