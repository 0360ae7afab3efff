'use client'
import { useState } from 'react'
import type { Role } from '../../../../platform/services.ts'
import { call } from '../../../client/call.ts'

const roles: readonly Role[] = ['learner', 'instructor', 'admin']

export function RoleSelect({ id, role: start, label, names }: { id: string; role: Role; label: string; names: Record<Role, string> }) {
  const [role, setRole] = useState(start)
  const [fault, setFault] = useState('')
  const change = async (next: Role) => {
    const before = role
    setRole(next)
    setFault('')
    await call('PATCH', `/api/people/${id}`, { role: next }).catch((error: Error) => {
      setRole(before)
      setFault(error.message)
    })
  }
  return (
    <>
      <select className="field role-select" aria-label={label} value={role} onChange={(event) => change(event.target.value as Role)}>
        {roles.map((each) => (
          <option key={each} value={each}>
            {names[each]}
          </option>
        ))}
      </select>
      <span role="alert">{fault}</span>
    </>
  )
}
