package main

import (
	"context"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/recorder"

	"sparsedm.io/baseline/api"
)

const (
	fieldManager  = client.FieldOwner("sparsedm-operator")
	finetuneIndex = "finetune"

	// lookAgain is when a Job that still has no pod is looked at again: the reason stands in events.
	lookAgain = 2 * time.Second
	retryIn   = 5 * time.Second
	refusedIn = 10 * time.Second
	silence   = 60 * time.Second
)

type reconciler struct {
	client.Client
	// live reads past the caches.
	live     client.Reader
	recorder recorder.EventRecorder
	settings jobSettings
}

func finetuneOf(pod client.Object) []string {
	name, ok := pod.GetLabels()[finetuneLabel]
	if !ok {
		return nil
	}
	return []string{name}
}

func setupReconciler(ctx context.Context, mgr ctrl.Manager, settings jobSettings, concurrency int) error {
	if err := mgr.GetFieldIndexer().IndexField(ctx, &corev1.Pod{}, finetuneIndex, finetuneOf); err != nil {
		return err
	}
	toRequests := func(_ context.Context, pod client.Object) []reconcile.Request {
		var requests []reconcile.Request
		for _, name := range finetuneOf(pod) {
			key := types.NamespacedName{Namespace: pod.GetNamespace(), Name: name}
			requests = append(requests, reconcile.Request{NamespacedName: key})
		}
		return requests
	}
	return ctrl.NewControllerManagedBy(mgr).
		// Its own status writes are no news.
		For(&api.SparseFinetune{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Owns(&batchv1.Job{}).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(toRequests)).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrency}).
		Complete(&reconciler{
			Client:   mgr.GetClient(),
			live:     mgr.GetAPIReader(),
			recorder: mgr.GetEventRecorder("sparsedm.io/operator"),
			settings: settings,
		})
}

// observed is what a pass knows of one run.
type observed struct {
	finetune *api.SparseFinetune
	job      *batchv1.Job
	pods     []corev1.Pod
	// refusal is why the API server refused the Job in this pass, podRefusal why it refused the Job's pod.
	refusal    error
	podRefusal string
}

func (r *reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	finetune := &api.SparseFinetune{}
	if err := r.Get(ctx, req.NamespacedName, finetune); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !finetune.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	seen, err := r.observe(ctx, finetune)
	if err != nil {
		return ctrl.Result{}, err
	}
	if expired(finetune, time.Now()) {
		uid := finetune.UID
		return ctrl.Result{}, client.IgnoreNotFound(r.Delete(ctx, finetune, client.Preconditions{UID: &uid}))
	}
	if err := r.apply(ctx, seen); err != nil {
		return ctrl.Result{}, err
	}
	status, situation := buildStatus(seen, metav1.Now())
	if err := r.writeStatus(ctx, finetune, status); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: wakeUp(seen, situation, status, time.Now())}, nil
}

func (r *reconciler) observe(ctx context.Context, finetune *api.SparseFinetune) (*observed, error) {
	seen := &observed{finetune: finetune}
	job := &batchv1.Job{}
	key := types.NamespacedName{Namespace: finetune.Namespace, Name: jobName(finetune)}
	switch err := r.Get(ctx, key, job); {
	case err == nil:
		seen.job = job
	case !apierrors.IsNotFound(err):
		return nil, err
	}
	var pods corev1.PodList
	err := r.List(ctx, &pods, client.InNamespace(finetune.Namespace), client.MatchingFields{finetuneIndex: finetune.Name})
	if err != nil {
		return nil, err
	}
	seen.pods = podsOfRun(finetune, pods.Items)
	if seen.job == nil || !metav1.IsControlledBy(job, finetune) || finished(finetune) {
		return seen, nil
	}
	if hasEnded(job) {
		return seen, r.readLastWord(ctx, seen)
	}
	seen.podRefusal, err = r.podRefusalOf(ctx, seen)
	return seen, err
}

// readLastWord reads the Job's pods anew, unless the cache holds the one that succeeded: nothing changes that any more.
func (r *reconciler) readLastWord(ctx context.Context, seen *observed) error {
	if jobCondition(seen.job, batchv1.JobComplete) != nil {
		if pod := succeededPod(seen.job, seen.pods); pod != nil && lastExit(pod) != nil {
			return nil
		}
	}
	var pods corev1.PodList
	selector := client.MatchingLabels{batchv1.ControllerUidLabel: string(seen.job.UID)}
	if err := r.live.List(ctx, &pods, client.InNamespace(seen.job.Namespace), selector); err != nil {
		return err
	}
	seen.pods = podsOfRun(seen.finetune, pods.Items)
	return nil
}

