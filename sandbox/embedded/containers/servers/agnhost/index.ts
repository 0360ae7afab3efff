import { type Command, runCommands } from '../../go/flags.ts'
import type { Process, Program } from '../../kernel/process.ts'
import { admissionWebhook } from './admission-webhook.ts'
import { auditProxy } from './audit-proxy.ts'
import { connect } from './connect.ts'
import { conversionWebhook } from './conversion-webhook.ts'
import { dnsServerList, dnsSuffix, etcHosts } from './dns.ts'
import { entrypointTester } from './entrypoint-tester.ts'
import { fakeGitServer } from './fake-gitserver.ts'
import { grpcHealthChecking } from './grpc-health-checking.ts'
import { guestbook } from './guestbook.ts'
import { inClusterClient } from './in-cluster-client.ts'
import { issuerDiscovery } from './issuer-discovery.ts'
import { liveness } from './liveness.ts'
import { logsGenerator } from './logs-generator.ts'
import { mounttest } from './mounttest.ts'
import { net } from './net.ts'
import { netexec } from './netexec.ts'
import { nettest } from './nettest.ts'
import { noSnatTest, noSnatTestProxy } from './no-snat-test.ts'
import { pause } from './pause.ts'
import { portForwardTester } from './port-forward-tester.ts'
import { porter } from './porter.ts'
import { resourceConsumerController } from './resource-consumer-controller.ts'
import { serveHostname } from './serve-hostname.ts'
import { stress } from './stress.ts'
import { tcpReset } from './tcp-reset.ts'
import { testWebserver } from './test-webserver.ts'

/** The subcommands of agnhost, each in a file of its own name. */
const commands: Readonly<Record<string, Command>> = {
  'audit-proxy': auditProxy,
  connect,
  'crd-conversion-webhook': conversionWebhook,
  'dns-server-list': dnsServerList,
  'dns-suffix': dnsSuffix,
  'entrypoint-tester': entrypointTester,
  'etc-hosts': etcHosts,
  'fake-gitserver': fakeGitServer,
  'grpc-health-checking': grpcHealthChecking,
  guestbook,
  inclusterclient: inClusterClient,
  liveness,
  'logs-generator': logsGenerator,
  mounttest,
  net,
  netexec,
  nettest,
  'no-snat-test': noSnatTest,
  'no-snat-test-proxy': noSnatTestProxy,
  pause,
  'port-forward-tester': portForwardTester,
  porter,
  'resource-consumer-controller': resourceConsumerController,
  'serve-hostname': serveHostname,
  stress,
  'tcp-reset': tcpReset,
  'test-service-account-issuer-discovery': issuerDiscovery,
  'test-webserver': testWebserver,
  webhook: admissionWebhook,
}

/**
 * The image that Kubernetes' own tests run most: one program with many subcommands, which lessons use too where a server
 * is to behave in a certain way.
 * @see https://github.com/kubernetes/kubernetes/blob/master/test/images/agnhost/README.md
 */
export const agnhost: Program = { run: (process: Process) => runCommands(process, 'app', commands), memoryBytes: 10 * 1024 * 1024 }
