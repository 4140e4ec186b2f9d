package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"sparsedm.io/baseline/api"
)

type kind int

const (
	over kind = iota
	noJob
	conflict
	refused
	suspended
	podRefused
	waiting
	running
	retrying
	complete
	failed
)

// situation is where a run is, read from the cluster's state alone.
type situation struct {
	kind    kind
	pod     *corev1.Pod
	at      *metav1.Time
	results *lastWord
	// trouble is a reason and a sentence.
	reason, message string
}

// lastWord is the trainer's termination message.
type lastWord struct {
	api.Results `json:",inline"`
	Attempt     *struct {
		ResumedFromStep *int64 `json:"resumedFromStep"`
	} `json:"attempt"`
	Error *struct{ Reason, Message string } `json:"error"`
}

func jobCondition(job *batchv1.Job, wanted batchv1.JobConditionType) *batchv1.JobCondition {
	for i := range job.Status.Conditions {
		if c := &job.Status.Conditions[i]; c.Type == wanted && c.Status == corev1.ConditionTrue {
			return c
		}
	}
	return nil
}

func hasEnded(job *batchv1.Job) bool {
	return jobCondition(job, batchv1.JobComplete) != nil || jobCondition(job, batchv1.JobFailed) != nil
}

func isOver(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func lastExit(pod *corev1.Pod) *corev1.ContainerStateTerminated {
	for i := range pod.Status.ContainerStatuses {
		if c := &pod.Status.ContainerStatuses[i]; c.Name == trainerContainer {
			return cmp.Or(c.State.Terminated, c.LastTerminationState.Terminated)
		}
	}
	return nil
}

func readLastWord(exit *corev1.ContainerStateTerminated) *lastWord {
	if exit == nil || exit.Message == "" {
		return nil
	}
	word := &lastWord{}
	if json.Unmarshal([]byte(exit.Message), word) != nil {
		return nil
	}
	return word
}

func succeededPod(job *batchv1.Job, pods []corev1.Pod) *corev1.Pod {
	for _, pod := range slices.Backward(podsOf(job, pods)) {
		if pod.Status.Phase == corev1.PodSucceeded {
			return &pod
		}
	}
	return nil
}

// failure is why a pod ended badly: the trainer's own word first. The reason is empty when it did not.
func failure(pod *corev1.Pod) (reason, message string) {
	exit := lastExit(pod)
	if exit != nil && exit.ExitCode != 0 {
		if word := readLastWord(exit); word != nil && word.Error != nil {
			return word.Error.Reason, word.Error.Message
		}
	}
	if pod.Status.Phase == corev1.PodFailed && pod.Status.Reason != "" {
		return pod.Status.Reason, cmp.Or(pod.Status.Message, "The pod ended.")
	}
	if exit == nil || exit.ExitCode == 0 {
		return "", ""
	}
	return cmp.Or(exit.Reason, "TrainerFailed"), fmt.Sprintf("The trainer ended with exit code %d.", exit.ExitCode)
}

func lastFailure(pods []corev1.Pod) (reason, message string) {
	for _, pod := range slices.Backward(pods) {
		if reason, message := failure(&pod); reason != "" {
			return reason, message
		}
	}
	return "", ""
}

func judge(seen *observed) situation {
	finetune, job := seen.finetune, seen.job
	switch {
	case finished(finetune):
		return situation{kind: over}
	case seen.refusal != nil:
		return situation{kind: refused, reason: "Refused", message: seen.refusal.Error()}
	case job == nil:
		return situation{kind: noJob}
	case !metav1.IsControlledBy(job, finetune):
		message := fmt.Sprintf("The Job %s exists and belongs to somebody else, so it is left alone.", job.Name)
		return situation{kind: conflict, reason: "NameConflict", message: message}
	}
	own := podsOf(job, seen.pods)
	if c := jobCondition(job, batchv1.JobComplete); c != nil {
		at := cmp.Or(job.Status.CompletionTime, &c.LastTransitionTime)
		found := situation{kind: complete, at: at}
		if pod := succeededPod(job, own); pod != nil {
			found.results = readLastWord(lastExit(pod))
		}
		return found
	}
	if c := jobCondition(job, batchv1.JobFailed); c != nil {
		reason, message := lastFailure(own)
		if reason == "" || c.Reason == batchv1.JobReasonDeadlineExceeded {
			reason, message = c.Reason, c.Message
		}
		return situation{kind: failed, at: &c.LastTransitionTime, reason: reason, message: message}
	}
	return judgeActive(seen, own)
}

func judgeActive(seen *observed, own []corev1.Pod) situation {
	if seen.finetune.Spec.Suspend {
		return situation{kind: suspended}
	}
	for _, pod := range slices.Backward(own) {
		if isOver(&pod) || !pod.DeletionTimestamp.IsZero() {
			continue
		}
		if pod.Status.Phase == corev1.PodRunning {
			return situation{kind: running, pod: &pod}
		}
		return situation{kind: waiting}
	}
	// The pod is done and the Job will say so in a moment.
	if pod := succeededPod(seen.job, own); pod != nil {
		return situation{kind: running, pod: pod}
	}
	if seen.podRefusal != "" {
		return situation{kind: podRefused, reason: "PodsRefused", message: seen.podRefusal}
	}
	if reason, message := lastFailure(own); reason != "" {
		return situation{kind: retrying, reason: reason, message: message}
	}
	return situation{kind: waiting}
}

// countAttempts counts the pods of a run over all its Jobs.
func countAttempts(before *api.Attempts, pods []corev1.Pod) *api.Attempts {
	ordered := slices.Clone(pods)
	slices.SortFunc(ordered, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	uncounted := ordered
	if before != nil && before.PodUID != "" {
		counted := slices.IndexFunc(ordered, func(pod corev1.Pod) bool { return pod.UID == before.PodUID })
		if counted >= 0 {
			uncounted = ordered[counted+1:]
		} else {
			uncounted = slices.DeleteFunc(slices.Clone(ordered), func(pod corev1.Pod) bool {
				return !before.PodCreatedAt.Before(&pod.CreationTimestamp)
			})
		}
	}
	if before == nil && len(uncounted) == 0 {
		return nil
	}
	after := ptr.Deref(before, api.Attempts{})
	after.Number += int32(len(uncounted))
	if len(uncounted) > 0 {
		newest := uncounted[len(uncounted)-1]
		after.PodUID, after.PodCreatedAt = newest.UID, &newest.CreationTimestamp
	}
	if reason, _ := lastFailure(ordered); reason != "" {
		after.LastExitReason = reason
	}
	return &after
}

type verdict struct {
	status          metav1.ConditionStatus
	reason, message string
}

func yes(reason, message string) verdict { return verdict{metav1.ConditionTrue, reason, message} }
func no(reason, message string) verdict  { return verdict{metav1.ConditionFalse, reason, message} }
func unknown(reason, message string) verdict {
	return verdict{metav1.ConditionUnknown, reason, message}
}

func buildStatus(seen *observed, now metav1.Time) (*api.SparseFinetuneStatus, situation) {
	finetune := seen.finetune
	found := judge(seen)
	status := finetune.Status.DeepCopy()
	status.ObservedGeneration = finetune.Generation
	if found.kind == over {
		for i := range status.Conditions {
			status.Conditions[i].ObservedGeneration = finetune.Generation
		}
		return status, found
	}
	status.Attempts = countAttempts(status.Attempts, seen.pods)
	if job := seen.job; job != nil && metav1.IsControlledBy(job, finetune) {
		status.JobUID = job.UID
		status.StartTime = cmp.Or(status.StartTime, job.Status.StartTime)
	}
	var verdicts map[string]verdict
	switch found.kind {
	case complete, failed:
		verdicts = end(finetune, status, found, now)
	default:
		verdicts = active(status, found, now)
	}
	for name, verdict := range verdicts {
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: name, Status: verdict.status, Reason: verdict.reason, Message: verdict.message,
			ObservedGeneration: finetune.Generation,
		})
	}
	slices.SortFunc(status.Conditions, func(a, b metav1.Condition) int { return cmp.Compare(a.Type, b.Type) })
	return status, found
}

