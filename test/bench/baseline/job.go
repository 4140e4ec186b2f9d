package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"sparsedm.io/baseline/api"
)

const (
	nameLabel      = "app.kubernetes.io/name"
	managedByLabel = "app.kubernetes.io/managed-by"
	managedBy      = "sparsedm-operator"
	finetuneLabel  = "sparsedm.io/finetune"

	trainerContainer = "trainer"
	user             = int64(10001)
	mountRoot        = "/mnt/pvc"
	tokenFolder      = "/var/run/secrets/sparsedm.io"
)

type jobSettings struct{ image, reportsURL string }

// jobName fits, for the schema keeps names of SparseFinetunes to 52 characters.
func jobName(finetune *api.SparseFinetune) string { return finetune.Name + "-train" }

// setControls sets the fields of the Job that follow the spec while it runs.
func setControls(finetune *api.SparseFinetune, spec *batchv1.JobSpec) {
	spec.Suspend = ptr.To(finetune.Spec.Suspend)
	spec.BackoffLimit = ptr.To(ptr.Deref(finetune.Spec.BackoffLimit, 3))
	spec.ActiveDeadlineSeconds = finetune.Spec.ActiveDeadlineSeconds
}

func controlsDiffer(finetune *api.SparseFinetune, job *batchv1.Job) bool {
	var want batchv1.JobSpec
	setControls(finetune, &want)
	return *want.Suspend != ptr.Deref(job.Spec.Suspend, false) ||
		!ptr.Equal(want.BackoffLimit, job.Spec.BackoffLimit) ||
		!ptr.Equal(want.ActiveDeadlineSeconds, job.Spec.ActiveDeadlineSeconds)
}

func buildJob(finetune *api.SparseFinetune, settings jobSettings, scheme *runtime.Scheme) (*batchv1.Job, error) {
	labels := map[string]string{nameLabel: "sparsedm-trainer", managedByLabel: managedBy, finetuneLabel: finetune.Name}
	template, err := buildPod(finetune, settings, labels)
	if err != nil {
		return nil, err
	}
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: jobName(finetune), Namespace: finetune.Namespace, Labels: labels},
		Spec: batchv1.JobSpec{
			Completions:          ptr.To[int32](1),
			Parallelism:          ptr.To[int32](1),
			PodReplacementPolicy: ptr.To(batchv1.Failed),
			PodFailurePolicy: &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{
				{
					Action: batchv1.PodFailurePolicyActionIgnore,
					OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{
						{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue},
					},
				},
				{
					Action: batchv1.PodFailurePolicyActionFailJob,
					OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
						ContainerName: ptr.To(trainerContainer),
						Operator:      batchv1.PodFailurePolicyOnExitCodesOpIn,
						Values:        []int32{2, 3, 4},
					},
				},
			}},
			Template: *template,
		},
	}
	setControls(finetune, &job.Spec)
	return job, controllerutil.SetControllerReference(finetune, job, scheme)
}

