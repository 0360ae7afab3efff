import { createPublicKey, verify } from 'node:crypto'
import { command } from '../../go/flags.ts'
import { logFatal, logPrint } from '../../go/log.ts'
import { dieOfSignals } from '../../go/signals.ts'
import type { Process } from '../../kernel/process.ts'
import { getWithToken, type InClusterConfig, inClusterConfig } from './in-cluster.ts'

interface Claims {
  iss: string
  aud: string | string[]
  exp: number
}

/** Checks the pod's token as a stranger would: by what the issuer publishes of itself (OpenID Connect Discovery 1.0). */
export const issuerDiscovery = command({
  short: 'Tests the ServiceAccountIssuerDiscovery feature',
  flags: { 'token-path': '', audience: '' },
  args: 0,
  async run(process, flags) {
    dieOfSignals(process)
    try {
      const token = Buffer.from(await process.readWhole(flags['token-path'])).toString()
      await logPrint(process, 'OK: Got token')
      await logPrint(process, 'validating with in-cluster discovery')
      await validate(process, token, flags.audience, await inClusterConfig(process))
      return 0
    } catch (error) {
      if (process.ended) throw error
      return logFatal(process, error instanceof Error ? error.message : String(error))
    }
  },
})

async function validate(process: Process, token: string, audience: string, config: InClusterConfig): Promise<void> {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const { kid, alg } = decoded(header) as { kid?: string; alg?: string }
  const claims = decoded(payload) as Claims
  await logPrint(process, `OK: got issuer ${claims.iss}`)
  await logPrint(process, `Full, not-validated claims: \n${JSON.stringify(claims)}`)
  const get = async (url: string): Promise<unknown> => {
    const { status, body } = await getWithToken(process, url, config)
    const text = Buffer.from(body).toString()
    if (status !== 200) throw new Error(`${status}: ${text}`)
    return JSON.parse(text) as unknown
  }
  const provider = (await get(`${claims.iss}/.well-known/openid-configuration`)) as { issuer: string; jwks_uri: string }
  if (provider.issuer !== claims.iss) {
    throw new Error(`oidc: issuer did not match the issuer returned by provider, expected "${claims.iss}" got "${provider.issuer}"`)
  }
  await logPrint(process, `OK: Constructed OIDC provider for issuer ${claims.iss}`)
  if (![claims.aud].flat().includes(audience)) throw new Error(`oidc: expected audience "${audience}" got ${JSON.stringify(claims.aud)}`)
  if (claims.exp * 1000 < process.machine.now()) throw new Error('oidc: token is expired')
  if (alg !== 'RS256' && alg !== 'ES256') throw new Error(`oidc: id token signed with unsupported algorithm, got "${alg}"`)
  const { keys } = (await get(provider.jwks_uri)) as { keys: ({ kid?: string } & Record<string, unknown>)[] }
  const jwk = keys.find((key) => key.kid === kid)
  if (!jwk) throw new Error('failed to verify signature: failed to verify id token signature')
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  const signed = verify(
    'sha256',
    Buffer.from(`${header}.${payload}`),
    { key, dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  )
  if (!signed) throw new Error('failed to verify signature: failed to verify id token signature')
  await logPrint(process, 'OK: Validated signature on JWT')
  await logPrint(process, 'OK: Got valid claims from token!')
}

function decoded(part: string): unknown {
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as unknown
}
