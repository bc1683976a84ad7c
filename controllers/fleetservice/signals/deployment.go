package signals

import (
	"fmt"
	"regexp"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// How the API server words the refusal of a pod.
var (
	overQuota = regexp.MustCompile(`exceeded quota`)
	// passing is refused by what is being put back or goes by: a service account, a namespace that ends, a webhook.
	passing = regexp.MustCompile(`failed calling webhook|error looking up service account|is being terminated|no API token found`)
	refusal = regexp.MustCompile(`is forbidden|is invalid|denied the request`)
)

// Deployment classifies why a Deployment cannot create pods at all.
func Deployment(d *appsv1.Deployment) []Fact {
	for _, c := range d.Status.Conditions {
		if c.Type != appsv1.DeploymentReplicaFailure || c.Status != corev1.ConditionTrue {
			continue
		}
		f := Fact{Blame: Environment, Reason: AdmissionDown, Message: fmt.Sprintf("Deployment %s cannot create pods: %s", d.Name, c.Message)}
		switch {
		case overQuota.MatchString(c.Message):
			f.Reason = QuotaExceeded
		case passing.MatchString(c.Message):
		case refusal.MatchString(c.Message):
			f.Blame, f.Reason, f.Final = Release, PodRefused, true
		}
		return []Fact{f}
	}
	return nil
}
