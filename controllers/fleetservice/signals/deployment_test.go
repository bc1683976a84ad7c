package signals_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/controllers/fleetservice/signals"
)

func TestDeployment(t *testing.T) {
	release, environment := signals.Release, signals.Environment
	for name, test := range map[string]struct {
		message string
		blame   signals.Blame
		reason  string
		final   bool
	}{
		"quota":                   {`pods "d-1" is forbidden: exceeded quota: q, requested: cpu=1, used: cpu=2, limited: cpu=2`, environment, signals.QuotaExceeded, false},
		"quota wants limits":      {`pods "d-1" is forbidden: failed quota: q: must specify limits.cpu for: service`, release, signals.PodRefused, true},
		"pod security":            {`pods "d-1" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true`, release, signals.PodRefused, true},
		"limit range":             {`pods "d-1" is forbidden: minimum memory usage per Container is 100Mi, but request is 64Mi`, release, signals.PodRefused, true},
		"priority class":          {`pods "d-1" is forbidden: no PriorityClass with name high was found`, release, signals.PodRefused, true},
		"webhook denies":          {`admission webhook "policy.example.com" denied the request: image not signed`, release, signals.PodRefused, true},
		"webhook is down":         {`Internal error occurred: failed calling webhook "policy.example.com": failed to call webhook: Post "https://policy": dial tcp 10.0.0.1:443: connect: connection refused`, environment, signals.AdmissionDown, false},
		"service account gone":    {`pods "d-1" is forbidden: error looking up service account movies/rating: serviceaccount "rating" not found`, environment, signals.AdmissionDown, false},
		"namespace ends":          {`pods "d-1" is forbidden: unable to create new content in namespace movies because it is being terminated`, environment, signals.AdmissionDown, false},
		"API server in trouble":   {`etcdserver: request timed out`, environment, signals.AdmissionDown, false},
		"something not known yet": {`the moon is in the wrong place`, environment, signals.AdmissionDown, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := signals.Deployment(deployment(corev1.ConditionTrue, test.message))
			want := []signals.Fact{{Blame: test.blame, Reason: test.reason, Final: test.final, Message: "Deployment d cannot create pods: " + test.message}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Deployment (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDeploymentThatCreatesItsPods(t *testing.T) {
	if facts := signals.Deployment(deployment(corev1.ConditionFalse, "")); len(facts) != 0 {
		t.Errorf("Deployment = %v, want nothing", facts)
	}
}

func deployment(failure corev1.ConditionStatus, message string) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "d"},
		Status: appsv1.DeploymentStatus{Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Message: "ReplicaSet is progressing"},
			{Type: appsv1.DeploymentReplicaFailure, Status: failure, Reason: "FailedCreate", Message: message},
		}},
	}
}
