{{- define "sparsedm.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The release's name where it contains the chart's; the chart's where it begins with the release's ("sparsedm"
     gives "sparsedm-operator"); else both. A Service's name has no dots and begins with a letter, which the name of a
     release need not ("v1.2", "7b"). 52 characters leave room for suffixes. */}}
{{- define "sparsedm.fullname" -}}
{{- $name := include "sparsedm.name" . -}}
{{- $full := printf "%s-%s" .Release.Name $name -}}
{{- if contains $name .Release.Name }}{{ $full = .Release.Name }}{{ end -}}
{{- if hasPrefix (printf "%s-" .Release.Name) $name }}{{ $full = $name }}{{ end -}}
{{- $full = .Values.fullnameOverride | default $full | replace "." "-" -}}
{{- if not (regexMatch "^[a-z]" $full) }}{{ $full = printf "sparsedm-%s" $full }}{{ end -}}
{{- regexReplaceAll "-+$" ($full | trunc 52) "" -}}
{{- end -}}

{{/* Name of cluster-scoped objects: two releases of one name in two namespaces must not collide. */}}
{{- define "sparsedm.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "sparsedm.fullname" .) -}}
{{- end -}}

{{/* Maps are merged as maps and written by toYaml: text that is joined would hold a key twice, which Helm takes and
     strict readers (Flux, kustomize) refuse, and would read a release named "1.2" as a number. */}}
{{- define "sparsedm.selectorLabels" -}}
{{- toYaml (dict "app.kubernetes.io/name" (include "sparsedm.name" .) "app.kubernetes.io/instance" .Release.Name) -}}
{{- end -}}

{{/* Labels of every object: commonLabels, and over them the chart's own. */}}
{{- define "sparsedm.labels" -}}
{{- $own := dict
      "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_")
      "app.kubernetes.io/version" (.Chart.AppVersion | replace "+" "_")
      "app.kubernetes.io/managed-by" .Release.Service
      "app.kubernetes.io/part-of" "sparsedm" -}}
{{- $selector := include "sparsedm.selectorLabels" . | fromYaml -}}
{{- mergeOverwrite (dict) (.Values.commonLabels | default dict) $own $selector | toYaml -}}
{{- end -}}

{{- define "sparsedm.serviceAccountName" -}}
{{- $default := ternary (include "sparsedm.fullname" .) "default" .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default $default -}}
{{- end -}}

{{- define "sparsedm.gatewayName" -}}
{{- printf "%s-gateway" (include "sparsedm.fullname" .) -}}
{{- end -}}

{{/* Labels of the gateways' pods: the operator's Service must not lead to them. */}}
{{- define "sparsedm.gatewayLabels" -}}
{{- $name := printf "%s-gateway" (include "sparsedm.name" . | trunc 55 | trimSuffix "-") -}}
{{- toYaml (dict "app.kubernetes.io/name" $name "app.kubernetes.io/instance" .Release.Name "app.kubernetes.io/component" "gateway") -}}
{{- end -}}

{{/* What a gateway reads in a watched namespace. It writes nothing. */}}
{{- define "sparsedm.gatewayRules" -}}
- apiGroups: [sparsedm.io]
  resources: [sparseinferenceservices]
  verbs: [get, list, watch]
- apiGroups: ['']
  resources: [pods]
  verbs: [get, list, watch]
{{- end -}}

{{/* Reference of an image {repository, tag, digest}. The tag defaults to the operator's version. */}}
{{- define "sparsedm.image" -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (.image.tag | default .version) -}}
{{- end -}}
{{- end -}}

{{/* Pod security context of training and serving pods. OpenShift's restricted-v2 assigns user and groups itself and
     refuses a pod that names others. */}}
{{- define "sparsedm.workloadSecurityContext" -}}
{{- $openShift := .Capabilities.APIVersions.Has "security.openshift.io/v1" -}}
{{- $omit := or (eq .Values.workloads.omitIds "always") (and (eq .Values.workloads.omitIds "auto") $openShift) -}}
{{- $context := .Values.workloads.podSecurityContext | default dict -}}
{{- ternary (omit $context "runAsUser" "runAsGroup" "fsGroup") $context $omit | toJson -}}
{{- end -}}

{{/* extraEnv can't say again what the chart says: the API server refuses a variable that comes twice, and a flag wins
     over SPARSEDM_... without a word. */}}
{{- define "sparsedm.checkExtraEnv" -}}
{{- $seen := dict -}}
{{- range .Values.extraEnv -}}
{{- if has .name (list "POD_NAME" "POD_NAMESPACE") -}}
{{- fail (printf "extraEnv: %s is set by the chart itself: remove it from extraEnv" .name) -}}
{{- end -}}
{{- if hasPrefix "SPARSEDM_" .name -}}
{{- fail (printf "extraEnv: %s is one of the operator's settings, which the chart passes as flags: set the value of the chart in its place (helm show values)" .name) -}}
{{- end -}}
{{- if hasKey $seen .name -}}
{{- fail (printf "extraEnv: %s is there twice: remove one of the two" .name) -}}
{{- end -}}
{{- $_ := set $seen .name true -}}
{{- end -}}
{{- end -}}

{{/* Rights in a watched namespace. Each verb has a caller in src/. */}}
{{- define "sparsedm.namespaceRules" -}}
- apiGroups: [sparsedm.io]
  resources: [sparsefinetunes]
{{- /* A study creates its runs, and suspends them. */}}
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [sparsedm.io]
  resources: [sparseinferenceservices, sparsestudies]
  verbs: [get, list, watch]
- apiGroups: [sparsedm.io]
  resources: [sparsefinetunes/status, sparseinferenceservices/status, sparsestudies/status]
  verbs: [patch]
{{/* The results of a study. */ -}}
- apiGroups: ['']
  resources: [configmaps]
  verbs: [create, patch]
{{/* Before KEDA or a HorizontalPodAutoscaler begins, spec.replicas has to be the present number. */ -}}
- apiGroups: [sparsedm.io]
  resources: [sparseinferenceservices/scale]
  verbs: [patch]
{{/* Children carry blockOwnerDeletion, which clusters with OwnerReferencesPermissionEnforcement check (OpenShift). */ -}}
- apiGroups: [sparsedm.io]
  resources: [sparsefinetunes/finalizers, sparseinferenceservices/finalizers, sparsestudies/finalizers]
  verbs: [update]
{{/* A Job is deleted when spec.trainer was corrected before a pod started, or when none started in time. */ -}}
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
{{/* Only the canary's Deployment is deleted. */ -}}
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
{{/* What a run waits for in a queue of Kueue, and that spec.suspend holds it there. */ -}}
- apiGroups: [kueue.x-k8s.io]
  resources: [workloads]
  verbs: [get, list, watch, patch]
- apiGroups: [visibility.kueue.x-k8s.io]
  resources: [localqueues/pendingworkloads]
  verbs: [get]
{{/* The versions that served, for spec.rollout.undoTo. */ -}}
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [list, create, delete]
{{/* The owner between a reporting server pod and its Deployment. */ -}}
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [get]
- apiGroups: ['']
  resources: [services]
  verbs: [get, list, watch, create, patch]
{{/* Children that exist only while a service asks for them. */ -}}
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
{{- if .Values.keda.enabled }}
- apiGroups: [keda.sh]
  resources: [scaledobjects, triggerauthentications]
  verbs: [get, list, watch, create, patch, delete]
{{/* The token with which KEDA asks for a service's load; the operator reads and writes those with its label. */ -}}
- apiGroups: ['']
  resources: [configmaps]
  verbs: [get, list, watch, create, patch, delete]
{{- end }}
{{/* They lead the requests for a sleeping service to the gateway. OpenShift asks for the second right. */ -}}
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices/restricted]
  verbs: [create]
- apiGroups: ['']
  resources: [pods]
  verbs: [get, list, watch]
{{/* Only events say why a Job or ReplicaSet could not create its pods (quota, admission). */ -}}
- apiGroups: ['']
  resources: [events]
  verbs: [list]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
