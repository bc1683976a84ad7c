package bindings_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/internal/bindings"
)

func claim(name string, modes ...corev1.PersistentVolumeAccessMode) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: corev1.PersistentVolumeClaimSpec{AccessModes: modes},
	}
}

// TestClaim: each mistake with the volume for files is one sentence, beside those with Secrets.
func TestClaim(t *testing.T) {
	leaving := claim("leaving", corev1.ReadWriteMany)
	leaving.Finalizers, leaving.DeletionTimestamp = []string{"kubernetes.io/pvc-protection"}, &metav1.Time{Time: time.Unix(0, 0)}
	a := newAPI(t, claim("uploads", corev1.ReadWriteMany), claim("one", corev1.ReadWriteOnce), leaving)
	clk := clocktesting.NewFakePassiveClock(time.Unix(0, 0))
	r := bindings.NewReader(a, clk)
	for name, want := range map[string]string{
		"uploads": "",
		"nothing": `PersistentVolumeClaim "nothing" does not exist in namespace movies: create it with access mode ReadWriteMany, or correct files.claimName`,
		"one":     `PersistentVolumeClaim "one" has access modes [ReadWriteOnce]: all pods share the files, so it needs ReadWriteMany; name another in files.claimName`,
		"leaving": `PersistentVolumeClaim "leaving" is being deleted: name another in files.claimName`,
	} {
		report, err := r.CheckService(t.Context(), namespace, &v1alpha1.ServiceTemplate{Files: &v1alpha1.Files{ClaimName: name}})
		if err != nil || report.Message() != want || report.Ready != (want == "") {
			t.Errorf("CheckService with %s = ready %v, %q, %v, want %q", name, report.Ready, report.Message(), err, want)
		}
	}
	both := &v1alpha1.ServiceTemplate{Files: &v1alpha1.Files{ClaimName: "nothing"}, Bindings: kafka("absent")}
	report, err := r.CheckService(t.Context(), namespace, both)
	if err != nil || len(report.Problems) != 2 || !strings.Contains(report.Message(), `Secret "absent"`) {
		t.Errorf("CheckService with a Secret and a claim missing = %q, %v, want both told", report.Message(), err)
	}

	before := a.gets
	if _, err := r.CheckService(t.Context(), namespace, both); err != nil || a.gets != before {
		t.Errorf("a second look read %d objects, %v, want none", a.gets-before, err)
	}
	if err := a.Create(t.Context(), claim("nothing", corev1.ReadWriteMany)); err != nil {
		t.Fatal(err)
	}
	clk.SetTime(clk.Now().Add(5 * time.Second))
	if report, err := r.CheckService(t.Context(), namespace, &v1alpha1.ServiceTemplate{Files: both.Files}); err != nil || !report.Ready {
		t.Errorf("CheckService 5 s after the claim was made = %q, %v, want it ready", report.Message(), err)
	}
}
