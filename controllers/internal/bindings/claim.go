package bindings

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"movieexample.com/fleet/api/v1alpha1"
)

// CheckService is [Reader.Check] with the volume for files, which is as needed as the connections are.
func (r *Reader) CheckService(ctx context.Context, namespace string, s *v1alpha1.ServiceTemplate) (Report, error) {
	report, err := r.Check(ctx, namespace, s.Bindings)
	if err != nil || s.Files == nil {
		return report, err
	}
	f, err := r.claim(ctx, types.NamespacedName{Namespace: namespace, Name: s.Files.ClaimName})
	if err != nil {
		return Report{}, err
	}
	r.add(&report, f)
	report.Ready = len(report.Problems) == 0
	return report, nil
}

// claim looks at a volume claim, and keeps what it found for as long as of a Secret. A claim that no volume is bound to
// yet is good: some are bound when the first pod wants them.
func (r *Reader) claim(ctx context.Context, name types.NamespacedName) (finding, error) {
	which := id{kind: "files", secret: name}
	if f, ok := r.recall(which); ok {
		return f, nil
	}
	f := finding{at: r.clock.Now()}
	claim := &corev1.PersistentVolumeClaim{}
	err := r.secrets.Get(ctx, name, claim)
	switch {
	case apierrors.IsNotFound(err):
		f.problems = claimProblem("PersistentVolumeClaim %q does not exist in namespace %s: create it with access mode ReadWriteMany, or correct files.claimName", name.Name, name.Namespace)
	case err != nil:
		return finding{}, fmt.Errorf("get PersistentVolumeClaim %s: %w", name, err)
	case !slices.Contains(claim.Spec.AccessModes, corev1.ReadWriteMany):
		f.problems = claimProblem("PersistentVolumeClaim %q has access modes %v: all pods share the files, so it needs ReadWriteMany; name another in files.claimName", name.Name, claim.Spec.AccessModes)
	case claim.DeletionTimestamp != nil:
		f.problems = claimProblem("PersistentVolumeClaim %q is being deleted: name another in files.claimName", name.Name)
	}
	r.keep(which, f)
	return f, nil
}

func claimProblem(format string, args ...any) []Problem {
	return []Problem{{Message: fmt.Sprintf(format, args...)}}
}
