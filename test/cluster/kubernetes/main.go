// Kubernetes in one program: the first argument names the component, the rest are its own arguments.
// One program links the shared packages once, so it builds in a fraction of the time of eight.
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	kubeproxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	// Kubernetes' own main packages register these: the JSON log format and the client's and build's metrics.
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"

	"sparsedm.io/cluster/certs"
	"sparsedm.io/cluster/dns"
	"sparsedm.io/cluster/provisioner"
)

var components = map[string]func() int{
	"etcd":                    func() int { etcdmain.Main(os.Args); return 0 },
	"kube-apiserver":          run(apiserver.NewAPIServerCommand),
	"kube-controller-manager": run(controllermanager.NewControllerManagerCommand),
	"kube-scheduler":          run(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
	"kubelet":                 runKubelet,
	"kube-proxy":              run(kubeproxy.NewProxyCommand),
	"coredns":                 func() int { dns.Run(); return 0 },
	"kubectl":                 runKubectl,
	"certs":                   tool(certs.Run),
	"provisioner":             tool(func(args []string) error { return provisioner.Run(signalContext(), args) }),
}

func main() {
	name := ""
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	start, ok := components[name]
	if !ok {
		names := slices.Sorted(maps.Keys(components))
		fmt.Fprintf(os.Stderr, "usage: %s COMPONENT [arguments]\ncomponents: %s\n", os.Args[0], strings.Join(names, ", "))
		os.Exit(2)
	}
	// Components read os.Args themselves and expect their own name first.
	os.Args = os.Args[1:]
	os.Exit(start())
}

func run(newCommand func() *cobra.Command) func() int {
	return func() int { return cli.Run(newCommand()) }
}

func runKubelet() int {
	return cli.Run(kubelet.NewKubeletCommand(context.Background()))
}

func runKubectl() int {
	logs.GlogSetter(kubectl.GetLogVerbosity(os.Args))
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
	return 0
}

func tool(work func(args []string) error) func() int {
	return func() int {
		if err := work(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, os.Args[0]+":", err)
			return 1
		}
		return 0
	}
}

func signalContext() context.Context {
	return genericapiserver.SetupSignalContext()
}
