/** The sign of the house: a room in plan, its door standing open. */
export function Mark({ size = 24 }: { size?: number }) {
  return (
    <svg viewBox="0 0 24 24" width={size} height={size} aria-hidden="true" className="mark">
      <path d="M15 21H3V3h18v12" fill="none" stroke="currentColor" strokeWidth="2.5" />
      <path d="M15 21V15h6" fill="none" stroke="var(--accent)" strokeWidth="1.25" strokeDasharray="none" />
      <path d="M15 15a6 6 0 0 1 6 0" fill="none" stroke="none" />
      <path d="M21 15a6 6 0 0 0-6 6" fill="none" stroke="var(--accent)" strokeWidth="1.25" />
    </svg>
  )
}
