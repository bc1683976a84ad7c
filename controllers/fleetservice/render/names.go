package render

import (
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
)

// Names and paths inside a pod.
const (
	// ContainerName is the name of the service's container, for podOverrides and kubectl logs.
	ContainerName = "service"
	configDir     = "/etc/fleet"
	configFile    = "config.yaml"
	bindingRoot   = "/bindings"
	filesDir      = "/var/lib/fleet/files"
	flagsDir      = "/etc/fleet-flags"
	flagsFile     = "flags.yaml"
	nonRoot       = 65532
)

// LabelMigration marks the pods of migration Jobs; they never match a Service object's selector.
const LabelMigration = "fleet.movieexample.com/migration"

// LabelRewind marks the pods of Jobs that take partitions back; they never match a Service object's selector.
const LabelRewind = "fleet.movieexample.com/rewind"

// RewindName is the name of the Job that takes back the partitions of the revision whose trial began at that time. There is
// one trial at a time, and a revision may have several.
func RewindName(service string, trial time.Time) string {
	return service + "-rewind-" + strconv.FormatInt(trial.Unix(), 36)
}

// RevisionName is the name of everything that belongs to one revision: Deployment, ConfigMap, ControllerRevision.
func RevisionName(service, hash string) string { return service + "-" + hash }

// MigrationName is the name of the Job that migrates the database for a revision.
func MigrationName(service, hash string) string { return service + "-migrate-" + hash }

// CanaryName is the name of the Service object that selects the revision on trial.
func CanaryName(service string) string { return service + "-canary" }

// AllName is the name of the headless Service object over every live pod.
func AllName(service string) string { return service + "-all" }

// EvidenceName is the name of the ConfigMap that keeps the evidence of a rollout, and EvidenceFile its key.
func EvidenceName(service string) string { return service + "-evidence" }

// EvidenceFile is the key under which the evidence is kept.
const EvidenceFile = "evidence.json"

// AppName is the application that a service belongs to, or the service's own name.
func AppName(fs *v1alpha1.FleetService) string {
	if app := fs.Labels[v1alpha1.LabelApp]; app != "" {
		return app
	}
	return fs.Name
}

// PodSelector selects every live pod of a service.
func PodSelector(service string) map[string]string {
	return map[string]string{v1alpha1.LabelService: service}
}

// RevisionSelector selects the pods of one revision.
func RevisionSelector(service, hash string) map[string]string {
	return map[string]string{v1alpha1.LabelService: service, v1alpha1.LabelRevision: hash}
}

func labels(fs *v1alpha1.FleetService) map[string]string {
	l := map[string]string{
		v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue,
		v1alpha1.LabelApp:       AppName(fs),
		v1alpha1.LabelService:   fs.Name,
	}
	if c := fs.Labels[v1alpha1.LabelComponent]; c != "" {
		l[v1alpha1.LabelComponent] = c
	}
	return l
}

func revisionLabels(fs *v1alpha1.FleetService, hash string) map[string]string {
	l := labels(fs)
	l[v1alpha1.LabelRevision] = hash
	return l
}

// meta is the metadata of a child: in the owner's namespace, with our labels, owned and gone with its owner.
func meta(fs *v1alpha1.FleetService, name string, labels map[string]string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: name, Namespace: fs.Namespace, Labels: labels,
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(fs, v1alpha1.GroupVersion.WithKind("FleetService"))},
	}
}

// ownership is shown where alerts and people look for it. Values may hold any character, so they are annotations.
func ownership(fs *v1alpha1.FleetService) map[string]string {
	o := fs.Spec.Ownership
	if o == nil {
		return nil
	}
	a := map[string]string{v1alpha1.AnnotationAccountable: o.Accountable}
	if o.Support != "" {
		a[v1alpha1.AnnotationSupport] = o.Support
	}
	if o.Oncall != "" {
		a[v1alpha1.AnnotationOncall] = o.Oncall
	}
	return a
}
