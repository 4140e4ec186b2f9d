package api

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

func clone[T any](in *T) *T {
	if in == nil {
		return nil
	}
	out := *in
	return &out
}

func (in *SparseFinetune) DeepCopyObject() runtime.Object { return in.DeepCopy() }

func (in *SparseFinetune) DeepCopy() *SparseFinetune {
	out := new(SparseFinetune)
	in.DeepCopyInto(out)
	return out
}

func (in *SparseFinetune) DeepCopyInto(out *SparseFinetune) {
	out.TypeMeta = in.TypeMeta
	in.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	in.Spec.DeepCopyInto(&out.Spec)
	in.Status.DeepCopyInto(&out.Status)
}

func (in *SparseFinetuneList) DeepCopyObject() runtime.Object {
	out := &SparseFinetuneList{TypeMeta: in.TypeMeta, Items: make([]SparseFinetune, len(in.Items))}
	in.ListMeta.DeepCopyInto(&out.ListMeta)
	for i := range in.Items {
		in.Items[i].DeepCopyInto(&out.Items[i])
	}
	return out
}

func (in *SparseFinetuneSpec) DeepCopyInto(out *SparseFinetuneSpec) {
	*out = *in
	out.Model.Config = clone(in.Model.Config)
	out.Dataset.Samples = clone(in.Dataset.Samples)
	out.Sparsity.Schedule.Stages = slices.Clone(in.Sparsity.Schedule.Stages)
	out.Sparsity.Schedule.RampPercent = clone(in.Sparsity.Schedule.RampPercent)
	out.Sparsity.Layers.Include = slices.Clone(in.Sparsity.Layers.Include)
	out.Sparsity.Layers.Exclude = slices.Clone(in.Sparsity.Layers.Exclude)
	out.Training.Betas = slices.Clone(in.Training.Betas)
	out.BackoffLimit = clone(in.BackoffLimit)
	out.ActiveDeadlineSeconds = clone(in.ActiveDeadlineSeconds)
	out.TTLSecondsAfterFinished = clone(in.TTLSecondsAfterFinished)
	if in.Acceptance != nil {
		out.Acceptance = clone(in.Acceptance)
		out.Acceptance.MaxFIDIncreasePercent = clone(in.Acceptance.MaxFIDIncreasePercent)
		out.Acceptance.MinMACsReductionPercent = clone(in.Acceptance.MinMACsReductionPercent)
	}
	if in.Trainer != nil {
		out.Trainer = new(Trainer)
		in.Trainer.DeepCopyInto(out.Trainer)
	}
}

func (in *Trainer) DeepCopyInto(out *Trainer) {
	*out = *in
	out.ImagePullSecrets = slices.Clone(in.ImagePullSecrets)
	in.Resources.DeepCopyInto(&out.Resources)
	out.NodeSelector = maps.Clone(in.NodeSelector)
	out.Tolerations = slices.Clone(in.Tolerations)
	for i := range out.Tolerations {
		out.Tolerations[i].TolerationSeconds = clone(in.Tolerations[i].TolerationSeconds)
	}
	out.Affinity = in.Affinity.DeepCopy()
	out.Env = make([]corev1.EnvVar, len(in.Env))
	for i := range in.Env {
		in.Env[i].DeepCopyInto(&out.Env[i])
	}
	out.RuntimeClassName = clone(in.RuntimeClassName)
	out.PodLabels = maps.Clone(in.PodLabels)
	out.PodAnnotations = maps.Clone(in.PodAnnotations)
}

func (in *SparseFinetuneStatus) DeepCopy() *SparseFinetuneStatus {
	out := new(SparseFinetuneStatus)
	in.DeepCopyInto(out)
	return out
}

func (in *SparseFinetuneStatus) DeepCopyInto(out *SparseFinetuneStatus) {
	*out = *in
	out.StartTime = in.StartTime.DeepCopy()
	out.CompletionTime = in.CompletionTime.DeepCopy()
	out.Conditions = slices.Clone(in.Conditions)
	if in.Attempts != nil {
		out.Attempts = clone(in.Attempts)
		out.Attempts.PodCreatedAt = in.Attempts.PodCreatedAt.DeepCopy()
		out.Attempts.ResumedFromStep = clone(in.Attempts.ResumedFromStep)
	}
	in.Results.DeepCopyInto(&out.Results)
}

// DeepCopyInto copies the structures; the figures that they point to are never changed in place.
func (in *Results) DeepCopyInto(out *Results) {
	*out = *in
	if in.Progress != nil {
		out.Progress = clone(in.Progress)
		out.Progress.History = slices.Clone(in.Progress.History)
	}
	out.Checkpoint = clone(in.Checkpoint)
	out.Sparsity = clone(in.Sparsity)
	out.MACs = clone(in.MACs)
	out.FID = clone(in.FID)
	out.Model = clone(in.Model)
}
