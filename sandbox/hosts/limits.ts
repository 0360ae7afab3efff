/** Of one sandbox: all its hosts together, unless it says otherwise. */
export const limits = {
  processes: 512,
  addressSpaceBytes: 6 * 2 ** 30,
  fileBytes: 64 * 2 ** 20,
  /** Of all processes together, watched. */
  memoryBytes: 768 * 2 ** 20,
  /** Of a host's files. */
  filesBytes: 64 * 2 ** 20,
  /** Hosts that no platform has looked after for so long end by themselves. */
  orphanSeconds: 600,
  hosts: 4,
}
