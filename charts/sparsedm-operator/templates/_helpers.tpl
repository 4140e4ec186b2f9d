{{- define "sparsedm.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The release's name where it contains the chart's; the chart's where it begins with the release's ("sparsedm"
     gives "sparsedm-operator"); else both. 52 characters leave room for suffixes. */}}
{{- define "sparsedm.fullname" -}}
{{- $name := include "sparsedm.name" . -}}
{{- $full := printf "%s-%s" .Release.Name $name -}}
{{- if contains $name .Release.Name }}{{ $full = .Release.Name }}{{ end -}}
{{- if hasPrefix (printf "%s-" .Release.Name) $name }}{{ $full = $name }}{{ end -}}
{{- .Values.fullnameOverride | default $full | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* Name of cluster-scoped objects: two releases of one name in two namespaces must not collide. */}}
{{- define "sparsedm.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "sparsedm.fullname" .) -}}
{{- end -}}

{{- define "sparsedm.selectorLabels" -}}
app.kubernetes.io/name: {{ include "sparsedm.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "sparsedm.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "sparsedm.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: sparsedm
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "sparsedm.serviceAccountName" -}}
{{- $default := ternary (include "sparsedm.fullname" .) "default" .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default $default -}}
{{- end -}}

{{/* Reference of an image {repository, tag, digest}; the tag is the operator's version unless given. */}}
{{- define "sparsedm.image" -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (.image.tag | default .version) -}}
{{- end -}}
{{- end -}}

{{/* What the operator does in a namespace that it watches; each verb has its caller in src/. */}}
{{- define "sparsedm.namespaceRules" -}}
- apiGroups: [sparsedm.io]
  resources: [sparsefinetunes]
  verbs: [get, list, watch, delete]
- apiGroups: [sparsedm.io]
  resources: [sparseinferenceservices]
  verbs: [get, list, watch]
- apiGroups: [sparsedm.io]
  resources: [sparsefinetunes/status, sparseinferenceservices/status]
  verbs: [patch]
{{/* Children carry blockOwnerDeletion, which clusters with OwnerReferencesPermissionEnforcement check (OpenShift). */ -}}
- apiGroups: [sparsedm.io]
  resources: [sparsefinetunes/finalizers, sparseinferenceservices/finalizers]
  verbs: [update]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch]
{{/* Between a reporting server pod and its Deployment. */ -}}
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [get]
- apiGroups: ['']
  resources: [services]
  verbs: [get, list, watch, create, patch]
- apiGroups: ['']
  resources: [pods]
  verbs: [get, list, watch]
{{/* Why a Job or ReplicaSet could not create its pods (quota, admission) stands in its events and nowhere else. */ -}}
- apiGroups: ['']
  resources: [events]
  verbs: [list]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
