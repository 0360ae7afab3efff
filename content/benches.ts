/**
 * What the terminal beside a lesson stands on, by '<module>/<lesson>': engines in order of preference, nodes (or hosts), the
 * cluster's shape. A lesson that is not here gets a plain cluster of the cheapest engine.
 */
const hosts = { needs: ['node-shell', 'terminal'], engines: ['hosts'], nodes: 2 } as const
const flannel = {
  needs: ['api', 'pods', 'exec', 'node-shell', 'cni', 'terminal'],
  engines: ['kind'],
  nodes: 3,
  shape: { cni: 'flannel' },
} as const

export const benches = {
  'cni/cni-contract': flannel,
  'cni/bridge-and-veth': hosts,
  'cni/static-routes': hosts,
  'cni/vxlan-by-hand': hosts,
  'cni/flannel-vxlan': flannel,
  'cni/flannel-host-gw': flannel,
} as const
