package main

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

const (
	finalizer = "demo.example.com/register"
	// registerName is the ConfigMap in which every Site of a namespace is entered, and from which it is taken again.
	registerName = "sites"
)

type siteReconciler struct {
	client.Client
	events record.EventRecorder
}

func (r *siteReconciler) SetupWithManager(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).For(&Site{}).Owns(&appsv1.Deployment{}).Complete(r)
}

func (r *siteReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	site := &Site{}
	if err := r.Get(ctx, request.NamespacedName, site); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !site.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, r.finish(ctx, site)
	}
	if controllerutil.AddFinalizer(site, finalizer) {
		if err := r.Update(ctx, site); err != nil {
			return ctrl.Result{}, err
		}
	}
	if err := r.register(ctx, site); err != nil {
		return ctrl.Result{}, err
	}
	deployment, err := r.deploy(ctx, site)
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, r.report(ctx, site, deployment)
}

// deploy makes the Deployment what the Site asks for.
func (r *siteReconciler) deploy(ctx context.Context, site *Site) (*appsv1.Deployment, error) {
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: site.Namespace, Name: site.Name}}
	labels := map[string]string{"demo.example.com/site": site.Name}
	result, err := controllerutil.CreateOrUpdate(ctx, r.Client, deployment, func() error {
		deployment.Spec.Replicas = site.Spec.Replicas
		deployment.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
		deployment.Spec.Template.Labels = labels
		if len(deployment.Spec.Template.Spec.Containers) == 0 {
			deployment.Spec.Template.Spec.Containers = []corev1.Container{{Name: "server"}}
		}
		deployment.Spec.Template.Spec.Containers[0].Image = site.Spec.Image
		return controllerutil.SetControllerReference(site, deployment, r.Scheme())
	})
	if err == nil && result == controllerutil.OperationResultCreated {
		r.events.Eventf(site, corev1.EventTypeNormal, "Deployed", "Created Deployment %s", deployment.Name)
	}
	return deployment, err
}

// report writes the status where it has changed.
func (r *siteReconciler) report(ctx context.Context, site *Site, deployment *appsv1.Deployment) error {
	before := site.DeepCopyObject().(*Site)
	ready := deployment.Status.ReadyReplicas
	condition := metav1.Condition{Type: "Ready", Status: metav1.ConditionFalse, Reason: "Progressing", ObservedGeneration: site.Generation}
	if deployment.Status.ObservedGeneration >= deployment.Generation && ready == *site.Spec.Replicas && deployment.Status.UpdatedReplicas == ready {
		condition.Status, condition.Reason = metav1.ConditionTrue, "AllServing"
	}
	condition.Message = fmt.Sprintf("%d of %d servers are ready", ready, *site.Spec.Replicas)
	if meta.SetStatusCondition(&site.Status.Conditions, condition) && condition.Status == metav1.ConditionTrue {
		r.events.Event(site, corev1.EventTypeNormal, condition.Reason, condition.Message)
	}
	site.Status.ReadyReplicas = ready
	site.Status.ObservedGeneration = site.Generation
	return r.Status().Patch(ctx, site, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

func (r *siteReconciler) register(ctx context.Context, site *Site) error {
	register := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: site.Namespace, Name: registerName}}
	_, err := controllerutil.CreateOrPatch(ctx, r.Client, register, func() error {
		if register.Data == nil {
			register.Data = map[string]string{}
		}
		register.Data[site.Name] = site.Spec.Image
		return nil
	})
	return err
}

// finish takes the Site out of the register and lets it go.
func (r *siteReconciler) finish(ctx context.Context, site *Site) error {
	if !controllerutil.ContainsFinalizer(site, finalizer) {
		return nil
	}
	register := &corev1.ConfigMap{}
	err := r.Get(ctx, types.NamespacedName{Namespace: site.Namespace, Name: registerName}, register)
	if err == nil {
		delete(register.Data, site.Name)
		err = r.Update(ctx, register)
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	controllerutil.RemoveFinalizer(site, finalizer)
	return r.Update(ctx, site)
}