// present is what each situation means for phase, Job and training.
func present(found situation) (phase api.Phase, job, training verdict) {
	exists := yes("JobCreated", "The Job exists.")
	pending := func(job verdict) (api.Phase, verdict, verdict) {
		return api.Pending, job, unknown(job.reason, job.message)
	}
	switch found.kind {
	case noJob:
		return pending(unknown("JobMissing", "The Job is about to be created."))
	case waiting:
		return pending(unknown("WaitingForPod", "The Job exists; its pod is about to start."))
	case conflict, refused, podRefused:
		return pending(no(found.reason, found.message))
	case suspended:
		return api.Suspended, exists, no("Suspended", "spec.suspend is true: set it to false, and the run goes on.")
	case retrying:
		return api.Pending, exists, no("Retrying", "The last attempt failed, and the Job tries again. "+found.message)
	default:
		return api.Running, exists, yes("Running", "The trainer runs.")
	}
}

func active(status *api.SparseFinetuneStatus, found situation, now metav1.Time) map[string]verdict {
	phase, job, training := present(found)
	status.Phase = phase
	suspension := no("NotSuspended", "The run is not suspended.")
	if found.kind == suspended {
		suspension = yes("Suspended", "No pod runs.")
	}
	return map[string]verdict{
		"JobReady":          job,
		"Training":          training,
		"Reporting":         reporting(status, found, now.Time),
		"QualityGatePassed": unknown("NotMeasured", "The gate is judged when the run has succeeded."),
		"Suspended":         suspension,
		"Succeeded":         unknown(training.reason, training.message),
		"Finished":          no("InProgress", "The run has not ended."),
	}
}

