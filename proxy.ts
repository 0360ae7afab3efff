import createProxy from 'next-intl/middleware'
import { routing } from './app/i18n/routing.ts'

export default createProxy(routing)

export const config = { matcher: ['/((?!api|ws|_next|.*\\..*).*)'] }
