// Package api has the Go types of the SparseFinetune resource, for the part of it that the benchmark runs.
package api

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/scheme"
)

var (
	GroupVersion  = schema.GroupVersion{Group: "sparsedm.io", Version: "v1alpha1"}
	schemeBuilder = (&scheme.Builder{GroupVersion: GroupVersion}).Register(&SparseFinetune{}, &SparseFinetuneList{})
	AddToScheme   = schemeBuilder.AddToScheme
)

type SparseFinetune struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   SparseFinetuneSpec   `json:"spec"`
	Status SparseFinetuneStatus `json:"status,omitempty"`
}

type SparseFinetuneList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []SparseFinetune `json:"items"`
}

// TrainerConfig is what the trainer reads of the spec.
type TrainerConfig struct {
	Model      Model      `json:"model"`
	Dataset    Dataset    `json:"dataset"`
	Sparsity   Sparsity   `json:"sparsity"`
	Training   Training   `json:"training"`
	Checkpoint Checkpoint `json:"checkpoint"`
	Evaluation Evaluation `json:"evaluation"`
	Output     Output     `json:"output"`
}

type SparseFinetuneSpec struct {
	TrainerConfig           `json:",inline"`
	Acceptance              *Acceptance `json:"acceptance,omitempty"`
	Trainer                 *Trainer    `json:"trainer,omitempty"`
	Suspend                 bool        `json:"suspend,omitempty"`
	BackoffLimit            *int32      `json:"backoffLimit,omitempty"`
	ActiveDeadlineSeconds   *int64      `json:"activeDeadlineSeconds,omitempty"`
	TTLSecondsAfterFinished *int32      `json:"ttlSecondsAfterFinished,omitempty"`
}

type Model struct {
	Architecture string       `json:"architecture"`
	Preset       string       `json:"preset,omitempty"`
	Config       *ModelConfig `json:"config,omitempty"`
	Pretrained   Pretrained   `json:"pretrained"`
}

type ModelConfig struct {
	ImageSize  int32  `json:"imageSize"`
	PatchSize  int32  `json:"patchSize"`
	Channels   int32  `json:"channels"`
	Width      int32  `json:"width"`
	Depth      int32  `json:"depth"`
	Heads      int32  `json:"heads"`
	NumClasses int32  `json:"numClasses"`
	FinalConv  bool   `json:"finalConv"`
	Prediction string `json:"prediction"`
}

type Pretrained struct {
	URI    string `json:"uri"`
	SHA256 string `json:"sha256,omitempty"`
}

type Dataset struct {
	Format  string `json:"format"`
	URI     string `json:"uri,omitempty"`
	Samples *int64 `json:"samples,omitempty"`
}

type Sparsity struct {
	Pattern            string   `json:"pattern"`
	Method             string   `json:"method"`
	Schedule           Schedule `json:"schedule"`
	Layers             Layers   `json:"layers"`
	Regularization     string   `json:"regularization"`
	DistillationWeight string   `json:"distillationWeight"`
}

type Schedule struct {
	Type              string  `json:"type"`
	Stages            []Stage `json:"stages,omitempty"`
	RampPercent       *int32  `json:"rampPercent,omitempty"`
	FreezeMaskPercent int32   `json:"freezeMaskPercent"`
}

type Stage struct {
	Pattern string `json:"pattern"`
	Steps   int64  `json:"steps"`
}

type Layers struct {
	Include []string `json:"include"`
	Exclude []string `json:"exclude,omitempty"`
}

type Training struct {
	Steps        int64    `json:"steps"`
	BatchSize    int32    `json:"batchSize"`
	LearningRate string   `json:"learningRate"`
	WeightDecay  string   `json:"weightDecay"`
	Betas        []string `json:"betas"`
	WarmupSteps  int64    `json:"warmupSteps,omitempty"`
	EMADecay     string   `json:"emaDecay"`
	Precision    string   `json:"precision"`
	Seed         int64    `json:"seed"`
	GradientClip string   `json:"gradientClip"`
}

type Checkpoint struct {
	EverySteps int64 `json:"everySteps,omitempty"`
	Keep       int32 `json:"keep"`
}

type Evaluation struct {
	Samples      int32  `json:"samples"`
	Steps        int32  `json:"steps"`
	Guidance     string `json:"guidance"`
	Sampler      string `json:"sampler"`
	ExtractorURI string `json:"extractorUri"`
	EverySteps   int64  `json:"everySteps"`
}

type Acceptance struct {
	MaxFIDIncrease          string `json:"maxFidIncrease,omitempty"`
	MaxFIDIncreasePercent   *int32 `json:"maxFidIncreasePercent,omitempty"`
	MinMACsReductionPercent *int32 `json:"minMacsReductionPercent,omitempty"`
}

type Output struct {
	URI string `json:"uri"`
}