// lastHeard is when the running trainer last gave a sign of life.
func lastHeard(found situation, status *api.SparseFinetuneStatus) time.Time {
	since := cmp.Or(found.pod.Status.StartTime, &found.pod.CreationTimestamp).Time
	if status.Progress != nil && status.Progress.ReportedAt != nil && status.Progress.ReportedAt.After(since) {
		return status.Progress.ReportedAt.Time
	}
	return since
}

func reporting(status *api.SparseFinetuneStatus, found situation, now time.Time) verdict {
	if found.kind != running {
		return unknown("NotTraining", "No trainer runs that could report.")
	}
	heard := lastHeard(found, status)
	switch {
	case now.Sub(heard) >= silence:
		return no("NoReports", "No report for 60 s. Training may go on all the same; look at the pod's log.")
	case status.Progress != nil && status.Progress.ReportedAt != nil && !status.Progress.ReportedAt.Time.Before(heard):
		return yes("ReportsArrive", "The trainer reports its progress.")
	default:
		return unknown("WaitingForReports", "The trainer has not reported yet.")
	}
}

func end(finetune *api.SparseFinetune, status *api.SparseFinetuneStatus, found situation, now metav1.Time) map[string]verdict {
	status.CompletionTime = cmp.Or(status.CompletionTime, found.at, &now)
	outcome := no(found.reason, found.message)
	if found.kind == complete {
		takeResults(status, found.results)
		outcome = no("ResultsMissing", "The Job completed, but neither its pod nor a report says what came out.")
		if status.Model != nil && status.Model.URI != "" {
			outcome = yes("Succeeded", fmt.Sprintf("The sparse model is at %s.", status.Model.URI))
		}
	}
	gate := unknown("NotMeasured", "The run failed, so there is no model to judge.")
	over := no(outcome.reason, outcome.message)
	status.Phase = api.Failed
	reason := "Failed"
	if outcome.status == metav1.ConditionTrue {
		status.Phase, reason = api.Succeeded, "Succeeded"
		over.message = "Training is over."
		status.Progress = finalProgress(finetune, status.Progress)
		gate = judgeGate(finetune)
	}
	return map[string]verdict{
		"JobReady":          yes("JobCreated", "The Job exists."),
		"Training":          over,
		"Reporting":         unknown("NotTraining", "No trainer runs that could report."),
		"QualityGatePassed": gate,
		"Suspended":         no("NotSuspended", "The run has ended."),
		"Succeeded":         outcome,
		"Finished":          yes(reason, outcome.message),
	}
}