// podRefusalOf is why the Job controller could not make a pod. It stands in events alone.
func (r *reconciler) podRefusalOf(ctx context.Context, seen *observed) (string, error) {
	alive := func(pod corev1.Pod) bool { return !isOver(&pod) }
	if ptr.Deref(seen.job.Spec.Suspend, false) || slices.ContainsFunc(podsOf(seen.job, seen.pods), alive) {
		return "", nil
	}
	var events corev1.EventList
	selector := client.MatchingFields{"involvedObject.uid": string(seen.job.UID), "reason": "FailedCreate"}
	if err := r.live.List(ctx, &events, client.InNamespace(seen.job.Namespace), selector); err != nil {
		if apierrors.IsForbidden(err) {
			return "", nil
		}
		return "", err
	}
	newest := ""
	var at time.Time
	for _, event := range events.Items {
		if event.LastTimestamp.Time.After(at) || newest == "" {
			newest, at = event.Message, event.LastTimestamp.Time
		}
	}
	return newest, nil
}

// apply makes the Job, or brings the few fields of it that follow the spec in line.
func (r *reconciler) apply(ctx context.Context, seen *observed) error {
	finetune := seen.finetune
	if finished(finetune) {
		return nil
	}
	if seen.job == nil {
		return r.createJob(ctx, seen)
	}
	job := seen.job
	ours := metav1.IsControlledBy(job, finetune) && job.DeletionTimestamp.IsZero() && !hasEnded(job)
	if !ours || !controlsDiffer(finetune, job) {
		return nil
	}
	before := job.DeepCopy()
	setControls(finetune, &job.Spec)
	return r.Patch(ctx, job, client.MergeFrom(before), fieldManager)
}

func (r *reconciler) createJob(ctx context.Context, seen *observed) error {
	job, err := buildJob(seen.finetune, r.settings, r.Scheme())
	if err != nil {
		return err
	}
	err = r.Create(ctx, job, fieldManager)
	switch {
	case err == nil:
		seen.job = job
		return nil
	case apierrors.IsAlreadyExists(err):
		// The cache lags: what is there is judged in this pass.
		existing := &batchv1.Job{}
		seen.job = existing
		return client.IgnoreNotFound(r.live.Get(ctx, client.ObjectKeyFromObject(job), existing))
	case apierrors.IsBadRequest(err), apierrors.IsForbidden(err), apierrors.IsInvalid(err):
		seen.refusal = err
		return nil
	default:
		return err
	}
}

// writeStatus patches what differs, and tells of it. The version in the patch keeps it from a later object of the name.
func (r *reconciler) writeStatus(ctx context.Context, finetune *api.SparseFinetune, status *api.SparseFinetuneStatus) error {
	if equality.Semantic.DeepEqual(&finetune.Status, status) {
		return nil
	}
	before := finetune.DeepCopy()
	finetune.Status = *status
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Status().Patch(ctx, finetune, patch, fieldManager); err != nil {
		return err
	}
	for _, one := range transitions(&before.Status, status) {
		r.recorder.Eventf(finetune, nil, one.eventType, one.reason, one.reason, "%s", one.message)
	}
	return nil
}

func finished(finetune *api.SparseFinetune) bool {
	return meta.IsStatusConditionTrue(finetune.Status.Conditions, "Finished")
}

func expiry(finetune *api.SparseFinetune) *time.Time {
	ttl, ended := finetune.Spec.TTLSecondsAfterFinished, finetune.Status.CompletionTime
	if ttl == nil || ended == nil || !finished(finetune) {
		return nil
	}
	return ptr.To(ended.Add(time.Duration(*ttl) * time.Second))
}

func expired(finetune *api.SparseFinetune, now time.Time) bool {
	at := expiry(finetune)
	return at != nil && !at.After(now)
}

// wakeUp is when to look again although nothing changes; 0 is never.
func wakeUp(seen *observed, situation situation, status *api.SparseFinetuneStatus, now time.Time) time.Duration {
	if at := expiry(&api.SparseFinetune{Spec: seen.finetune.Spec, Status: *status}); at != nil {
		return max(at.Sub(now), time.Millisecond)
	}
	switch situation.kind {
	case waiting:
		return lookAgain
	case retrying, podRefused:
		return retryIn
	case refused, conflict:
		return refusedIn
	case running:
		return max(lastHeard(situation, status).Add(silence).Sub(now), 0)
	default:
		return 0
	}
}

// podsOfRun belong to the run by more than a label: of a Job of its name, and no older than the run.
func podsOfRun(finetune *api.SparseFinetune, pods []corev1.Pod) []corev1.Pod {
	return slices.DeleteFunc(pods, func(pod corev1.Pod) bool {
		owner := metav1.GetControllerOf(&pod)
		ofJob := owner != nil && owner.Kind == "Job" && owner.Name == jobName(finetune)
		return !ofJob || pod.CreationTimestamp.Before(&finetune.CreationTimestamp)
	})
}

// podsOf are the Job's own, oldest first.
func podsOf(job *batchv1.Job, pods []corev1.Pod) []corev1.Pod {
	var own []corev1.Pod
	for i := range pods {
		if metav1.IsControlledBy(&pods[i], job) {
			own = append(own, pods[i])
		}
	}
	slices.SortFunc(own, func(a, b corev1.Pod) int {
		if order := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); order != 0 {
			return order
		}
		return strings.Compare(a.Name, b.Name)
	})
	return own
}