func buildPod(finetune *api.SparseFinetune, settings jobSettings, labels map[string]string) (*corev1.PodTemplateSpec, error) {
	config, err := json.Marshal(finetune.Spec.TrainerConfig)
	if err != nil {
		return nil, err
	}
	trainer := ptr.Deref(finetune.Spec.Trainer, api.Trainer{})
	image := trainer.Image
	if image == "" {
		image = settings.image
	}
	podLabels := maps.Clone(labels)
	for name, value := range trainer.PodLabels {
		if _, ours := podLabels[name]; !ours {
			podLabels[name] = value
		}
	}
	claims := claimsOf(finetune)
	report := fmt.Sprintf("%s/v1/finetunes/%s/%s/progress", settings.reportsURL, finetune.Namespace, finetune.Name)
	env := []corev1.EnvVar{
		{Name: "SPARSEDM_CONFIG", Value: string(config)},
		{Name: "SPARSEDM_RUN", Value: finetune.Namespace + "/" + finetune.Name},
		{Name: "SPARSEDM_REPORT_URL", Value: report},
		{Name: "SPARSEDM_MOUNTS", Value: mountRoot},
		{Name: "SPARSEDM_TOKEN_FILE", Value: tokenFolder + "/token"},
		{Name: "HOME", Value: "/tmp"},
		{Name: "TORCHINDUCTOR_CACHE_DIR", Value: "/tmp/torchinductor"},
	}
	return &corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: podLabels, Annotations: trainer.PodAnnotations},
		Spec: corev1.PodSpec{
			ImagePullSecrets:              trainer.ImagePullSecrets,
			NodeSelector:                  trainer.NodeSelector,
			Tolerations:                   trainer.Tolerations,
			Affinity:                      trainer.Affinity,
			ServiceAccountName:            trainer.ServiceAccountName,
			PriorityClassName:             trainer.PriorityClassName,
			RuntimeClassName:              trainer.RuntimeClassName,
			RestartPolicy:                 corev1.RestartPolicyNever,
			TerminationGracePeriodSeconds: ptr.To[int64](60),
			AutomountServiceAccountToken:  ptr.To(false),
			EnableServiceLinks:            ptr.To(false),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot:        ptr.To(true),
				RunAsUser:           ptr.To(user),
				RunAsGroup:          ptr.To(user),
				FSGroup:             ptr.To(user),
				FSGroupChangePolicy: ptr.To(corev1.FSGroupChangeOnRootMismatch),
				SeccompProfile:      &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name:            trainerContainer,
				Command:         []string{"sparsedm", "train"},
				Image:           image,
				ImagePullPolicy: trainer.ImagePullPolicy,
				Env:             append(env, trainer.Env...),
				Resources:       trainer.Resources,
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: ptr.To(false),
					ReadOnlyRootFilesystem:   ptr.To(true),
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
				TerminationMessagePath:   "/dev/termination-log",
				TerminationMessagePolicy: corev1.TerminationMessageReadFile,
				VolumeMounts:             volumeMounts(claims),
			}},
			Volumes: volumes(claims),
		},
	}, nil
}

type claim struct {
	name     string
	readOnly bool
}

// claimsOf lists each claim that the spec's URIs name once, sorted; only the output is written.
func claimsOf(finetune *api.SparseFinetune) []claim {
	spec := finetune.Spec
	readOnly := map[string]bool{}
	for _, uri := range []string{spec.Model.Pretrained.URI, spec.Dataset.URI, spec.Evaluation.ExtractorURI} {
		if name, ok := claimIn(uri); ok {
			readOnly[name] = true
		}
	}
	if name, ok := claimIn(spec.Output.URI); ok {
		readOnly[name] = false
	}
	claims := make([]claim, 0, len(readOnly))
	for _, name := range slices.Sorted(maps.Keys(readOnly)) {
		claims = append(claims, claim{name, readOnly[name]})
	}
	return claims
}

func claimIn(uri string) (string, bool) {
	rest, ok := strings.CutPrefix(uri, "pvc://")
	if !ok {
		return "", false
	}
	name, path, found := strings.Cut(rest, "/")
	return name, found && name != "" && path != ""
}

func volumeMounts(claims []claim) []corev1.VolumeMount {
	mounts := []corev1.VolumeMount{
		{Name: "tmp", MountPath: "/tmp"},
		{Name: "token", MountPath: tokenFolder, ReadOnly: true},
	}
	for i, claim := range claims {
		path := mountRoot + "/" + claim.name
		mounts = append(mounts, corev1.VolumeMount{Name: fmt.Sprintf("claim-%d", i), MountPath: path, ReadOnly: claim.readOnly})
	}
	return mounts
}

func volumes(claims []claim) []corev1.Volume {
	token := corev1.VolumeProjection{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
		Audience: "sparsedm.io", ExpirationSeconds: ptr.To[int64](3600), Path: "token",
	}}
	found := []corev1.Volume{
		{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		{Name: "token", VolumeSource: corev1.VolumeSource{
			Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{token}},
		}},
	}
	for i, claim := range claims {
		source := &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.name, ReadOnly: claim.readOnly}
		found = append(found, corev1.Volume{
			Name: fmt.Sprintf("claim-%d", i), VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: source},
		})
	}
	return found
}
