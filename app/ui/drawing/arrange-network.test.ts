import { expect, it } from 'vitest'
import { arrangeNetwork, type NetworkView } from './arrange-network.ts'

const view: NetworkView = {
  hosts: [
    {
      name: 'worker',
      nic: '172.18.0.4',
      bridge: { name: 'cni0', address: '10.244.2.1/24' },
      tunnel: { name: 'flannel.1', address: '10.244.2.0' },
      spaces: [
        { name: 'x', address: '10.244.2.4' },
        { name: 'z', loose: true },
      ],
    },
    { name: 'worker2', nic: '172.18.0.3', bridge: { name: 'cni0' }, spaces: [{ name: 'y' }] },
  ],
  path: ['x', 'worker/bridge', 'worker/tunnel', 'worker/nic', 'worker2/nic', 'worker2/bridge', 'y'],
}

it.each([620, 340])('keeps every device inside its host, cards across its wall, %i wide', (width) => {
  const { rooms, devices } = arrangeNetwork(view, width)
  for (const { id, kind, x, y, w, h } of devices) {
    const room = rooms.find(({ name }) => id.startsWith(`${name}/`)) ?? rooms[id === 'y' ? 1 : 0]!
    expect(x).toBeGreaterThanOrEqual(room.x)
    expect(x + w).toBeLessThanOrEqual(room.x + room.w)
    const foot = room.y + room.h
    if (kind === 'nic') expect([y < foot, y + h > foot]).toEqual([true, true])
    else expect(y + h).toBeLessThan(foot)
  }
})

it('leads the packet down to the cable and up again, wrapped when it went through a tunnel', () => {
  const { path, packet, underlay } = arrangeNetwork(view, 620)
  expect(path.filter(([, y]) => y === underlay?.y)).toHaveLength(2)
  expect(packet?.wrapped).toBe(true)
  expect(packet?.at[1]).toBe(underlay?.y)
})

it('plugs a namespace into the bridge unless it is loose', () => {
  const { wires, devices } = arrangeNetwork(view, 620)
  const loose = devices.find(({ id }) => id === 'z')!
  expect(wires.some(({ from: [x] }) => x > loose.x && x < loose.x + loose.w)).toBe(false)
  expect(wires.filter(({ routed }) => !routed)).toHaveLength(2)
})

it('says which name of a path is nowhere', () => {
  expect(() => arrangeNetwork({ ...view, path: ['x', 'worker3/nic'] }, 620)).toThrow('worker3/nic')
})
