export const themeCookie = 'theme'

/** No cookie means: as the system asks. */
export type Theme = 'light' | 'dark'

export function isTheme(value: string | undefined): value is Theme {
  return value === 'light' || value === 'dark'
}
