package fleetservice

import (
	"cmp"
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/plan"
	"movieexample.com/fleet/controllers/fleetservice/render"
	"movieexample.com/fleet/controllers/fleetservice/signals"
)

// rewindsIn are the Jobs that take partitions back, by name.
func rewindsIn(fs *v1alpha1.FleetService, jobs []batchv1.Job) map[string]*batchv1.Job {
	found := map[string]*batchv1.Job{}
	for i := range jobs {
		if j := &jobs[i]; metav1.IsControlledBy(j, fs) && j.Spec.Template.Labels[render.LabelRewind] != "" {
			found[j.Name] = j
		}
	}
	return found
}

// observeRewind tells how far the pending rewind is.
func (r *Reconciler) observeRewind(ctx context.Context, s *scope) error {
	pending := s.observation.State.Rewind
	if pending.Phase != plan.RewindPending {
		return nil
	}
	o := &s.observation.Rewind
	o.Reader = s.readerOf(pending.Hash)
	job := s.rewinds[render.RewindName(s.fs.Name, pending.Since)]
	if job == nil {
		return nil
	}
	o.Phase, o.Message = plan.RewindRunning, fmt.Sprintf("Job %s runs", job.Name)
	for _, c := range job.Status.Conditions {
		if c.Status != corev1.ConditionTrue {
			continue
		}
		var err error
		switch c.Type {
		case batchv1.JobComplete:
			o.Phase = plan.RewindDone
			o.Message, err = r.lastReport(ctx, s, job)
		case batchv1.JobFailed:
			o.Phase = plan.RewindFailed
			o.Message, err = r.lastWords(ctx, job, render.RewindPods(s.fs.Name))
			o.Message = fmt.Sprintf("Job %s failed (%s): %s", job.Name, c.Reason, o.Message)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readerOf is a pod of the revision that may still read: one that ends reads too, until it is gone.
func (s *scope) readerOf(hash string) string {
	for i := range s.pods {
		ended := s.pods[i].Status.Phase == corev1.PodSucceeded || s.pods[i].Status.Phase == corev1.PodFailed
		if s.pods[i].Labels[v1alpha1.LabelRevision] == hash && !ended {
			return s.pods[i].Name
		}
	}
	return ""
}

// lastReport is what the program of a Job has written about what it did.
func (r *Reconciler) lastReport(ctx context.Context, s *scope, job *batchv1.Job) (string, error) {
	pods, err := r.jobPods(ctx, job, render.RewindPods(s.fs.Name))
	if err != nil {
		return "", err
	}
	report := ""
	for i := range pods {
		for _, c := range pods[i].Status.ContainerStatuses {
			if t := c.State.Terminated; t != nil && t.ExitCode == 0 {
				report = cmp.Or(signals.LastLine(t.Message), report)
			}
		}
	}
	return cmp.Or(report, "its partitions went back to where it began; see kubectl logs job/"+job.Name), nil
}

// goBack makes the Job that takes the partitions of a bad revision back, of the stable revision's program.
func (r *Reconciler) goBack(ctx context.Context, s *scope, _ plan.Action) error {
	stable, bad := s.observation.State.Stable.Hash, s.observation.State.Rewind
	snapshot, err := s.snapshot(stable)
	if err != nil || snapshot == nil { // told where it is missing; a person has the words in status when patience ends
		return err
	}
	if err := r.createOnce(ctx, s, render.RewindJob(s.fs, snapshot, bad.Hash, bad.Since)); err != nil {
		return fmt.Errorf("start the rewind of revision %s: %w", bad.Hash, err)
	}
	return nil
}

// oldRewinds are Jobs of rewinds that are history. The last one's stays, so that its logs can be read.
func oldRewinds(s *scope) []client.Object {
	last := s.observation.State.Rewind
	var old []client.Object
	for name, j := range s.rewinds {
		if last.Hash == "" || name != render.RewindName(s.fs.Name, last.Since) {
			old = append(old, j)
		}
	}
	return old
}
