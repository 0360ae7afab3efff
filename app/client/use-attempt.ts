'use client'
import { useEffect, useState } from 'react'
import type { ClusterTime, ClusterView, LeaseView, SandboxEvent, Text, Verdict } from '../../platform/model.ts'

export interface LiveAttempt {
  lease: LeaseView | null
  verdict: Verdict | null
  cluster: ClusterView | null
  terminals: { id: string; title: string; node: string | null }[]
  /** What is being tried on the learner's own cluster. */
  trial: Text | null
  /** The cluster's time as it was told, and when that was by this machine's clock (ms); null while there is no cluster. */
  time: { told: ClusterTime; at: number } | null
  /** Whether events are coming in. */
  live: boolean
}

const nothing: LiveAttempt = { lease: null, verdict: null, cluster: null, terminals: [], trial: null, time: null, live: false }

/** An attempt as it is now. The first events after each (re)connection are the present state, so nothing can be missed. */
export function useAttempt(id: string | null, start: Partial<LiveAttempt> = {}): LiveAttempt {
  const [state, setState] = useState<LiveAttempt>({ ...nothing, ...start })
  useEffect(() => {
    if (!id) return
    let source: EventSource | undefined
    let timer: ReturnType<typeof setTimeout> | undefined
    let failures = 0
    const connect = () => {
      source = new EventSource(`/api/attempts/${id}/events`)
      source.onopen = () => {
        failures = 0
        setState((before) => ({ ...before, live: true }))
      }
      source.onmessage = (message: MessageEvent<string>) => {
        const event = JSON.parse(message.data) as SandboxEvent
        setState((before) => after(before, event))
      }
      source.onerror = () => {
        setState((before) => ({ ...before, trial: null, live: false }))
        source?.close()
        timer = setTimeout(connect, Math.min(10_000, 500 * 2 ** failures++))
      }
    }
    connect()
    return () => {
      source?.close()
      clearTimeout(timer)
    }
  }, [id])
  return state
}

function after(before: LiveAttempt, event: SandboxEvent): LiveAttempt {
  switch (event.type) {
    case 'lease':
      return { ...before, lease: event.lease, time: event.lease.state === 'ready' ? before.time : null }
    case 'verdict':
      return { ...before, verdict: event.verdict }
    case 'cluster':
      return { ...before, cluster: event.view }
    case 'terminals':
      return { ...before, terminals: event.terminals }
    case 'trial':
      return { ...before, trial: event.what }
    case 'time':
      return { ...before, time: { told: event.time, at: Date.now() } }
  }
}
