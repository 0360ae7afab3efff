package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// siteValidator refuses what no schema can know: an image that moves.
type siteValidator struct{}

func (siteValidator) ValidateCreate(_ context.Context, object runtime.Object) (admission.Warnings, error) {
	return validate(object.(*Site))
}

func (siteValidator) ValidateUpdate(_ context.Context, _, object runtime.Object) (admission.Warnings, error) {
	return validate(object.(*Site))
}

func (siteValidator) ValidateDelete(context.Context, runtime.Object) (admission.Warnings, error) {
	return nil, nil
}

func validate(site *Site) (admission.Warnings, error) {
	if strings.HasSuffix(site.Spec.Image, ":latest") || !strings.Contains(site.Spec.Image, ":") {
		return nil, fmt.Errorf("image %q moves: name a version", site.Spec.Image)
	}
	if site.Spec.Replicas != nil && *site.Spec.Replicas == 1 {
		return admission.Warnings{"one server alone has nobody to stand in for it"}, nil
	}
	return nil, nil
}

func setupWebhook(manager ctrl.Manager) error {
	return ctrl.NewWebhookManagedBy(manager).For(&Site{}).WithValidator(siteValidator{}).Complete()
}

// selfSigned makes a certificate for the webhook's Service, and gives it as a bundle to trust too.
func selfSigned(name string) (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: name},
		DNSNames:              []string{name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, bundle, nil
}

// trust writes the bundle into the ValidatingWebhookConfiguration.
func trust(ctx context.Context, direct client.Client, name string, bundle []byte) error {
	configuration := &admissionv1.ValidatingWebhookConfiguration{}
	if err := direct.Get(ctx, client.ObjectKey{Name: name}, configuration); err != nil {
		return err
	}
	for i := range configuration.Webhooks {
		if !bytes.Equal(configuration.Webhooks[i].ClientConfig.CABundle, bundle) {
			configuration.Webhooks[i].ClientConfig.CABundle = bundle
		}
	}
	return direct.Update(ctx, configuration)
}
