import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** What /metrics shows, in Prometheus' text form. */
export interface Metrics {
  readonly registry: Registry
  request(method: string, status: number, seconds: number): void
  terminalOpened(): void
}

export function createMetrics(sandboxes: () => Promise<number>): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const requests = new Histogram({
    name: 'labernetes_http_request_seconds',
    help: 'Time to answer a request, by method and class of status.',
    labelNames: ['method', 'status'],
    buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [registry],
  })
  const terminals = new Counter({ name: 'labernetes_terminal_sockets_total', help: 'Terminal sockets accepted.', registers: [registry] })
  new Gauge({
    name: 'labernetes_sandboxes',
    help: 'Sandboxes that have not ended.',
    registers: [registry],
    async collect() {
      this.set(await sandboxes())
    },
  })
  return {
    registry,
    request: (method, status, seconds) => requests.observe({ method, status: `${Math.floor(status / 100)}xx` }, seconds),
    terminalOpened: () => terminals.inc(),
  }
}
