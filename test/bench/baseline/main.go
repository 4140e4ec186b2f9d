// The operator's SparseFinetune controller, written with controller-runtime: what the benchmark compares ours with.
package main

import (
	"context"
	"errors"
	"flag"
	"net/http"
	"os"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"sparsedm.io/baseline/api"
)

const userAgent = "sparsedm-baseline/0.1.0"

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(api.AddToScheme(scheme))
	return scheme
}

// children are cached by label, and nobody reads managed fields: as in the operator.
func cacheOptions() cache.Options {
	children := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{managedByLabel: managedBy})}
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject:         map[client.Object]cache.ByObject{&batchv1.Job{}: children, &corev1.Pod{}: children},
	}
}

// cachesFilled starts the caches with the manager and is healthy once they hold everything.
func cachesFilled(ctx context.Context, mgr ctrl.Manager) (healthz.Checker, error) {
	for _, object := range []client.Object{&api.SparseFinetune{}, &batchv1.Job{}, &corev1.Pod{}} {
		if _, err := mgr.GetCache().GetInformer(ctx, object, cache.BlockUntilSynced(false)); err != nil {
			return nil, err
		}
	}
	return func(req *http.Request) error {
		ctx, cancel := context.WithTimeout(req.Context(), 10*time.Millisecond)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("the caches are not filled yet")
		}
		return nil
	}, nil
}

func run(ctx context.Context) error {
	var settings jobSettings
	var metricsAddress, probeAddress string
	var concurrency int
	flag.StringVar(&settings.image, "trainer-image", "sparsedm/trainer:0.1.0", "image of training pods")
	flag.StringVar(&settings.reportsURL, "reports-url", "http://sparsedm-operator.sparsedm-system.svc:8082", "base URL that pods report to")
	flag.StringVar(&metricsAddress, "metrics-bind-address", ":8080", "address of /metrics")
	flag.StringVar(&probeAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz")
	flag.IntVar(&concurrency, "concurrency", 8, "reconciles side by side")
	flag.Parse()
	ctrl.SetLogger(zap.New())

	config := ctrl.GetConfigOrDie()
	config.UserAgent = userAgent
	config.QPS = -1 // no limit on the client's side
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                 newScheme(),
		Cache:                  cacheOptions(),
		Metrics:                metricsserver.Options{BindAddress: metricsAddress},
		HealthProbeBindAddress: probeAddress,
	})
	if err != nil {
		return err
	}
	if err := setupReconciler(ctx, mgr, settings, concurrency); err != nil {
		return err
	}
	ready, err := cachesFilled(ctx, mgr)
	if err != nil {
		return err
	}
	if err := errors.Join(mgr.AddHealthzCheck("ping", healthz.Ping), mgr.AddReadyzCheck("caches", ready)); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

func main() {
	if err := run(ctrl.SetupSignalHandler()); err != nil {
		ctrl.Log.Error(err, "the baseline failed")
		os.Exit(1)
	}
}
