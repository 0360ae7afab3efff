// An operator as teams write them: a custom resource, a controller that owns Deployments, a finalizer, events, conditions,
// leader election, and a validating webhook. It exists to be run against the embedded cluster.
package main

import (
	"crypto/tls"
	"flag"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

func main() {
	namespace := flag.String("namespace", "", "watch one namespace alone")
	election := flag.String("leader-election-namespace", "", "be one of several, with a Lease in this namespace")
	metrics := flag.String("metrics-bind-address", "0", "where /metrics is served; 0 for nowhere")
	health := flag.String("health-bind-address", "0", "where /healthz and /readyz are served; 0 for nowhere")
	webhookPort := flag.Int("webhook-port", 0, "where the webhook listens; 0 for none")
	webhookHost := flag.String("webhook-host", "", "the name of the webhook's Service in the cluster")
	webhookName := flag.String("webhook-configuration", "", "the ValidatingWebhookConfiguration to write the CA into")
	flag.Parse()
	ctrl.SetLogger(zap.New())
	setup := ctrl.Log.WithName("setup")
	fail := func(err error, what string) {
		if err != nil {
			setup.Error(err, what)
			os.Exit(1)
		}
	}

	ctx := ctrl.SetupSignalHandler()
	scheme := runtime.NewScheme()
	fail(clientgoscheme.AddToScheme(scheme), "scheme")
	addToScheme(scheme)
	config, err := ctrl.GetConfig()
	fail(err, "no cluster to talk to")
	lease, renew, retry := 3*time.Second, 2*time.Second, 500*time.Millisecond
	options := ctrl.Options{
		Scheme:                        scheme,
		Metrics:                       metricsserver.Options{BindAddress: *metrics},
		HealthProbeBindAddress:        *health,
		LeaderElection:                *election != "",
		LeaderElectionID:              "site-operator",
		LeaderElectionNamespace:       *election,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &lease,
		RenewDeadline:                 &renew,
		RetryPeriod:                   &retry,
	}
	if *namespace != "" {
		options.Cache.DefaultNamespaces = map[string]cache.Config{*namespace: {}}
	}
	if *webhookPort != 0 {
		certificate, bundle, err := selfSigned(*webhookHost)
		fail(err, "certificate")
		direct, err := client.New(config, client.Options{Scheme: scheme})
		fail(err, "client")
		fail(trust(ctx, direct, *webhookName, bundle), "webhook configuration")
		options.WebhookServer = webhook.NewServer(webhook.Options{Port: *webhookPort, TLSOpts: []func(*tls.Config){func(config *tls.Config) {
			config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil }
		}}})
	}
	manager, err := ctrl.NewManager(config, options)
	fail(err, "manager")
	fail((&siteReconciler{Client: manager.GetClient(), events: manager.GetEventRecorderFor("site-operator")}).SetupWithManager(manager), "controller")
	if *webhookPort != 0 {
		fail(setupWebhook(manager), "webhook")
	}
	fail(manager.AddHealthzCheck("ping", healthz.Ping), "health")
	fail(manager.AddReadyzCheck("ping", healthz.Ping), "readiness")
	fail(manager.Start(ctx), "manager ended")
	setup.Info("ended")
}
