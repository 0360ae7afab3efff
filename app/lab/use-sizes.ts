'use client'
import { useCallback, useEffect, useState } from 'react'

/** Sizes of panes, kept in this browser. */
export function useSizes<K extends string>(key: string, start: Record<K, number>): [Record<K, number>, (pane: K, value: number) => void] {
  const [sizes, setSizes] = useState(start)
  useEffect(() => {
    const stored = localStorage.getItem(key)
    if (stored) setSizes((before) => ({ ...before, ...(JSON.parse(stored) as Partial<Record<K, number>>) }))
  }, [key])
  const set = useCallback(
    (pane: K, value: number) =>
      setSizes((before) => {
        const next = { ...before, [pane]: value }
        localStorage.setItem(key, JSON.stringify(next))
        return next
      }),
    [key],
  )
  return [sizes, set]
}
