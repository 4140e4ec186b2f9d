// Package provisioner gives each claim of the storage class a folder of the node as its volume.
package provisioner

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

// Name is what the storage class calls this provisioner.
const Name = "sparsedm.io/hostpath"

// annotation ties a volume to the folder it was made in, so that Delete never follows a path a user wrote.
const annotation = "sparsedm.io/provisioned-path"

type hostPath struct {
	root string
}

// Run serves claims until the context ends: `provisioner --kubeconfig FILE --root DIRECTORY`.
func Run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("provisioner", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "credentials")
	root := flags.String("root", "", "folder that holds the volumes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *kubeconfig == "" || *root == "" {
		return errors.New("--kubeconfig and --root are required")
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	// One provisioner runs for each cluster: an election would only delay the first claim.
	pc := controller.NewProvisionController(ctx, client, Name, &hostPath{*root},
		controller.LeaderElection(false))
	pc.Run(ctx)
	return nil
}

// Provision makes the folder, writable for every user: pods run as users the node does not know.
func (p *hostPath) Provision(_ context.Context, options controller.ProvisionOptions) (*v1.PersistentVolume,
	controller.ProvisioningState, error) {
	path := filepath.Join(p.root, options.PVName)
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	// MkdirAll obeys the umask, Chmod does not.
	if err := os.Chmod(path, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	kind := v1.HostPathDirectory
	volume := &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: options.PVName, Annotations: map[string]string{annotation: path}},
		Spec: v1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			AccessModes:                   options.PVC.Spec.AccessModes,
			Capacity:                      options.PVC.Spec.Resources.Requests,
			PersistentVolumeSource: v1.PersistentVolumeSource{
				HostPath: &v1.HostPathVolumeSource{Path: path, Type: &kind},
			},
		},
	}
	return volume, controller.ProvisioningFinished, nil
}

// Delete removes the folder of a volume that this provisioner made under its present root.
func (p *hostPath) Delete(_ context.Context, volume *v1.PersistentVolume) error {
	path := filepath.Join(p.root, volume.Name)
	if volume.Annotations[annotation] != path {
		return &controller.IgnoredError{Reason: "the volume was made elsewhere"}
	}
	return os.RemoveAll(path)
}
