'use client'
import { useEffect, useRef } from 'react'
import { call } from '../client/call.ts'

/** A cluster that has just become ready gets its first terminal unasked. */
export function useFirstTerminal(attempt: string, ready: boolean, count: number, onFault: (text: string) => void): void {
  const asked = useRef(false)
  useEffect(() => {
    // a cluster that was put back to the start, or paused, is a new one to this end
    if (!ready) asked.current = false
    if (!ready || count > 0 || asked.current) return
    // The event with the terminals comes right after the one that says ready.
    const timer = setTimeout(() => {
      asked.current = true
      call('POST', `/api/attempts/${attempt}/terminals`, { node: null }).catch((error: Error) => onFault(error.message))
    }, 150)
    return () => clearTimeout(timer)
  }, [attempt, ready, count, onFault])
}