type Trainer struct {
	Image              string                        `json:"image,omitempty"`
	ImagePullPolicy    corev1.PullPolicy             `json:"imagePullPolicy,omitempty"`
	ImagePullSecrets   []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`
	Resources          corev1.ResourceRequirements   `json:"resources,omitzero"`
	NodeSelector       map[string]string             `json:"nodeSelector,omitempty"`
	Tolerations        []corev1.Toleration           `json:"tolerations,omitempty"`
	Affinity           *corev1.Affinity              `json:"affinity,omitempty"`
	Env                []corev1.EnvVar               `json:"env,omitempty"`
	ServiceAccountName string                        `json:"serviceAccountName,omitempty"`
	PriorityClassName  string                        `json:"priorityClassName,omitempty"`
	RuntimeClassName   *string                       `json:"runtimeClassName,omitempty"`
	PodLabels          map[string]string             `json:"podLabels,omitempty"`
	PodAnnotations     map[string]string             `json:"podAnnotations,omitempty"`
}

type Phase string

const (
	Pending   Phase = "Pending"
	Running   Phase = "Running"
	Suspended Phase = "Suspended"
	Succeeded Phase = "Succeeded"
	Failed    Phase = "Failed"
)

type SparseFinetuneStatus struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Phase              Phase              `json:"phase,omitempty"`
	StartTime          *metav1.Time       `json:"startTime,omitempty"`
	CompletionTime     *metav1.Time       `json:"completionTime,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
	JobUID             types.UID          `json:"jobUid,omitempty"`
	Attempts           *Attempts          `json:"attempts,omitempty"`
	Results            `json:",inline"`
}

// Results is what the trainer tells, by reports and by its termination message.
type Results struct {
	Progress   *Progress         `json:"progress,omitempty"`
	Checkpoint *CheckpointStatus `json:"checkpoint,omitempty"`
	Sparsity   *SparsityStatus   `json:"sparsity,omitempty"`
	MACs       *MACs             `json:"macs,omitempty"`
	FID        *Distance         `json:"fid,omitempty"`
	Model      *ModelStatus      `json:"model,omitempty"`
}

type Attempts struct {
	Number          int32        `json:"number,omitempty"`
	LastExitReason  string       `json:"lastExitReason,omitempty"`
	PodUID          types.UID    `json:"podUid,omitempty"`
	PodCreatedAt    *metav1.Time `json:"podCreatedAt,omitempty"`
	ResumedFromStep *int64       `json:"resumedFromStep,omitempty"`
}

type Progress struct {
	Step             *int64       `json:"step,omitempty"`
	TotalSteps       *int64       `json:"totalSteps,omitempty"`
	Percent          *int32       `json:"percent,omitempty"`
	Display          string       `json:"display,omitempty"`
	Stage            *int32       `json:"stage,omitempty"`
	Stages           *int32       `json:"stages,omitempty"`
	StagePattern     string       `json:"stagePattern,omitempty"`
	Phase            string       `json:"phase,omitempty"`
	Loss             string       `json:"loss,omitempty"`
	SamplesPerSecond string       `json:"samplesPerSecond,omitempty"`
	RemainingSeconds *int64       `json:"remainingSeconds,omitempty"`
	ETA              string       `json:"eta,omitempty"`
	ReportedAt       *metav1.Time `json:"reportedAt,omitempty"`
	History          []Evaluated  `json:"history,omitempty"`
}

type Evaluated struct {
	Step     int64  `json:"step"`
	Distance string `json:"distance,omitempty"`
	Sparsity string `json:"sparsity,omitempty"`
}

type CheckpointStatus struct {
	URI        string `json:"uri,omitempty"`
	Step       *int64 `json:"step,omitempty"`
	MaskDigest string `json:"maskDigest,omitempty"`
}

type SparsityStatus struct {
	Pattern          string `json:"pattern,omitempty"`
	Target           string `json:"target,omitempty"`
	Achieved         string `json:"achieved,omitempty"`
	MaskedParameters *int64 `json:"maskedParameters,omitempty"`
	TotalParameters  *int64 `json:"totalParameters,omitempty"`
	MaskedLayers     *int32 `json:"maskedLayers,omitempty"`
	SkippedLayers    *int32 `json:"skippedLayers,omitempty"`
	Compliant        *bool  `json:"compliant,omitempty"`
}

type MACs struct {
	Convention       string `json:"convention,omitempty"`
	Dense            *int64 `json:"dense,omitempty"`
	Sparse           *int64 `json:"sparse,omitempty"`
	TotalDense       *int64 `json:"totalDense,omitempty"`
	TotalSparse      *int64 `json:"totalSparse,omitempty"`
	ReductionPercent string `json:"reductionPercent,omitempty"`
}

type Distance struct {
	Metric          string `json:"metric,omitempty"`
	Samples         *int64 `json:"samples,omitempty"`
	Dense           string `json:"dense,omitempty"`
	Sparse          string `json:"sparse,omitempty"`
	Increase        string `json:"increase,omitempty"`
	ReferenceDigest string `json:"referenceDigest,omitempty"`
	ExtractorDigest string `json:"extractorDigest,omitempty"`
	Seed            *int64 `json:"seed,omitempty"`
	Sampler         string `json:"sampler,omitempty"`
	Steps           *int32 `json:"steps,omitempty"`
	Guidance        string `json:"guidance,omitempty"`
	RankDeficient   *bool  `json:"rankDeficient,omitempty"`
}

type ModelStatus struct {
	URI           string `json:"uri,omitempty"`
	SHA256        string `json:"sha256,omitempty"`
	SizeBytes     *int64 `json:"sizeBytes,omitempty"`
	ManifestURI   string `json:"manifestUri,omitempty"`
	SampleGridURI string `json:"sampleGridUri,omitempty"`
}
