/**
 * Packs the CustomResourceDefinitions of Gateway API's standard channel that are served here into ../crds.json.gz. Run by
 * `npm run generate:gateway -- <folder>` with the config/crd/standard of the Go module sigs.k8s.io/gateway-api
 * (Apache License 2.0; see NOTICE).
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { parse } from 'yaml'
import { gatewayGroup, gatewayResources } from '../types.ts'

const folder = process.argv[2]
if (folder) {
  const definitions = Object.values(gatewayResources).map(({ resource }): unknown =>
    parse(readFileSync(join(folder, `${gatewayGroup}_${resource}.yaml`), 'utf8')),
  )
  writeFileSync(join(import.meta.dirname, '..', 'crds.json.gz'), gzipSync(JSON.stringify(definitions), { level: 9 }))
}
