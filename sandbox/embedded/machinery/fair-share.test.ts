import { stat } from 'node:fs'
import { expect, test } from 'vitest'
import { FairShare, type Share } from './fair-share.ts'

let time = 0

/** Takes ms of the thread in the share's turn. */
async function work(share: Share, ms: number, done: () => void = () => undefined): Promise<void> {
  await share.turn()
  time += ms
  done()
}

const round = () => new Promise((resolve) => setImmediate(resolve))

test('in an idle process the turn is at once', async () => {
  using share = new FairShare(() => time).join()
  let began = false
  void share.turn().then(() => {
    began = true
  })
  await null
  await null
  expect(began).toBe(true)
})

test('the event loop goes round between two slices of one who is alone', async () => {
  using share = new FairShare(() => time).join()
  let pieces = 0
  let most = 0
  let before = 0
  const pile = Array.from({ length: 60 }, () => work(share, 1, () => pieces++))
  for (; pieces < 60; before = pieces) {
    await round()
    most = Math.max(most, pieces - before)
  }
  await Promise.all(pile)
  // what is done at once when nobody waits, and the slice after it
  expect(most).toBeLessThanOrEqual(4)
})

test('after a long piece others’ work comes first, also when it began amid reading', async () => {
  using share = new FairShare(() => time).join()
  const order: string[] = []
  await new Promise<void>((resolve, reject) => {
    stat(import.meta.filename, (error) => {
      if (error) reject(error)
      const second = work(share, 1)
        .then(() => work(share, 50, () => order.push('first')))
        .then(() => work(share, 50, () => order.push('second')))
      setTimeout(() => order.push('timer'))
      const due = performance.now() + 3
      while (performance.now() < due);
      second.then(resolve, reject)
    })
  })
  expect(order).toEqual(['first', 'timer', 'second'])
})

test('one who comes late with little to do does not wait for the pile of another', async () => {
  const shares = new FairShare(() => time)
  using noisy = shares.join()
  using quiet = shares.join()
  const order: string[] = []
  const pile = Array.from({ length: 50 }, () => work(noisy, 1, () => order.push('noisy')))
  await round()
  const before = order.length
  expect(before).toBeLessThan(10)
  await work(quiet, 1, () => order.push('quiet'))
  expect(order.indexOf('quiet')).toBe(before)
  await Promise.all(pile)
  expect(order).toHaveLength(51)
})

test('who had nothing to do for long has not saved up for it', async () => {
  const shares = new FairShare(() => time)
  using busy = shares.join()
  using idle = shares.join()
  for (let index = 0; index < 100; index++) await work(busy, 10)
  const order: string[] = []
  const piles = (['idle', 'busy'] as const).flatMap((name) =>
    Array.from({ length: 40 }, () => work(name === 'idle' ? idle : busy, 1, () => order.push(name))),
  )
  await Promise.all(piles)
  expect(order.slice(0, 30).filter((name) => name === 'busy').length).toBeGreaterThan(8)
})

test('two who both want all of it get as much each, however many pieces one cuts it into', async () => {
  const shares = new FairShare(() => time)
  using fine = shares.join()
  using coarse = shares.join()
  const had = { fine: 0, coarse: 0 }
  let over = false
  const piece = async (whose: 'fine' | 'coarse', ms: number) => {
    await (whose === 'fine' ? fine : coarse).turn()
    if (over) return
    time += ms
    had[whose] += ms
  }
  const piles = [...Array.from({ length: 400 }, () => piece('fine', 1)), ...Array.from({ length: 100 }, () => piece('coarse', 4))]
  while (had.fine + had.coarse < 200) await round()
  over = true
  await Promise.all(piles)
  expect(had.fine / (had.fine + had.coarse)).toBeGreaterThan(0.3)
  expect(had.fine / (had.fine + had.coarse)).toBeLessThan(0.7)
})

test('what a turn will cause later counts as well', async () => {
  const shares = new FairShare(() => time)
  using connecting = shares.join()
  using working = shares.join()
  const order: string[] = []
  const piles = [
    ...Array.from({ length: 20 }, async () => {
      await connecting.turn({ ahead: 4 })
      order.push('connecting')
    }),
    ...Array.from({ length: 20 }, () => work(working, 1, () => order.push('working'))),
  ]
  await Promise.all(piles)
  expect(order.slice(0, 20).filter((name) => name === 'connecting').length).toBeLessThan(9)
})

test('what takes long in one piece waits when much of it came before and others are at work, and nothing else does', async () => {
  const shares = new FairShare(() => time)
  using heavy = shares.join()
  using light = shares.join()
  let long = 0
  const pieces = Array.from({ length: 60 }, async () => {
    await heavy.turn({ large: true })
    time += 200
    long++
  })
  let small = 0
  let over = false
  const loop = async () => {
    for (; !over; small++) await work(heavy, 1)
  }
  const looping = loop()
  for (const end = time + 20_000; time < end; ) await work(light, 5)
  over = true
  // the allowance of 4,000 ms, and what came back meanwhile
  expect(long).toBeGreaterThanOrEqual(20)
  expect(long).toBeLessThan(25)
  expect(small).toBeGreaterThan(100)
  // when the others rest nobody is held up
  await round()
  time += 2_000
  await Promise.all([...pieces, looping])
})

test('who is alone has no allowance to keep to', async () => {
  using share = new FairShare(() => time).join()
  let long = 0
  await Promise.all(
    Array.from({ length: 60 }, async () => {
      await share.turn({ large: true })
      time += 200
      long++
    }),
  )
  expect(long).toBe(60)
})

test('what is brief has a turn together with its like, and keeps nobody waiting for more than that', async () => {
  let looked = 0
  const shares = new FairShare(() => {
    looked++
    return time
  })
  using many = shares.join()
  using other = shares.join()
  const turns = async (brief: boolean) => {
    looked = 0
    const order: string[] = []
    const piece = async (index: number) => {
      await many.turn({ brief })
      time += 0.01
      order.push('many')
      if (index === 40) await work(other, 1, () => order.push('other'))
    }
    await Promise.all(Array.from({ length: 200 }, (_, index) => piece(index)))
    expect(order.indexOf('other')).toBeLessThan(40 + 20)
    return looked
  }
  // the clock is looked at when a turn begins and when it ends
  const alone = await turns(false)
  expect(alone).toBeGreaterThan(400)
  expect(await turns(true)).toBeLessThan(alone / 8)
})

test('what is not brief has a turn of its own among what is', async () => {
  using share = new FairShare(() => time).join()
  const order: number[] = []
  let inTurn = 0
  let most = 0
  const piece = async (index: number) => {
    await share.turn({ brief: index % 10 !== 5 })
    order.push(index)
    most = Math.max(most, ++inTurn)
    await null
    await null
    process.nextTick(() => {
      inTurn = 0
    })
  }
  await Promise.all(Array.from({ length: 100 }, (_, index) => piece(index)))
  expect(order).toEqual(Array.from({ length: 100 }, (_, index) => index))
  expect(most).toBeLessThanOrEqual(9)
})

test('nobody waits for a share that has ended', async () => {
  const shares = new FairShare(() => time)
  const ended = shares.join()
  const pile = Array.from({ length: 20 }, () => work(ended, 5))
  ended[Symbol.dispose]()
  await Promise.all([...pile, ended.turn()])
})
