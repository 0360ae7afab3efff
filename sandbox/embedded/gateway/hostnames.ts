/**
 * The hostnames that a listener and a route have in common; [''] is every name, [] none. A wildcard stands for one label or
 * more.
 * @see https://gateway-api.sigs.k8s.io/reference/spec/#hostname
 */
export function intersection(listener: string | undefined, route: readonly string[] | undefined): string[] {
  if (!route?.length) return [listener ?? '']
  if (!listener) return [...route]
  return [...new Set(route.flatMap((name) => (covers(listener, name) ? [name] : covers(name, listener) ? [listener] : [])))]
}

/** Whether a hostname, '' for every one, stands for a name, which may be a wildcard itself. */
export function covers(hostname: string, name: string): boolean {
  if (hostname === '' || hostname === name) return true
  return hostname.startsWith('*.') && name.length > hostname.length - 1 && name.replace(/^\*/, '').endsWith(hostname.slice(1))
}

/** Sorts the more particular hostname first: exact ones before wildcards before every name, longer ones before shorter ones. */
export function byParticularity(a: string, b: string): number {
  const rank = (name: string) => (name === '' ? 0 : name.startsWith('*.') ? 1 : 2)
  return rank(b) - rank(a) || b.length - a.length
}

/** The name in a Host header, without its port. */
export function hostOf(header: string | undefined): string {
  return (header ?? '').replace(/:\d+$/, '').toLowerCase()
}
