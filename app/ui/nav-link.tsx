'use client'
import Link from 'next/link'
import { usePathname } from 'next/navigation'
import type { ReactNode } from 'react'

/** A link of the main navigation that knows when it is where the reader is. `also`: other folders that belong to it. */
export function NavLink({ href, also = [], children }: { href: string; also?: string[]; children: ReactNode }) {
  const pathname = usePathname()
  const here =
    pathname === href || also.some((folder) => pathname.startsWith(`${folder}/`)) || (also.length === 0 && pathname.startsWith(`${href}/`))
  return (
    <Link href={href} aria-current={here ? 'page' : undefined} prefetch={false}>
      {children}
    </Link>
  )
}
