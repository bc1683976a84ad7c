{{/* The prefix of every object's name: the release's name, with the chart's unless it is in there already. */}}
{{- define "movie-fleet.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "movie-fleet.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "movie-fleet.labels" -}}
{{ include "movie-fleet.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "movie-fleet.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "movie-fleet.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "movie-fleet.image" -}}
{{- $at := printf "%s/%s" .Values.image.registry .Values.image.name -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $at .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $at (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* What the operator may do with the resources it manages, as generated from the markers in its code. */}}
{{- define "movie-fleet.rules" -}}
{{- toYaml (.Files.Get "files/role.yaml" | fromYaml).rules -}}
{{- end -}}

{{- define "movie-fleet.subjects" -}}
- kind: ServiceAccount
  name: {{ include "movie-fleet.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