// judgeGate knows no bounds: the benchmark's runs set none.
func judgeGate(finetune *api.SparseFinetune) verdict {
	if finetune.Spec.Acceptance == nil {
		return yes("NoGate", "No gate is set in spec.acceptance.")
	}
	return no("FiguresMissing", "The baseline does not judge gates.")
}

// takeResults lets the last word win over earlier reports, part by part.
func takeResults(status *api.SparseFinetuneStatus, word *lastWord) {
	if word == nil {
		return
	}
	status.Progress = cmp.Or(word.Progress, status.Progress)
	status.Checkpoint = cmp.Or(word.Checkpoint, status.Checkpoint)
	status.Sparsity = cmp.Or(word.Sparsity, status.Sparsity)
	status.MACs = cmp.Or(word.MACs, status.MACs)
	status.FID = cmp.Or(word.FID, status.FID)
	status.Model = cmp.Or(word.Model, status.Model)
	if word.Attempt != nil && status.Attempts != nil {
		status.Attempts.ResumedFromStep = word.Attempt.ResumedFromStep
	}
}

func finalProgress(finetune *api.SparseFinetune, before *api.Progress) *api.Progress {
	progress := ptr.Deref(before, api.Progress{})
	steps := cmp.Or(progress.TotalSteps, ptr.To(finetune.Spec.Training.Steps))
	progress.TotalSteps, progress.Step = steps, steps
	progress.Percent, progress.Display, progress.Phase = ptr.To[int32](100), "100%", "done"
	progress.RemainingSeconds, progress.ETA = ptr.To[int64](0), "0s"
	return &progress
}

type transition struct{ eventType, reason, message string }

// transitions are the events that a change of status is worth.
func transitions(before, after *api.SparseFinetuneStatus) []transition {
	var found []transition
	if end := meta.FindStatusCondition(after.Conditions, "Succeeded"); end != nil && before.Phase != after.Phase {
		switch {
		case end.Status == metav1.ConditionTrue:
			found = append(found, transition{corev1.EventTypeNormal, end.Reason, end.Message})
		case end.Status == metav1.ConditionFalse:
			found = append(found, transition{corev1.EventTypeWarning, end.Reason, end.Message})
		case after.Phase == api.Running:
			found = append(found, transition{corev1.EventTypeNormal, "TrainingStarted", "The trainer runs."})
		case after.Phase == api.Suspended:
			found = append(found, transition{corev1.EventTypeNormal, "Suspended", "The run is suspended."})
		}
	}
	for _, name := range []string{"JobReady", "Reporting", "QualityGatePassed"} {
		now, was := meta.FindStatusCondition(after.Conditions, name), meta.FindStatusCondition(before.Conditions, name)
		if now == nil || now.Status != metav1.ConditionFalse {
			continue
		}
		if was == nil || was.Status != metav1.ConditionFalse || was.Reason != now.Reason {
			found = append(found, transition{corev1.EventTypeWarning, now.Reason, now.Message})
		}
	}
	now, was := meta.FindStatusCondition(after.Conditions, "Training"), meta.FindStatusCondition(before.Conditions, "Training")
	if now != nil && now.Reason == "Retrying" && (was == nil || was.Reason != "Retrying") {
		found = append(found, transition{corev1.EventTypeWarning, after.Attempts.LastExitReason, now.Message})
	}
	return found
}
